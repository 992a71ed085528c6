"""How labels are written: made, renamed, coloured and deleted.

A renamed or deleted label is so on every task that has it, live or in the trash.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Coalesce, Length

from taskapi.api.errors import Conflict
from taskapi.api.preconditions import NO_PRECONDITION, Precondition
from tasks import access, usage
from tasks.labels import label_to_dict
from tasks.models import Kind, Label, Task, TaskLabel, etag, label_key
from tasks.operations import relabel
from tasks.operations.context import ActorContext
from tasks.operations.spaces import Space, lock_spaces, release_unchanged
from tasks.operations.tombstones import bury

# One request stays short, and so does the time for which the owner's other writes wait:
# an updated row is written to every index, to that of its text at 7 µs a character. A
# command does more, in batches.
MAX_TASKS = 5_000
MAX_CHARACTERS = 500_000


@dataclass
class LockedLabel:
    """A label whose owner's row is locked."""

    label: Label
    space: Space
    context: ActorContext

    def apply(self, values: Mapping[str, Any]) -> bool:
        """Set model fields; whether the name differs now. Conflict if it is taken."""
        before = self.label.apply(values, self.context.now)
        if "name" in before:
            require_free(self.space, self.label.name, self.label.pk)
        if before:
            self.label.revision, self.space.is_changed = self.space.revision, True
            self.label.save()
        return "name" in before

    def delete(self) -> None:
        """Call when no task has it."""
        pk = self.label.pk
        self.label.delete()
        bury(self.space, Kind.LABEL, [(None, pk)], self.context.now)


def create_label(values: Mapping[str, Any], context: ActorContext) -> Label:
    """Conflict if the name is taken, QuotaExceeded, SpaceNotCovered."""
    access.require_space(context.project_ids)
    with transaction.atomic():
        [space] = lock_spaces({context.owner_id}).values()
        require_free(space, values["name"])
        usage.require_room_for_label(access.labels_of(space.owner_id).count())
        label = Label(
            owner_id=space.owner_id,
            key=label_key(values["name"]),
            revision=space.revision,
            created_at=context.now,
            updated_at=context.now,
            **values,
        )
        label.save(force_insert=True)
        usage.follow(space.owner_id, space.revision)
    return label


def require_free(space: Space, name: str, pk: UUID | None = None) -> None:
    """Conflict if another label has this name, in any spelling."""
    labels = access.labels_of(space.owner_id).filter(key=label_key(name))
    if (taken := labels.first()) and taken.pk != pk:
        raise Conflict(f'There is a label "{taken.name}" already.')


@contextmanager
def locked(
    label_id: UUID, context: ActorContext, expects: Precondition = NO_PRECONDITION
) -> Iterator[LockedLabel]:
    """The label, in a transaction that holds its owner's row; LabelNotFound,
    LabelForbidden, SpaceNotCovered, PreconditionFailed.
    """
    access.require_space(context.project_ids)
    with transaction.atomic():
        [space] = lock_spaces({context.owner_id}).values()
        label = access.get_label(context.owner_id, label_id)
        current = label_to_dict(label)
        expects.require(etag(label.version), current, label.version)
        yield LockedLabel(label, space, context)
        release_unchanged([space])


def update_label(
    label_id: UUID,
    values: Mapping[str, Any],
    context: ActorContext,
    expects: Precondition = NO_PRECONDITION,
) -> Label:
    """Conflict if the new name is taken or on too many tasks; also QuotaExceeded."""
    with locked(label_id, context, expects) as found:
        is_renamed = found.apply(values)
        tasks = tasks_of(found.label, "rename_label") if is_renamed else []
        changes = relabel.rewrite(tasks, found.space, context)
        relabel.charge(found.space, changes, is_refusable=context.obeys_quotas)
    return found.label


def delete_label(
    label_id: UUID, context: ActorContext, expects: Precondition = NO_PRECONDITION
) -> None:
    """Take the label off every task; Conflict if there are too many."""
    with locked(label_id, context, expects) as found:
        tasks = tasks_of(found.label, "delete_label")
        changes = relabel.take_off(found.label, tasks, found.space, context)
        found.delete()
        relabel.charge(found.space, changes, is_refusable=False)


def tasks_of(label: Label, command: str) -> list[UUID]:
    """The ids of all tasks with this label; Conflict if they are too many."""
    labelled = TaskLabel.objects.filter(label=label)
    found = list(labelled.values_list("task_id", flat=True)[: MAX_TASKS + 1])
    if len(found) > MAX_TASKS or count_characters(found) > MAX_CHARACTERS:
        raise Conflict(
            f"{labelled.count():,} tasks have this label; one request changes at most "
            f"{MAX_TASKS:,}, with {MAX_CHARACTERS:,} characters of text. The operator "
            f"can do it with `manage.py {command}`."
        )
    return found


def count_characters(pks: list[UUID]) -> int:
    texts = Task.objects.filter(pk__in=pks)
    length = Length("title") + Coalesce(Length("description"), 0)
    return texts.aggregate(total=Sum(length))["total"] or 0
