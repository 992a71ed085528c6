"""Runs operations on tasks: all or none, in one transaction."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from taskapi.db.writes import (
    execute,
    insert_sql,
    supports_writable_ctes,
    update_rows,
    update_sql,
)
from tasks import access, metrics, usage
from tasks.access import TaskNotFound
from tasks.fields import HISTORY_FIELDS, get_values, task_to_dict
from tasks.models import Project, Task, inbox_id
from tasks.operations.changes import Copy, Create, Delete, Move, Operation
from tasks.operations.context import ActorContext
from tasks.operations.labels import TaskLabels
from tasks.operations.spaces import lock_spaces, release_unchanged
from tasks.operations.trees import Trees
from tasks.operations.unit_of_work import OperationFailed, UnitOfWork
from tasks.webhooks import events
from tasks.webhooks.events import Event

# What a write may change of a stored task.
WRITTEN_COLUMNS = (
    *HISTORY_FIELDS,
    *("day_ends_at", "due_local"),
    *("position", "deleted_with_id", "project_version"),
    *("version", "revision", "updated_at"),
)
# What a new task in the owner's inbox may have for nothing to be read.
PLAIN_VALUES = {
    *("title", "description", "status", "priority", "start_at", "due_at"),
    *("is_all_day", "time_zone", "project_id", "completed_at"),
}
# Of the tasks that one statement inserts. The trigram index takes 7 µs for a character
# of random text, so a batch of half a million would exceed `statement_timeout`, and
# again each time that it is sent.
MAX_STATEMENT_CHARACTERS = 50_000
# PostgreSQL takes 65,535 values with a statement, and a task has some thirty.
MAX_STATEMENT_TASKS = 1_000
OWNER = "owner"
# Stands in an insert for the revision that the same statement gives the owner.
OWNER_REVISION = f"(SELECT revision FROM {OWNER})"  # noqa: S608


def perform_one(operation: Operation, context: ActorContext) -> Task:
    """`perform` for one operation; raises its exception itself."""
    try:
        return perform([operation], context)[0]
    except OperationFailed as failure:
        raise failure.cause from None


def perform(operations: Sequence[Operation], context: ActorContext) -> list[Task]:
    """Do all operations or none; each one's task as it is afterwards, in order.

    Raises QuotaExceeded, and OperationFailed from TaskNotFound (none such, or deleted
    where a live one is required and the reverse), TaskForbidden, RoleForbidden,
    PreconditionFailed, Conflict or ValidationError.
    """
    return run(operations, context).results


def run(operations: Sequence[Operation], context: ActorContext) -> UnitOfWork:
    """`perform`, with which tasks were created and which changed."""
    work = UnitOfWork(
        context,
        trees=Trees(is_bounded=context.obeys_quotas),
        labels=TaskLabels(context.obeys_quotas),
    )
    if supports_writable_ctes() and is_plain(operations, context):
        # Nothing is read, so nothing has to be locked before it is planned.
        work.plan(operations)
        write_with_revision(work)
        return work
    with transaction.atomic():
        work.spaces = lock_spaces(find_owners(operations, context))
        load(work, operations)
        work.plan(operations)
        if work.created or work.changed or work.labels.new:
            write(work)
            charge(work, operations)
            release_unchanged(work.spaces.values())
        else:
            # The revision must not move: no list has changed.
            transaction.set_rollback(True)
    return work


def is_plain(operations: Sequence[Operation], context: ActorContext) -> bool:
    """Whether all that is done is to create tasks in the owner's inbox."""
    if usage.is_limited() or {*map(type, operations)} != {Create}:
        return False
    if context.project_ids is not None:
        return False
    inbox = inbox_id(context.owner_id)
    return fits_one_statement(operations) and all(
        each.values.keys() <= PLAIN_VALUES
        and each.values.get("project_id", inbox) == inbox
        for each in operations
    )


def find_owners(operations: Sequence[Operation], context: ActorContext) -> set[UUID]:
    """Whose spaces these operations write in; neither tasks nor projects change hands,
    so this can be read before the spaces are locked.
    """
    owners = {context.owner_id}
    if context.reads_projects:
        ids = {each.id for each in operations if each.id}
        tasks = Task.objects.filter(pk__in=ids, user__erased_at=None)
        projects = Project.objects.filter(
            pk__in=target_ids(operations), owner__erased_at=None
        )
        owners |= {*tasks.order_by().values_list("user_id", flat=True).distinct()}
        owners |= {*projects.values_list("owner_id", flat=True)}
    return owners


def target_ids(operations: Sequence[Operation]) -> set[UUID]:
    ids = {each.values.get("project_id") for each in operations}
    return {each for each in ids if each}


