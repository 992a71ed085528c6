"""Tasks and what is stored about them; every rule about one task is here."""

from tasks.models.choices import Priority, Status
from tasks.models.idempotency import IdempotencyRecord
from tasks.models.task_change import TaskChange
from tasks.models.tasks import (
    ADMIN_INDEX_PREDICATE,
    LIVE,
    TRASHED,
    Task,
    TaskQuerySet,
    etag,
)
from tasks.models.usage import SpaceUsage

__all__ = [
    "ADMIN_INDEX_PREDICATE",
    "LIVE",
    "TRASHED",
    "IdempotencyRecord",
    "Priority",
    "SpaceUsage",
    "Status",
    "Task",
    "TaskChange",
    "TaskQuerySet",
    "etag",
]
