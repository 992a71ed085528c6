"""Renames and deletes labels that too many tasks have for one request.

Each batch is a transaction of its own, so that others write in between. What was
interrupted goes on where it was as soon as it is started again.
"""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan
from django.utils import timezone

from tasks import access
from tasks.access import LabelNotFound
from tasks.models import Label, TaskLabel, label_key
from tasks.operations import relabel
from tasks.operations.context import ActorContext
from tasks.operations.relabel import BATCH_TASKS
from tasks.operations.space_labels import locked

Position = tuple[datetime, UUID]


def rename_label(owner_id: UUID, name: str, new_name: str) -> Iterator[int]:
    """Yield how many tasks each batch changed; LabelNotFound, Conflict.

    The label has its new name first; a task shows the old one until its turn.
    """
    label = find(owner_id, name) or find(owner_id, new_name)  # the latter: once more
    if label is None:
        raise LabelNotFound
    after: Position | None = None
    while True:
        with locked(label.pk, context(owner_id)) as found:
            if after is None:
                found.apply({"name": new_name})
            batch = next_tasks(label, after)
            pks = [pk for _, pk in batch]
            changes = relabel.rewrite(pks, found.space, found.context)
            relabel.charge(found.space, changes, is_refusable=False)
        yield len(changes)
        if len(batch) < BATCH_TASKS:
            return
        after = batch[-1]


def delete_label(owner_id: UUID, name: str) -> Iterator[int]:
    """Yield how many tasks each batch changed; LabelNotFound."""
    label = find(owner_id, name)
    if label is None:
        raise LabelNotFound
    is_last = False
    while not is_last:
        with locked(label.pk, context(owner_id)) as found:
            pks = [pk for _, pk in next_tasks(label, None)]
            changes = relabel.take_off(label, pks, found.space, found.context)
            is_last = len(pks) < BATCH_TASKS
            if is_last:
                found.delete()
            relabel.charge(found.space, changes, is_refusable=False)
        yield len(changes)


def find(owner_id: UUID, name: str) -> Label | None:
    return access.labels_of(owner_id).filter(key=label_key(name)).first()


def context(owner_id: UUID) -> ActorContext:
    return ActorContext(owner_id, None, "", timezone.now(), obeys_quotas=False)


def next_tasks(label: Label, after: Position | None) -> list[Position]:
    """The next tasks that have the label, in the order of an index."""
    labelled = TaskLabel.objects.filter(label=label)
    if after:
        key = Tuple("task_created_at", "task_id")
        labelled = labelled.filter(TupleGreaterThan(key, after))
    in_order = labelled.order_by("task_created_at", "task_id")
    return list(in_order.values_list("task_created_at", "task_id")[:BATCH_TASKS])
