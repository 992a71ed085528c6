"""Tasks and what is remembered about them; every rule about a task lives here."""

from tasks.models.choices import Priority, Status
from tasks.models.idempotency import StoredAnswer
from tasks.models.task_change import Change, in_utc, plain
from tasks.models.tasks import (
    LIVE,
    MOST_COUNTED,
    OF_ALL_OWNERS,
    TRASHED,
    Task,
    TaskQuerySet,
    etag,
)

__all__ = [
    "LIVE",
    "MOST_COUNTED",
    "OF_ALL_OWNERS",
    "TRASHED",
    "Change",
    "Priority",
    "Status",
    "StoredAnswer",
    "Task",
    "TaskQuerySet",
    "etag",
    "in_utc",
    "plain",
]
