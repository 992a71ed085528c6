"""The one way in which tasks are written, one at a time or a hundred at once.

A list of operations is planned in memory, in order, while the owner's row is locked;
then it is written together with the history and the owner's new revision, or not at
all.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any, cast
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import UUIDField
from rest_framework.exceptions import APIException

from taskapi.api import preconditions
from taskapi.api.preconditions import NO_PRECONDITION, Precondition
from taskapi.db.compiled import CompiledQuery, Placeholder, SQLFragment
from taskapi.db.instances import new
from taskapi.db.writes import (
    execute,
    insert_sql,
    supports_writable_ctes,
    update_rows,
    update_sql,
)
from tasks import access, metrics, usage
from tasks.fields import HISTORY_FIELDS, get_values, task_to_dict
from tasks.models import Task, TaskChange, etag

# What a write may change of a stored task.
WRITTEN_COLUMNS = (*HISTORY_FIELDS, "version", "revision", "updated_at")
# Of the tasks that one statement inserts. The trigram index takes 7 µs for a character
# of random text, so a batch of half a million would exceed `statement_timeout`, and
# again each time that it is sent.
MAX_STATEMENT_CHARACTERS = 50_000
OWNER = "owner"
# Stands in an insert for the revision that the same statement gives the owner.
OWNER_REVISION = f"(SELECT revision FROM {OWNER})"  # noqa: S608


@dataclass(frozen=True)
class ActorContext:
    """Who writes whose tasks, in which request, when."""

    owner_id: UUID
    actor_id: UUID | None  # None: a command
    request_id: str
    now: datetime
    # Administrators and commands may exceed quotas; what they write counts, too.
    obeys_quotas: bool = True


@dataclass(frozen=True)
class Operation:
    """A write to one task; `values` are model fields."""

    values: Mapping[str, Any] = field(default_factory=dict)
    id: UUID | None = None
    expects: Precondition = NO_PRECONDITION

    requires_deleted = False

    def apply(self, task: Task, now: datetime) -> TaskChange | None:
        return task.apply(self.values, now=now)


class Update(Operation):
    """Set the given fields and no others."""


class Create(Operation):
    """Create a task with the given fields."""


class Delete(Operation):
    """Move a task to the trash."""

    def apply(self, task: Task, now: datetime) -> TaskChange | None:
        return task.apply({"deleted_at": now}, now=now)


class Restore(Operation):
    """Take a task back out of the trash."""

    requires_deleted = True

    def apply(self, task: Task, now: datetime) -> TaskChange | None:
        return task.apply({"deleted_at": None}, now=now)


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
        access.check_editable(task.user_id, owner_id)
        if task.deleted_at:
            raise Conflict("A task with this id is in the trash.")
        if all(getattr(task, name) == value for name, value in self.values.items()):
            return "unchanged"
        if not self.overwrite:
            raise Conflict("A task with this id exists with different content.")
        return "updated"


class Conflict(APIException):
    """The imported task exists, but is not the same."""

    status_code = 409


class PreconditionFailed(preconditions.PreconditionFailed):
    """The task is not what the client expects."""

    def __init__(self, task: Task, expects: Precondition) -> None:
        changed = "The task has changed; error.current is what it is now."
        message = expects.reason(task.etag, changed)
        super().__init__(message, task_to_dict(get_values(task)), task.etag)


class OperationFailed(APIException):
    """Operation number `index` failed, so none was done; `cause` is its exception."""

    def __init__(self, index: int, cause: APIException) -> None:
        super().__init__(f"operations[{index}]: {cause.detail}")
        self.index, self.cause, self.status_code = index, cause, cause.status_code
        self.error_fields = {"index": index, **getattr(cause, "error_fields", {})}


def perform_one(operation: Operation, context: ActorContext) -> Task:
    """`perform` for one operation; raises its exception itself."""
    try:
        return perform([operation], context)[0]
    except OperationFailed as failure:
        raise failure.cause from None


def perform(operations: Sequence[Operation], context: ActorContext) -> list[Task]:
    """Do all operations or none; each one's task as it is afterwards, in order.

    Raises QuotaExceeded, and OperationFailed from TaskNotFound (none such, or deleted
    where a live one is required and the reverse), TaskForbidden, PreconditionFailed or
    Conflict.
    """
    return run(operations, context).results


def run(operations: Sequence[Operation], context: ActorContext) -> "UnitOfWork":
    """`perform`, with which tasks were created and which changed."""
    work = UnitOfWork(context)
    only_creates = set(map(type, operations)) == {Create}
    is_limited = usage.is_limited()
    is_plain = only_creates and not is_limited and fits_one_statement(operations)
    if supports_writable_ctes() and is_plain:
        # Nothing is read, so nothing has to be locked before it is planned.
        work.plan(operations)
        work.write_with_revision()
        return work
    with transaction.atomic():
        users = get_user_model()._default_manager
        work.revision = users.increment_revision(context.owner_id)
        work.tasks = fetch_tasks({each.id for each in operations if each.id})
        work.plan(operations)
        if work.changes:
            work.write()
            if is_limited:
                usage.charge(
                    context.owner_id,
                    work.revision,
                    tasks=len(work.created),
                    changes=work.changes,
                    # Deletions are the way to have less.
                    is_refusable=context.obeys_quotas
                    and {*map(type, operations)} != {Delete},
                )
        else:
            # The revision must not move: no list has changed.
            transaction.set_rollback(True)
    return work


def fits_one_statement(operations: Sequence[Operation]) -> bool:
    if len(operations) == 1:
        return True
    return sum(text_length(each.values) for each in operations) <= (
        MAX_STATEMENT_CHARACTERS
    )


def text_length(values: Mapping[str, Any]) -> int:
    return len(values.get("title") or "") + len(values.get("description") or "")


def in_statements(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Group tasks by MAX_STATEMENT_CHARACTERS."""
    group: list[Task] = []
    room = MAX_STATEMENT_CHARACTERS
    for task in tasks:
        length = len(task.title) + len(task.description or "")
        if group and length > room:
            yield group
            group, room = [], MAX_STATEMENT_CHARACTERS
        group.append(task)
        room -= length
    yield group