def load(work: UnitOfWork, operations: Sequence[Operation]) -> None:
    """Read the tasks and what may be done with them, now that they are locked."""
    new = {each.id for each in operations if isinstance(each, Create)}
    wanted = {each.id for each in operations} - new
    wanted |= {each.values.get("parent_id") for each in operations} - new
    for each in operations:
        if isinstance(each, Move):
            wanted |= {each.before, each.after} - new
    work.trees.fetch({each for each in wanted if each})
    work.trees.remove_emptied(
        {each.id for each in operations if each.id and each.requires_deleted}
    )
    with_subtasks = [
        each.id
        for each in operations
        if each.id in work.tasks and isinstance(each, Delete | Copy)
    ]
    if with_subtasks:
        work.trees.expand(with_subtasks)
    owner_id, covered = work.context.owner_id, work.context.project_ids
    inbox, is_narrowed = inbox_id(owner_id), covered is not None
    projects = target_ids(operations)
    projects = projects | {inbox} if is_narrowed else projects - {inbox}
    reads_own = is_narrowed or work.spaces[owner_id].reads_projects
    projects |= {
        task.project_id
        for task in work.tasks.values()
        if task.user_id != owner_id or reads_own
    }
    if projects:
        work.accesses = access.get_accesses(owner_id, projects, covered)


def charge(work: UnitOfWork, operations: Sequence[Operation]) -> None:
    if not usage.is_limited():
        return
    # Deletions are the way to have less.
    is_deletion = {*map(type, operations)} == {Delete}
    for space in work.spaces.values():
        if space.is_changed:
            owned = {t.pk for t in work.tasks.values() if t.user_id == space.owner_id}
            usage.charge(
                space.owner_id,
                space.revision,
                tasks=sum(task.pk in owned for task in work.created),
                changes=[each for each in work.changes if each.task_id in owned],
                is_refusable=work.context.obeys_quotas and not is_deletion,
                tells_figures=space.owner_id == work.context.owner_id,
            )


def fits_one_statement(operations: Sequence[Operation]) -> bool:
    if len(operations) == 1:
        return True
    texts = [(o.values.get("title"), o.values.get("description")) for o in operations]
    return sum(text_length(*each) for each in texts) <= MAX_STATEMENT_CHARACTERS


def text_length(title: str | None, description: str | None) -> int:
    return len(title or "") + len(description or "")


def in_statements(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Group tasks by MAX_STATEMENT_CHARACTERS and MAX_STATEMENT_TASKS."""
    group: list[Task] = []
    room = MAX_STATEMENT_CHARACTERS
    for task in tasks:
        length = text_length(task.title, task.description)
        if group and (length > room or len(group) == MAX_STATEMENT_TASKS):
            yield group
            group, room = [], MAX_STATEMENT_CHARACTERS
        group.append(task)
        room -= length
    yield group


def write(work: UnitOfWork) -> None:
    *earlier, created = in_statements(work.created)
    for tasks in earlier:
        execute({"created": insert_sql(tasks)})
    parts = inserts(work, created)
    # In the order in which housekeeping locks them.
    changed = [work.changed[pk] for pk in sorted(work.changed)]
    if len(changed) == 1:
        parts["changed"] = update_sql(changed[0], WRITTEN_COLUMNS)
    written = len(execute(parts)) if parts else 0
    if len(changed) > 1:
        written = update_rows(changed, WRITTEN_COLUMNS)
    # The owner's row is locked, so what was read is what is stored; only
    # housekeeping may have removed old trash meanwhile.
    if changed and written != len(changed):
        raise TaskNotFound
    work.labels.write()
    events.write(task_events(work), work.context.now)
    count_created(work)


def write_with_revision(work: UnitOfWork) -> None:
    """Insert, and increment the owner's revision, in one statement.

    Needs no transaction. Only for parts that read nothing: they would see the data
    of before the wait for the owner's row.
    """
    users = get_user_model()
    owner = users._default_manager.increment_revision_sql(work.context.owner_id)
    told = task_events(work)
    parts = {
        OWNER: owner,
        **(events.parts(told, work.context.now) if told else {}),
        **inserts(work, work.created, revision=OWNER_REVISION),
    }
    try:
        [revision], *_ = execute(parts, returning=OWNER_REVISION)
    except IntegrityError as error:
        if null_column(error) == "revision":  # there is no such owner
            raise users.DoesNotExist from error
        raise
    for task in work.created:
        task.revision = revision
    count_created(work)


def inserts(
    work: UnitOfWork, created: Sequence[Task], **expressions: str
) -> dict[str, Any]:
    parts = {}
    if created:
        parts["created"] = insert_sql(created, **expressions)
    if work.changes:
        parts["changes"] = insert_sql(work.changes)
    return parts


def task_events(work: UnitOfWork) -> list[Event]:
    """Of the tasks as they are now, for webhooks that get events of their spaces."""
    if not work.told:
        return []
    tasks = work.tasks | {task.pk: task for task in work.created}
    return [
        Event(
            f"task.{kind}",
            pk,
            tasks[pk].user_id,
            tasks[pk].project_id,
            task_to_dict(get_values(tasks[pk])),
        )
        for pk, kind in work.told.items()
    ]


def count_created(work: UnitOfWork) -> None:
    if work.created:
        transaction.on_commit(partial(metrics.CREATED.inc, len(work.created)))


def null_column(error: IntegrityError) -> str | None:
    """The column that violated NOT NULL."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "column_name", None)
