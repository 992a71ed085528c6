"""The one way in which tasks are written, one at a time or a hundred at once.

An operation list is decided in memory, in order, while the owner's row is held; then
it is written together with the history and the owner's new revision, or not at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.db import transaction

from accounts.reading import Fragment
from taskapi.api.preconditions import ANYTHING, Precondition
from taskapi.db.instances import new
from taskapi.db.writes import (
    OWNERS_REVISION,
    can_join,
    existing,
    insertion,
    send,
    send_advancing,
    update,
    update_each,
)
from tasks import metrics
from tasks.models import Change, Task


@dataclass(frozen=True)
class Author:
    """Who writes whose tasks, in which request, when."""

    owner_id: UUID
    actor_id: UUID | None  # None: a command
    request_id: str
    now: datetime


@dataclass(frozen=True)
class Operation:
    """A write to one task; `values` are model fields."""

    values: Mapping[str, Any] = field(default_factory=dict)
    id: UUID | None = None
    expects: Precondition = ANYTHING

    wants_trashed = False

    def apply(self, task: Task, now: datetime) -> Change | None:
        return task.change(self.values, now=now)


class Update(Operation):
    """Set the given fields and no others."""


class Create(Operation):
    """Make a task with the given fields."""


class Delete(Operation):
    """Move a task to the trash."""

    def apply(self, task: Task, now: datetime) -> Change | None:
        return task.change({"deleted_at": now}, now=now)


class Restore(Operation):
    """Take a task back out of the trash."""

    wants_trashed = True

    def apply(self, task: Task, now: datetime) -> Change | None:
        return task.change({"deleted_at": None}, now=now)


@dataclass(frozen=True)
class Import(Operation):
    """Make the task `id` as it was elsewhere, or find it here with the same content.

    `values` are its content, `origin` what only counts while it is made: when that was
    and which version it is. Without `overwrite` other content is a Conflict.
    """

    origin: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False

    def outcome(self, task: Task | None, owner_id: UUID) -> str:
        """What this does to the task of that id; Task.Forbidden or Conflict."""
        if task is None:
            return "created"
        task.readable_by(owner_id)
        if task.deleted_at:
            raise Conflict("It is in the trash.")
        if all(getattr(task, name) == value for name, value in self.values.items()):
            return "unchanged"
        if not self.overwrite:
            raise Conflict("It is there with other content.")
        return "updated"


class Conflict(Exception):
    """The task that is to be imported is there, but is not the same."""


class OperationFailed(Exception):
    """Operation number `index` cannot be done, so none was; `__cause__` says why."""

    def __init__(self, index: int) -> None:
        self.index = index


class Stale(Exception):
    """The task is not what the client expected; `task` is what it is."""

    def __init__(self, task: Task) -> None:
        self.task = task


def perform_one(operation: Operation, author: Author) -> Task:
    """`perform` for one operation; raises its error itself."""
    try:
        return perform([operation], author)[0]
    except OperationFailed as failure:
        raise failure.__cause__ or failure from None


def perform(operations: Sequence[Operation], author: Author) -> list[Task]:
    """Do all operations or none; each one's task as it is afterwards, in order.

    Raises OperationFailed from Task.DoesNotExist (none such, or trashed where a live
    one is wanted and the reverse), Task.Forbidden, Stale or Conflict.
    """
    return run(operations, author).results


def run(operations: Sequence[Operation], author: Author) -> "Batch":
    """`perform`, to see also which tasks were created and which changed."""
    batch = Batch(author)
    if can_join() and set(map(type, operations)) == {Create}:
        # Nothing is read, so nothing has to be held before it is decided.
        batch.decide(operations)
        batch.write_advancing()
        return batch
    with transaction.atomic():
        batch.revision = get_user_model()._default_manager.advance(author.owner_id)
        batch.tasks = existing({each.id for each in operations if each.id})
        batch.decide(operations)
        batch.write()
    return batch


@dataclass
class Batch:
    author: Author
    # The owner's new one; 0 where only the statement that writes it knows it.
    revision: int = 0
    tasks: dict[UUID, Task] = field(default_factory=dict)
    results: list[Task] = field(default_factory=list)
    created: list[Task] = field(default_factory=list)
    changed: dict[UUID, Task] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    def decide(self, operations: Sequence[Operation]) -> None:
        for index, operation in enumerate(operations):
            self.results.append(self.add(index, operation))

    def add(self, index: int, operation: Operation) -> Task:
        try:
            if isinstance(operation, Create):
                return self.create(operation)
            if isinstance(operation, Import):
                return self.take_in(operation)
            return self.alter(operation, self.find(operation))
        except (Task.DoesNotExist, Task.Forbidden, Stale, Conflict) as error:
            raise OperationFailed(index) from error

    def create(self, operation: Operation, **origin: Any) -> Task:
        now = self.author.now
        born = {"id": uuid4(), "created_at": now, "updated_at": now} | origin
        task = new(Task, user_id=self.author.owner_id, **born)
        task.take(operation.values, now=now)
        self.created.append(task)
        self.remember(task, task.history_of_creation())
        return task

    def take_in(self, operation: Import) -> Task:
        pk = cast(UUID, operation.id)
        task = self.tasks.get(pk)
        if operation.outcome(task, self.author.owner_id) == "created":
            self.tasks[pk] = self.create(operation, id=pk, **operation.origin)
            return self.tasks[pk]
        return self.alter(operation, cast(Task, task))

    def find(self, operation: Operation) -> Task:
        task = self.tasks.get(operation.id) if operation.id else None
        if task is None or (task.deleted_at is not None) != operation.wants_trashed:
            raise Task.DoesNotExist
        task.readable_by(self.author.owner_id)
        if not operation.expects.holds(task):
            # An earlier operation may have changed it, in memory only.
            task.refresh_from_db()
            raise Stale(task)
        return task

    def alter(self, operation: Operation, task: Task) -> Task:
        change = operation.apply(task, self.author.now)
        if change:
            if not task._state.adding:  # else it is inserted as it is at last
                self.changed[task.pk] = task
            self.remember(task, change)
        return task

    def remember(self, task: Task, change: Change) -> None:
        task.revision = self.revision
        change.changed_by = self.author.actor_id
        change.request_id = self.author.request_id
        self.changes.append(change)

    def write(self) -> None:
        parts, changed = self.insertions(), list(self.changed.values())
        if len(changed) == 1:
            parts["changed"] = update(changed[0])
        written = len(send(parts)) if parts else 0
        if len(changed) > 1:
            written = update_each(changed)
        # The owner's row is held, so what was read is what is there; only housekeeping
        # may have taken old trash meanwhile.
        if changed and written != len(changed):
            raise Task.DoesNotExist
        self.count()

    def write_advancing(self) -> None:
        parts = self.insertions(revision=OWNERS_REVISION)
        revision = send_advancing(self.author.owner_id, parts)
        for task in self.created:
            task.revision = revision
        self.count()

    def insertions(self, **of_owner: str) -> dict[str, Fragment]:
        parts = {}
        if self.created:
            parts["created"] = insertion(self.created, **of_owner)
        if self.changes:
            parts["changes"] = insertion(self.changes)
        return parts

    def count(self) -> None:
        if self.created:
            transaction.on_commit(partial(metrics.CREATED.inc, len(self.created)))


def destroy(task_id: UUID, expects: Precondition, author: Author) -> None:
    """Remove a trashed task and its history for good; raises like `perform_one`."""
    with transaction.atomic():
        get_user_model()._default_manager.advance(author.owner_id)
        trashed = Task.objects.trashed().filter(pk=task_id)
        task = trashed.get().readable_by(author.owner_id)
        if not expects.holds(task):
            raise Stale(task)
        trashed.destroy_batch()