@dataclass
class UnitOfWork:
    context: ActorContext
    # The owner's new one; 0 where only the statement that writes it returns it.
    revision: int = 0
    tasks: dict[UUID, Task] = field(default_factory=dict)
    results: list[Task] = field(default_factory=list)
    created: list[Task] = field(default_factory=list)
    changed: dict[UUID, Task] = field(default_factory=dict)
    changes: list[TaskChange] = field(default_factory=list)

    def plan(self, operations: Sequence[Operation]) -> None:
        for index, operation in enumerate(operations):
            try:
                self.results.append(self.add(operation))
            except APIException as error:
                raise OperationFailed(index, error) from error

    def add(self, operation: Operation) -> Task:
        if isinstance(operation, Create):
            return self.create(operation)
        if isinstance(operation, Import):
            return self.import_task(operation)
        return self.update(operation, self.find(operation))

    def create(self, operation: Operation, **origin: Any) -> Task:
        now = self.context.now
        base = {"id": uuid4(), "created_at": now, "updated_at": now} | origin
        task = new(Task, user_id=self.context.owner_id, **base)
        task.apply_values(operation.values, now=now)
        self.created.append(task)
        self.record_change(task, task.creation())
        return task

    def import_task(self, operation: Import) -> Task:
        pk = cast(UUID, operation.id)
        task = self.tasks.get(pk)
        if operation.outcome(task, self.context.owner_id) == "created":
            self.tasks[pk] = self.create(operation, id=pk, **operation.origin)
            return self.tasks[pk]
        return self.update(operation, cast(Task, task))

    def find(self, operation: Operation) -> Task:
        task = self.tasks.get(operation.id) if operation.id else None
        if task is None or (task.deleted_at is not None) != operation.requires_deleted:
            raise access.TaskNotFound
        access.check_editable(task.user_id, self.context.owner_id)
        if not operation.expects.matches(task.etag, task.version):
            # An earlier operation may have changed it, in memory only.
            task.refresh_from_db()
            raise PreconditionFailed(task, operation.expects)
        return task

    def update(self, operation: Operation, task: Task) -> Task:
        change = operation.apply(task, self.context.now)
        if change:
            if not task._state.adding:  # else its insert has the final values
                self.changed[task.pk] = task
            self.record_change(task, change)
        return task

    def record_change(self, task: Task, change: TaskChange) -> None:
        task.revision = self.revision
        change.changed_by = self.context.actor_id
        change.request_id = self.context.request_id
        self.changes.append(change)

    def write(self) -> None:
        *earlier, created = in_statements(self.created)
        for tasks in earlier:
            execute({"created": insert_sql(tasks)})
        parts, changed = self.inserts(created), list(self.changed.values())
        if len(changed) == 1:
            parts["changed"] = update_sql(changed[0], WRITTEN_COLUMNS)
        written = len(execute(parts)) if parts else 0
        if len(changed) > 1:
            written = update_rows(changed, WRITTEN_COLUMNS)
        # The owner's row is locked, so what was read is what is stored; only
        # housekeeping may have removed old trash meanwhile.
        if changed and written != len(changed):
            raise access.TaskNotFound
        self.count_created()

    def write_with_revision(self) -> None:
        """Insert, and increment the owner's revision, in one statement.

        Needs no transaction. Only for parts that read nothing: they would see the data
        of before the wait for the owner's row.
        """
        users = get_user_model()
        owner = users._default_manager.increment_revision_sql(self.context.owner_id)
        parts = {OWNER: owner, **self.inserts(self.created, revision=OWNER_REVISION)}
        try:
            [revision], *_ = execute(parts, returning=OWNER_REVISION)
        except IntegrityError as error:
            if null_column(error) == "revision":  # there is no such owner
                raise users.DoesNotExist from error
            raise
        for task in self.created:
            task.revision = revision
        self.count_created()

    def inserts(
        self, created: Sequence[Task], **expressions: str
    ) -> dict[str, SQLFragment]:
        parts = {}
        if created:
            parts["created"] = insert_sql(created, **expressions)
        if self.changes:
            parts["changes"] = insert_sql(self.changes)
        return parts

    def count_created(self) -> None:
        if self.created:
            transaction.on_commit(partial(metrics.CREATED.inc, len(self.created)))


