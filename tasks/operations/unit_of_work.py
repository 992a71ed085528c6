"""Plans a list of operations on tasks in memory, in order, under the owners' rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

from rest_framework.exceptions import APIException, ValidationError

from taskapi.db.instances import new
from tasks import access
from tasks.access import ProjectAccess, TaskNotFound
from tasks.models import Role, Task, TaskChange, inbox_id
from tasks.operations import placement, schedule, series
from tasks.operations.changes import (
    Copy,
    Create,
    Delete,
    Import,
    Operation,
    Restore,
    Skip,
    require_match,
)
from tasks.operations.context import ActorContext
from tasks.operations.labels import TaskLabels
from tasks.operations.spaces import Space
from tasks.operations.trees import Trees
from tasks.positions import last_position


class OperationFailed(APIException):
    """Operation number `index` failed, so none was done; `cause` is its exception."""

    def __init__(self, index: int, cause: APIException) -> None:
        super().__init__(f"operations[{index}]: {cause.detail}")
        self.index, self.cause, self.status_code = index, cause, cause.status_code
        self.error_fields = {"index": index, **getattr(cause, "error_fields", {})}


@dataclass
class UnitOfWork:
    context: ActorContext
    # Those that are locked; empty where one statement locks and writes.
    spaces: dict[UUID, Space] = field(default_factory=dict)
    trees: Trees = field(default_factory=Trees)
    labels: TaskLabels = field(default_factory=TaskLabels)
    # By project; of those that may not simply be the owner's.
    accesses: dict[UUID, ProjectAccess] = field(default_factory=dict)
    results: list[Task] = field(default_factory=list)
    created: list[Task] = field(default_factory=list)
    changed: dict[UUID, Task] = field(default_factory=dict)
    changes: list[TaskChange] = field(default_factory=list)
    # By project and account; nobody joins or leaves while the spaces are locked.
    members: dict[tuple[UUID, UUID], bool] = field(default_factory=dict)
    # What webhooks are told of: the tasks, and the most telling of what was done.
    told: dict[UUID, str] = field(default_factory=dict)
    # How many tasks were put last among their siblings.
    put_last: int = 0

    @property
    def tasks(self) -> dict[UUID, Task]:
        return self.trees.tasks

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
        if isinstance(operation, Copy):
            return self.copy(operation, self.find(operation, Role.VIEWER))
        return self.change(operation, self.find(operation))

    def change(self, operation: Operation, task: Task) -> Task:
        if isinstance(operation, Delete):
            return self.delete(task)
        if isinstance(operation, Restore):
            return self.restore(task)
        if isinstance(operation, Skip):
            return series.skip(self, task)
        return self.update(operation, task)

    def find(self, operation: Operation, needed: Role = Role.EDITOR) -> Task:
        task = self.tasks.get(operation.id) if operation.id else None
        if task is None or (task.deleted_at is not None) != operation.requires_deleted:
            raise TaskNotFound
        project = self.access_to(task)
        project.require_visible_task(task)
        if needed > Role.VIEWER:
            project.require_editable_task(task)
        require_match(task, operation.expects)
        return task

    def access_to(self, task: Task) -> ProjectAccess:
        """For a write."""
        if task.user_id not in self.spaces:  # shared since the request began, or never
            return ProjectAccess(task.project_id, task.user_id, role=0)
        return self.view_of(task)

    def view_of(self, task: Task) -> ProjectAccess:
        """For a task that is only looked at, in whatever space."""
        owner_id, covered = self.context.owner_id, self.context.project_ids
        is_in_inbox = task.project_id == inbox_id(owner_id)
        if covered is None and (
            is_in_inbox
            or (task.user_id == owner_id and not self.spaces[owner_id].reads_projects)
        ):
            return access.own(owner_id, task.project_id)
        return access.access_in(self.accesses, task, owner_id, covered)

    def access_to_target(self, project_id: UUID) -> ProjectAccess:
        """A project that a task is put into; ValidationError if there is none."""
        covered = self.context.project_ids
        if covered is None and project_id == inbox_id(self.context.owner_id):
            return access.own(self.context.owner_id, project_id)
        found = self.accesses.get(project_id)
        if found is None or (found.is_deleted and found.role):
            raise ValidationError({"projectId": ["There is no such project."]})
        role = found.role if found.owner_id in self.spaces else 0
        found = replace(found, role=role, is_deleted=False)
        found.require(Role.EDITOR)
        found.require_open()
        return found

    def default_project(self) -> UUID:
        """ValidationError for a personal token that covers some projects: which of
        them is meant, the task has to say.
        """
        if self.context.project_ids is not None:
            hint = "The personal token covers some projects: send the id of one."
            raise ValidationError({"projectId": [hint]}, "required")
        return inbox_id(self.context.owner_id)

    def create(self, operation: Operation, **origin: Any) -> Task:
        now, values = self.context.now, dict(operation.values)
        project_id = values.pop("project_id", None) or self.default_project()
        project = self.access_to_target(project_id)
        base: dict[str, Any] = {
            "id": operation.id or uuid4(),
            "created_at": now,
            "updated_at": now,
        }
        base |= {
            "user_id": project.owner_id,
            "created_by_id": self.context.actor_id or self.context.owner_id,
            "project_id": project_id,
            "position": self.next_last_position(base["id"]),
        }
        task = new(Task, **base | origin)
        self.trees.expanded.add(task.pk)  # nothing is below a new task
        if values.get("parent_id"):
            placement.require_parent(self, task, project_id, values["parent_id"])
        schedule.complete(task, values, now)
        # What was exported has its next occurrence, or had its last one.
        found = None if task.series_id else series.find_next(task, values, now)
        if found:
            values["next_task_id"] = series.next_id(task.pk)
        self.add_new(task, values)
        if found:
            series.make_next(self, task, found)
        return task

    def add_new(self, task: Task, values: dict[str, Any]) -> Task:
        """Add a task that may be where these values say."""
        self.trees.expanded.add(task.pk)  # nothing is below a new task
        self.complete(task, values)
        task.apply_values(values, now=self.context.now)
        require_dates(task.start_at, task.due_at)
        self.created.append(task)
        self.trees.add_new(task)
        self.record_change(task, task.creation())
        return task

    def next_last_position(self, pk: UUID) -> str:
        """After all siblings there are, and those that were put last here before."""
        position = last_position(pk, self.context.now, self.put_last)
        self.put_last += 1
        return position

    def complete(self, task: Task, values: dict[str, Any]) -> None:
        """Check the assignee, and make labels of names."""
        project_id = values.get("project_id", task.project_id)
        if assignee_id := values.get("assignee_id"):
            placement.require_member(self, task.user_id, project_id, assignee_id)
        if "labels" in values:
            names = values["labels"]
            values["labels"] = self.labels.set(
                task, names, self.space_of(task), self.context.now
            )

    def is_member(self, owner_id: UUID, project_id: UUID, user_id: UUID) -> bool:
        if user_id == owner_id:
            return True
        key = project_id, user_id
        if key not in self.members:
            found = access.members_among(project_id, [user_id])
            self.members[key] = bool(found)
        return self.members[key]

    def space_of(self, task: Task) -> Space:
        return self.spaces.get(task.user_id) or Space(task.user_id, 0, False)

    def import_task(self, operation: Import) -> Task:
        task = self.tasks.get(cast(UUID, operation.id))
        if operation.outcome(task, self.context.owner_id) == "created":
            return self.create(operation, **operation.origin)
        return self.update(operation, cast(Task, task))

    def update(self, operation: Operation, task: Task) -> Task:
        values = dict(operation.values)
        placement.place(self, operation, task, values)
        self.complete(task, values)
        schedule.complete(task, values, self.context.now)
        found = series.find_next(task, values, self.context.now)
        if found:
            values["next_task_id"] = series.next_id(task.pk)
        self.apply(task, values)
        require_dates(task.start_at, task.due_at)
        if found:
            series.make_next(self, task, found)
        return task

    def delete(self, task: Task) -> Task:
        for each in self.trees.descendants(task):
            self.apply(
                each, {"deleted_at": self.context.now, "deleted_with_id": task.pk}
            )
        return self.apply(task, {"deleted_at": self.context.now})

    def restore(self, task: Task) -> Task:
        below = self.trees.deleted_with(task)
        for each in [task, *below]:
            values = {"deleted_at": None, "deleted_with_id": None}
            added = 1 + len(below) if each is task else 0
            self.apply(each, values | placement.restored(self, each, added))
        return task

    def copy(self, operation: Copy, task: Task) -> Task:
        project_id = operation.values["project_id"]
        copies: dict[UUID, Task] = {}
        for each in [task, *self.trees.descendants(task)]:
            values = placement.copied(self, each, self.access_to_target(project_id))
            parent = copies.get(cast(UUID, each.parent_id))
            values["parent_id"] = parent.pk if parent else None
            copies[each.pk] = self.create(Create(values))
        return copies[task.pk]

    def apply(self, task: Task, values: dict[str, Any]) -> Task:
        """Set model fields, and record what differs."""
        change = task.apply(values, now=self.context.now)
        if change:
            if not task._state.adding:  # else its insert has the final values
                self.changed[task.pk] = task
                self.labels.follow(task, values)
            self.record_change(task, change)
        return task

    def record_change(self, task: Task, change: TaskChange) -> None:
        if space := self.spaces.get(task.user_id):
            task.revision, space.is_changed = space.revision, True
        if space.has_webhooks if space else self.context.has_webhooks:
            told = [self.told.get(task.pk, "updated"), kind_of_change(task, change)]
            self.told[task.pk] = min(told, key=KINDS.index)
        change.changed_by = self.context.actor_id
        change.request_id = self.context.request_id
        if change.fields:  # nothing of it is in the history if only the order changed
            self.changes.append(change)


# Of several changes of a task in one write, the first of these is told.
KINDS = ("deleted", "created", "restored", "completed", "updated")


def kind_of_change(task: Task, change: TaskChange) -> str:
    if task._state.adding:
        return "created"
    fields = {each["field"]: each["to"] for each in change.fields}
    if "deletedAt" in fields:
        return "deleted" if fields["deletedAt"] else "restored"
    return "completed" if fields.get("status") == "DONE" else "updated"


def require_dates(start: datetime | None, due: datetime | None) -> None:
    if start and due and start > due:
        raise ValidationError({"startDate": ["It is after dueDate."]})
