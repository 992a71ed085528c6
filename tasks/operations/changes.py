"""The operations on tasks: what each asks for, before anything is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from taskapi.api.errors import Conflict
from taskapi.api.preconditions import NO_PRECONDITION, Precondition, PreconditionFailed
from tasks import access
from tasks.fields import get_values, split_labels, task_to_dict
from tasks.models import Task, label_key

TASK_CHANGED = "The task has changed; error.current is what it is now."


@dataclass(frozen=True)
class Operation:
    """A write to one task; `values` are model fields, but `labels` a list of names."""

    values: Mapping[str, Any] = field(default_factory=dict)
    id: UUID | None = None
    expects: Precondition = NO_PRECONDITION

    requires_deleted = False


class Update(Operation):
    """Set the given fields and no others; another project or parent is a move."""


class Create(Operation):
    """Create a task with the given fields; with `id`, others of a batch refer to it."""


class Delete(Operation):
    """Move a task and its subtasks to the trash."""


class Restore(Operation):
    """Take a task and the subtasks that went with it back out of the trash."""

    requires_deleted = True


class Skip(Operation):
    """Move a task that recurs to the next occurrence of its series."""


@dataclass(frozen=True)
class Move(Operation):
    """Put a task under another parent, into another project (`values`), or before or
    after one of its siblings.
    """

    before: UUID | None = None
    after: UUID | None = None


class Copy(Operation):
    """Make a new task and subtasks like these in another project (`values`)."""


@dataclass(frozen=True)
class Import(Operation):
    """Create the task `id` as it was elsewhere, or find it here with the same content.

    `values` are its content, `origin` what counts only on creation: its times and its
    version. Other content is a Conflict, unless `overwrite` is set.
    """

    origin: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False

    def outcome(self, task: Task | None, owner_id: UUID) -> str:
        """What this does to the task of that id; TaskForbidden, Conflict."""
        if task is None:
            return "created"
        if task.user_id != owner_id:
            raise access.forbidden(
                task.user_id, access.TaskForbidden, access.TaskNotFound
            )
        if task.deleted_at:
            raise Conflict("A task with this id is in the trash.")
        if all(equals(task, name, value) for name, value in self.values.items()):
            return "unchanged"
        if not self.overwrite:
            raise Conflict("A task with this id exists with different content.")
        return "updated"


def equals(task: Task, name: str, value: Any) -> bool:
    if name == "labels":
        return {*map(label_key, split_labels(task.labels))} == {*map(label_key, value)}
    return bool(getattr(task, name) == value)


def require_match(task: Task, expects: Precondition) -> None:
    """PreconditionFailed unless the task is what the client expects."""
    if not expects.matches(task.etag, task.version):
        # An earlier operation may have changed it, in memory only.
        task.refresh_from_db()
        message = expects.reason(task.etag, TASK_CHANGED)
        raise PreconditionFailed(message, task_to_dict(get_values(task)), task.etag)
