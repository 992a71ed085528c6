"""Tasks and their subtasks as a unit of work has them: read once, then kept."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, UUIDField

from taskapi.api.errors import Conflict
from taskapi.db.compiled import CompiledQuery, Placeholder
from tasks.models import LIVE, Task

# That one request may read and write. One operation needs two trees of 501 at most.
MAX_TASKS = 2_000


class TooManyTasks(Conflict):
    default_detail = (
        f"These operations concern more than {MAX_TASKS:,} tasks, with subtasks. Send "
        "fewer of them at once."
    )


@dataclass
class Trees:
    """Raises TooManyTasks, unless commands and administrators write."""

    is_bounded: bool = False
    tasks: dict[UUID, Task] = field(default_factory=dict)
    # Whose live children all are among `tasks`.
    expanded: set[UUID] = field(default_factory=set)

    def fetch(self, ids: Collection[UUID]) -> None:
        """Read the tasks of these ids, live or deleted."""
        missing = set(ids) - self.tasks.keys()
        if missing:
            self.tasks |= fetch_tasks(missing)

    def remove_emptied(self, ids: Collection[UUID]) -> None:
        """Of these tasks, forget those that were emptied out of the trash."""
        if ids:
            emptied = Task.objects.emptied().filter(pk__in=ids)
            for pk in emptied.values_list("pk", flat=True):
                self.tasks.pop(pk, None)

    def keep(self, found: QuerySet[Task]) -> None:
        """Add those that are not there yet."""
        for task in found.order_by()[: MAX_TASKS + 1] if self.is_bounded else found:
            self.tasks.setdefault(task.pk, task)
        self.require_bound()

    def require_bound(self) -> None:
        if self.is_bounded and len(self.tasks) > MAX_TASKS:
            raise TooManyTasks

    def add_new(self, task: Task) -> None:
        self.tasks[task.pk] = task
        self.expanded.add(task.pk)
        self.require_bound()

    def get(self, pk: UUID) -> Task | None:
        self.fetch([pk])
        return self.tasks.get(pk)

    def ancestors(self, task: Task) -> list[Task]:
        """The parent first, and the root last."""
        found: list[Task] = []
        while task.parent_id and (parent := self.get(task.parent_id)):
            found.append(parent)
            task = parent
        return found

    def expand(self, parent_ids: Iterable[UUID]) -> None:
        """Read the live children of these tasks."""
        unknown = set(parent_ids) - self.expanded
        if unknown:
            self.keep(Task.objects.filter(LIVE, parent__in=unknown))
            self.expanded |= unknown

    def children(self, parent_ids: Collection[UUID]) -> list[Task]:
        self.expand(parent_ids)
        return [
            task
            for task in self.tasks.values()
            if task.parent_id in parent_ids and not task.deleted_at
        ]

    def levels(self, task: Task) -> list[list[Task]]:
        """The live subtasks: those of the task, then those of these, and so on."""
        found = []
        level = self.children({task.pk})
        while level:
            found.append(level)
            level = self.children({each.pk for each in level})
        return found

    def descendants(self, task: Task) -> list[Task]:
        """All live subtasks, parents first."""
        return [each for level in self.levels(task) for each in level]

    def deleted_with(self, task: Task) -> list[Task]:
        """The subtasks that went to the trash with this task, parents first."""
        root_id = task.deleted_with_id or task.pk
        self.keep(Task.objects.filter(deleted_with_id=root_id))
        together = [
            each for each in self.tasks.values() if each.deleted_with_id == root_id
        ]
        found: list[Task] = []
        level = {task.pk}
        while level:
            children = [each for each in together if each.parent_id in level]
            found += children
            level = {each.pk for each in children}
        return found


def fetch_tasks(ids: Collection[UUID]) -> dict[UUID, Task]:
    """The tasks of these ids, live or deleted."""
    if len(ids) != 1:
        return Task.objects.in_bulk(ids)
    columns, query = task_query()
    rows = query.rows({"task": next(iter(ids))})
    return {row[0]: Task.from_db("default", columns, row) for row in rows}


@cache
def task_query() -> tuple[list[str], Any]:
    columns = [field.attname for field in Task._meta.concrete_fields]
    tasks = Task.objects.filter(pk=Placeholder("task", UUIDField()))
    return columns, CompiledQuery.compile(tasks.values_list(*columns))
