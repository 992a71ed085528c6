"""The labels of tasks in one unit of work."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction

from tasks import usage
from tasks.fields import split_labels
from tasks.models import Label, Task, TaskLabel, label_key
from tasks.operations.context import ActorContext
from tasks.operations.spaces import Space, finish, lock_spaces

# A label by its key, in each space.
Found = dict[UUID, dict[str, Label]]


@dataclass
class TaskLabels:
    obeys_quotas: bool = True
    known: Found = field(default_factory=dict)
    new: list[Label] = field(default_factory=list)
    # Whose rows have to be written, by the task's id.
    tasks: dict[UUID, tuple[Task, list[Label]]] = field(default_factory=dict)

    def set(self, task: Task, names: Iterable[str], space: Space, now: datetime) -> str:
        """The column's value for a task that shall have these labels and no others.

        A name that the space does not know becomes a label; another spelling of one is
        that label.
        """
        wanted = {label_key(name): name for name in names}
        if wanted.keys() == {*map(label_key, split_labels(task.labels))}:
            return task.labels
        known = self.find(space.owner_id, wanted)
        for key in wanted.keys() - known.keys():
            known[key] = self.create(space, wanted[key], now)
        labels = [known[key] for key in sorted(wanted)]
        value = ",".join(label.name for label in labels)
        if value != task.labels:
            self.tasks[task.pk] = task, labels
        return value

    def find(self, owner_id: UUID, keys: Mapping[str, str]) -> dict[str, Label]:
        known = self.known.setdefault(owner_id, {})
        if missing := keys.keys() - known.keys():
            for label in Label.objects.filter(owner_id=owner_id, key__in=missing):
                known[label.key] = label
        return known

    def create(self, space: Space, name: str, now: datetime) -> Label:
        if self.obeys_quotas:
            made = sum(label.owner_id == space.owner_id for label in self.new)
            usage.require_room_for_label(space.owner_id, made)
        label = Label(
            owner_id=space.owner_id,
            name=name,
            key=label_key(name),
            revision=space.revision,
            created_at=now,
            updated_at=now,
        )
        self.new.append(label)
        space.is_changed = True
        return label

    def write(self) -> None:
        """After the tasks."""
        if self.new:
            Label.objects.bulk_create(self.new)
        if not self.tasks:
            return
        TaskLabel.objects.filter(task__in=self.tasks).delete()
        TaskLabel.objects.bulk_create(
            TaskLabel(task=task, label=label, task_created_at=task.created_at)
            for task, labels in self.tasks.values()
            for label in labels
        )


def make_labels(
    labels: Iterable[tuple[str, str | None]], context: ActorContext
) -> None:
    """Make labels of these names and colours, but for those that the space has."""
    with transaction.atomic():
        [space] = lock_spaces({context.owner_id}).values()
        known = TaskLabels(context.obeys_quotas)
        colors = dict(labels)
        names = {label_key(name): name for name in colors}
        missing = names.keys() - known.find(space.owner_id, names).keys()
        for key in sorted(missing):
            name = names[key]
            known.create(space, name, context.now).color = colors[name]
        known.write()
        finish([space])
