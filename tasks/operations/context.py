"""Who writes, on whose authority, in which request, when."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class ActorContext:
    """`owner_id` is the account whose access counts, and whose space new tasks go to.

    In the API it is the actor as well; an administrator and a command act for others.
    """

    owner_id: UUID
    actor_id: UUID | None  # None: a command
    request_id: str
    now: datetime
    # Administrators and commands may exceed quotas; what they write counts, too.
    obeys_quotas: bool = True
    # Whether the account has tasks in the spaces of others (tasks.access).
    reads_projects: bool = False
    # Those that the actor's personal token covers; None for all.
    project_ids: Collection[UUID] | None = None
    # Whether a webhook gets events of its space.
    has_webhooks: bool = False
