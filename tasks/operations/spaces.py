"""Locks spaces: whoever writes in one holds its owner's row until the end.

Rows of several owners are locked in the order of their ids, so that two transactions
never wait for each other.
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import F

from tasks import usage


@dataclass
class Space:
    """A locked space: the revision of what is written in it now."""

    owner_id: UUID
    revision: int
    # Whether its owner's projects have to be read (tasks.access).
    reads_projects: bool
    # Whether events of the space are written.
    has_webhooks: bool = False
    is_changed: bool = False


def lock_spaces(owner_ids: Collection[UUID]) -> dict[UUID, Space]:
    """Call in a transaction; User.DoesNotExist."""
    users = get_user_model()._default_manager
    spaces = {}
    for owner_id in sorted(owner_ids):
        state = users.increment_revision(owner_id)
        spaces[owner_id] = Space(owner_id, *state)
    return spaces


def finish(spaces: Collection[Space]) -> None:
    """At the end of a write that adds no task, text or history of tasks."""
    release_unchanged(spaces)
    if usage.is_limited():
        for space in spaces:
            if space.is_changed:
                usage.follow(space.owner_id, space.revision)


def release_unchanged(spaces: Collection[Space]) -> None:
    """Give back the revisions of spaces in which nothing was written: no list of
    theirs has changed. They are locked, so nobody has seen these revisions.
    """
    unchanged = [space.owner_id for space in spaces if not space.is_changed]
    if unchanged:
        users = get_user_model()._base_manager.filter(pk__in=unchanged)
        users.update(revision=F("revision") - 1)
