"""Writes what those who follow changes cannot see from the rows that are there."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.contrib.auth import get_user_model
from django.utils import timezone

from taskapi.api.errors import Conflict
from tasks.models import Comment, Kind, Task, Tombstone
from tasks.operations.spaces import Space, lock_spaces

# Of several tasks at once; a single one may have any number.
MAX_COMMENTS = 20_000
# Whose rows housekeeping locks at once.
MAX_OWNERS = 50


def bury(
    space: Space,
    kind: Kind,
    objects: Iterable[tuple[UUID | None, UUID]],
    now: datetime | None = None,
) -> None:
    """Tell of things in a space that are destroyed: each by its project and its id."""
    space.is_changed = True
    Tombstone.objects.bulk_create(
        Tombstone(
            owner_id=space.owner_id,
            project_id=project_id,
            kind=kind,
            object_id=pk,
            revision=space.revision,
            created_at=now or timezone.now(),
        )
        for project_id, pk in objects
    )


@dataclass
class Traces:
    """Of the tasks in a unit of work: which left a project, and which came into one, or
    out of the trash.
    """

    left: set[tuple[UUID, UUID]] = field(default_factory=set)
    arrived: dict[UUID, Task] = field(default_factory=dict)

    def follow(self, task: Task, project_id: UUID, deleted_at: datetime | None) -> None:
        """Of a stored task that was in this project, and deleted then or not."""
        is_moved = task.project_id != project_id
        if is_moved:
            self.left.add((project_id, task.pk))
        if is_moved or (deleted_at and not task.deleted_at):
            self.arrived[task.pk] = task

    def write(self, tasks: dict[UUID, Task], now: datetime) -> None:
        """After the tasks; Conflict."""
        if self.arrived:
            bring_comments(self.arrived)
        if self.left:
            Tombstone.objects.bulk_create(
                Tombstone(
                    project_id=project_id,
                    kind=Kind.TASK,
                    object_id=pk,
                    revision=tasks[pk].revision,
                    created_at=now,
                )
                for project_id, pk in self.left
            )


def bring_comments(tasks: dict[UUID, Task]) -> None:
    """Have the comments of these tasks seen anew, where the tasks are now; Conflict if
    they are too many.
    """
    comments = Comment.objects.filter(task__in=tasks)
    if len(tasks) > 1 and comments[: MAX_COMMENTS + 1].count() > MAX_COMMENTS:
        raise Conflict(
            f"These tasks have more than {MAX_COMMENTS:,} comments together; do it "
            "with some of the subtasks first."
        )
    places: dict[tuple[UUID, int], list[UUID]] = {}
    for task in tasks.values():
        places.setdefault((task.project_id, task.revision), []).append(task.pk)
    for (project_id, revision), pks in places.items():
        found = Comment.objects.filter(task__in=pks)
        found.update(project_id=project_id, revision=revision)


def lock_some(owner_ids: Collection[UUID]) -> dict[UUID, Space]:
    """The spaces of some of these owners, locked; nobody follows those of the erased.

    Call in a transaction.
    """
    users = get_user_model()._default_manager.filter(pk__in=owner_ids)
    pks = users.order_by("pk").values_list("pk", flat=True)[:MAX_OWNERS]
    spaces: dict[UUID, Space] = {}
    for pk in pks:
        try:
            spaces |= lock_spaces({pk})
        except get_user_model().DoesNotExist:  # in this moment
            continue
    return spaces
