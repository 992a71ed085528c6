"""The labels of tasks in one unit of work."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery

from tasks import usage
from tasks.fields import split_labels
from tasks.models import Label, Task, TaskLabel, label_key
from tasks.operations.context import ActorContext
from tasks.operations.spaces import Space, finish, lock_spaces

# Of a task, what its labels know of where it is.
PLACE = {"project_id", "deleted_at"}
# A label by its key, in each space.
Found = dict[UUID, dict[str, Label]]


@dataclass
class TaskLabels:
    obeys_quotas: bool = True
    known: Found = field(default_factory=dict)
    new: list[Label] = field(default_factory=list)
    # How many labels a space has, with the new ones.
    counts: dict[UUID, int] = field(default_factory=dict)
    # Whose rows have to be written, by the task's id.
    tasks: dict[UUID, tuple[Task, list[Label]]] = field(default_factory=dict)
    moved: set[UUID] = field(default_factory=set)

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
            count = self.counts.get(space.owner_id)
            if count is None:
                count = Label.objects.filter(owner_id=space.owner_id).count()
            usage.require_room_for_label(count)
            self.counts[space.owner_id] = count + 1
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

    def follow(self, task: Task, changed: Collection[str]) -> None:
        """Of a task that moved to another project, to the trash or out of it."""
        if task.labels and PLACE & {*changed}:
            self.moved.add(task.pk)

    def write(self) -> None:
        """After the tasks."""
        if self.new:
            Label.objects.bulk_create(self.new)
        if self.moved:
            move(self.moved)
        if self.tasks:
            self.write_tasks()

    def write_tasks(self) -> None:
        TaskLabel.objects.filter(task__in=self.tasks).delete()
        TaskLabel.objects.bulk_create(
            TaskLabel(
                task=task,
                label=label,
                task_created_at=task.created_at,
                project_id=None if task.deleted_at else task.project_id,
            )
            for task, labels in self.tasks.values()
            for label in labels
        )


def move(task_ids: Collection[UUID]) -> None:
    """Have the labels of these tasks know where they are."""
    live = Task.objects.live().filter(pk=OuterRef("task_id"))
    labelled = TaskLabel.objects.filter(task__in=task_ids)
    labelled.update(project_id=Subquery(live.values("project_id")))


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