def null_column(error: IntegrityError) -> str | None:
    """The column that violated NOT NULL."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "column_name", None)


def fetch_tasks(ids: Collection[UUID]) -> dict[UUID, Task]:
    """The tasks of these ids, live or deleted."""
    if len(ids) != 1:
        return Task.objects.in_bulk(ids)
    columns, query = task_query()
    rows = query.rows({"task": next(iter(ids))})
    return {row[0]: Task.from_db("default", columns, row) for row in rows}


@cache
def task_query() -> tuple[list[str], CompiledQuery]:
    columns = [field.attname for field in Task._meta.concrete_fields]
    tasks = Task.objects.filter(pk=Placeholder("task", UUIDField()))
    return columns, CompiledQuery.compile(tasks.values_list(*columns))


def purge(task_id: UUID, expects: Precondition, context: ActorContext) -> None:
    """Remove a deleted task and its history for good; raises like `perform_one`."""
    with transaction.atomic():
        users = get_user_model()._default_manager
        revision = users.increment_revision(context.owner_id)
        trashed = Task.objects.trashed().filter(pk=task_id)
        task = trashed.first()
        if task is None:
            raise access.TaskNotFound
        access.check_editable(task.user_id, context.owner_id)
        if not expects.matches(etag(task.version), task.version):
            raise PreconditionFailed(task, expects)
        trashed.hard_delete_batch()
        usage.follow(context.owner_id, revision)
