"""Writes the names of labels anew on the tasks that have them."""

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from django.db.models import QuerySet

from taskapi.db.writes import execute, insert_sql, update_rows
from tasks import usage
from tasks.models import Label, Task, TaskChange, TaskLabel
from tasks.operations.context import ActorContext
from tasks.operations.spaces import Space

BATCH_TASKS = 1_000
WRITTEN_COLUMNS = ("labels", "version", "revision", "updated_at")


def rewrite(
    pks: Collection[UUID], space: Space, context: ActorContext
) -> list[TaskChange]:
    """Write what the labels of these tasks are called now; returns the changes.

    Call in a transaction, with the owner's row locked.
    """
    found: list[TaskChange] = []
    # In one order: housekeeping, which removes old trash, locks tasks in it, too.
    for some in in_batches(sorted(pks)):
        found += rewrite_batch(some, space, context)
    space.is_changed |= bool(found)
    return found


def rewrite_batch(
    pks: Sequence[UUID], space: Space, context: ActorContext
) -> list[TaskChange]:
    names, changed, changes = names_of(pks), [], []
    for task in lock_tasks(pks):
        change = task.apply({"labels": names.get(task.pk, "")}, now=context.now)
        if change:
            task.revision = space.revision
            change.changed_by = context.actor_id
            change.request_id = context.request_id
            changed.append(task)
            changes.append(change)
    if changed:
        update_rows(changed, WRITTEN_COLUMNS)
        execute({"changes": insert_sql(changes)})
    return changes


def lock_tasks(pks: Sequence[UUID]) -> QuerySet[Task]:
    tasks = Task.objects.filter(pk__in=pks).exclude_emptied().only(*WRITTEN_COLUMNS)
    return tasks.select_for_update().order_by("pk")


def names_of(pks: Sequence[UUID]) -> dict[UUID, str]:
    """The column `labels` of each of these tasks that has any."""
    labelled = TaskLabel.objects.filter(task__in=pks)
    names: dict[UUID, dict[str, str]] = {}
    for pk, key, name in labelled.values_list("task_id", "label__key", "label__name"):
        names.setdefault(pk, {})[key] = name
    return {
        pk: ",".join(by_key[key] for key in sorted(by_key))
        for pk, by_key in names.items()
    }


def take_off(
    label: Label, pks: Collection[UUID], space: Space, context: ActorContext
) -> list[TaskChange]:
    """`rewrite` without this label."""
    for some in in_batches(list(pks)):
        TaskLabel.objects.filter(label=label, task__in=some).delete()
    return rewrite(pks, space, context)


def in_batches(pks: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(pks), BATCH_TASKS):
        yield pks[start : start + BATCH_TASKS]


def charge(space: Space, changes: list[TaskChange], *, is_refusable: bool) -> None:
    """Count what was added to the history; QuotaExceeded."""
    if changes and usage.is_limited():
        usage.charge(
            space.owner_id,
            space.revision,
            tasks=0,
            changes=changes,
            is_refusable=is_refusable,
        )
    elif space.is_changed:
        usage.follow(space.owner_id, space.revision)
