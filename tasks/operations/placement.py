"""Where a task may be: project, parent, assignee, and its place among its siblings."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from rest_framework.exceptions import ValidationError

from taskapi.api.errors import Conflict
from tasks.access import ProjectAccess, TaskNotFound
from tasks.fields import split_labels
from tasks.models import Task, inbox_id
from tasks.operations.changes import Move, Operation
from tasks.positions import position_between

if TYPE_CHECKING:  # a unit of work places its tasks
    from tasks.operations.unit_of_work import UnitOfWork

MAX_DEPTH = 4  # with the root
MAX_TREE = 500  # tasks under a root
MAX_POSITION: Any = Task._meta.get_field("position").max_length
COPIED = ("title", "description", "status", "priority", "start_at", "due_at")


def place(
    work: UnitOfWork, operation: Operation, task: Task, values: dict[str, Any]
) -> None:
    """Complete the values of a change that moves the task; move its subtasks along."""
    project_id: UUID = values.get("project_id", task.project_id)
    changes_project = project_id != task.project_id
    if changes_project:
        require_same_space(work, task, project_id)
        values.setdefault("parent_id", None)
    parent_id: UUID | None = values.get("parent_id", task.parent_id)
    is_moved = changes_project or parent_id != task.parent_id
    if parent_id and is_moved:
        require_parent(work, task, project_id, parent_id)
    siblings = {"project_id": project_id, "parent_id": parent_id}
    if isinstance(operation, Move) and (operation.before or operation.after):
        values["position"] = position_beside(work, operation, task, siblings)
    elif is_moved:
        values["position"] = work.next_last_position(task.pk)
    if changes_project:
        values |= entering(work, task, project_id, values.get("assignee_id"))
        bring_subtasks(work, task, project_id)


def require_same_space(work: UnitOfWork, task: Task, project_id: UUID) -> None:
    if work.access_to_target(project_id).owner_id != task.user_id:
        raise Conflict("That project is in another space; copy the task there.")


def bring_subtasks(work: UnitOfWork, task: Task, project_id: UUID) -> None:
    for each in work.trees.descendants(task):
        work.apply(each, {"project_id": project_id} | entering(work, each, project_id))


def entering(
    work: UnitOfWork, task: Task, project_id: UUID, assignee_id: Any = None
) -> dict[str, Any]:
    """What changes of a task that comes into a project: its members see no history from
    before, and nobody without access is assigned.
    """
    values: dict[str, Any] = {"project_version": task.version + 1}
    present = None if assignee_id else task.assignee_id
    if present and not work.is_member(task.user_id, project_id, present):
        values["assignee_id"] = None
    return values


def require_member(
    work: UnitOfWork, owner_id: UUID, project_id: UUID, user_id: UUID
) -> None:
    if not work.is_member(owner_id, project_id, user_id):
        hint = "Neither the owner nor a member of the project."
        raise ValidationError({"assigneeId": [hint]})


def require_parent(
    work: UnitOfWork, task: Task, project_id: UUID, parent_id: UUID
) -> None:
    """ValidationError unless the task may be a subtask of that one."""
    parent = find_parent(work, project_id, parent_id)
    line = [parent, *work.trees.ancestors(parent)]
    if any(each.pk == task.pk for each in line):
        hint = "A task cannot be below itself."
        raise ValidationError({"parentId": [hint]})
    levels = work.trees.levels(task)
    if len(line) + 1 + len(levels) > MAX_DEPTH:
        hint = f"Tasks are at most {MAX_DEPTH} levels deep."
        raise ValidationError({"parentId": [hint]})
    require_room(work, task, line[-1], 1 + sum(map(len, levels)))


def find_parent(work: UnitOfWork, project_id: UUID, parent_id: UUID) -> Task:
    parent = find_named(work, "parentId", parent_id)
    if parent.deleted_at:
        raise ValidationError({"parentId": ["This task is in the trash."]})
    if parent.project_id != project_id:
        raise ValidationError({"parentId": ["This task is in another project."]})
    return parent


def find_named(work: UnitOfWork, name: str, pk: UUID) -> Task:
    """The task that a field names; ValidationError, TaskForbidden."""
    task = work.trees.get(pk)
    with suppress(TaskNotFound):  # it went to the trash with its project
        if task:
            work.view_of(task).require_visible_task(task)
            return task
    raise ValidationError({name: ["There is no such task."]})


def require_room(work: UnitOfWork, task: Task, root: Task, added: int) -> None:
    below = work.trees.descendants(root)
    is_there = any(each.pk == task.pk for each in below)
    if not is_there and len(below) + added > MAX_TREE:
        hint = f"A task has at most {MAX_TREE} tasks below it."
        raise ValidationError({"parentId": [hint]})


def position_beside(
    work: UnitOfWork, operation: Move, task: Task, siblings: dict[str, Any]
) -> str:
    """The position next to a sibling; the present one if the task is there already."""
    name = "before" if operation.before else "after"
    anchor = find_named(work, name, getattr(operation, name))
    place_of = {key: getattr(anchor, key) for key in siblings}
    if anchor.deleted_at or anchor.pk == task.pk or place_of != siblings:
        hint = "Not another task with the same project and parent."
        raise ValidationError({name: [hint]})
    neighbour = next_position(work, task, anchor, siblings, is_before=name == "before")
    low, high = anchor.position, neighbour
    if name == "before":
        low, high = neighbour or "", anchor.position
    return between(work, task, siblings, low or "", high)


def between(
    work: UnitOfWork, task: Task, siblings: dict[str, Any], low: str, high: str | None
) -> str:
    position: str
    is_sibling = all(getattr(task, key) == siblings[key] for key in siblings)
    if is_sibling and low < task.position and (not high or task.position < high):
        return str(task.position)
    if high is None:
        last = work.next_last_position(task.pk)
        position = last if last > low else position_between(low, "z" * (len(low) + 1))
    else:
        position = position_between(low, high)
    if len(position) > MAX_POSITION:
        raise Conflict("The order of these tasks is being renewed; try again later.")
    return position


def next_position(
    work: UnitOfWork,
    task: Task,
    anchor: Task,
    siblings: dict[str, Any],
    *,
    is_before: bool,
) -> str | None:
    """The nearest position on that side of the anchor, without the task itself."""
    candidates = [each.position for each in loaded_siblings(work, task, siblings)]
    stored = Task.objects.live().filter(**siblings).exclude(pk__in=work.tasks)
    side = "lt" if is_before else "gt"
    beyond = stored.filter(**{f"position__{side}": anchor.position})
    order = "-position" if is_before else "position"
    nearest = beyond.order_by(order).values_list("position", flat=True).first()
    if nearest is not None:
        candidates.append(nearest)
    if is_before:
        return max((p for p in candidates if p < anchor.position), default=None)
    return min((p for p in candidates if p > anchor.position), default=None)


def loaded_siblings(
    work: UnitOfWork, task: Task, siblings: dict[str, Any]
) -> list[Task]:
    """The live ones in memory, without the task itself."""
    return [
        each
        for each in work.tasks.values()
        if each.pk != task.pk
        and not each.deleted_at
        and all(getattr(each, key) == siblings[key] for key in siblings)
    ]


def restored(work: UnitOfWork, task: Task, added: int) -> dict[str, Any]:
    """What changes of a task that comes back: to the top level where its parent is gone
    or has no room for so many, and into the owner's inbox where its project is; and its
    place, if that is another's now.
    """
    values: dict[str, Any] = {}
    project_id = task.project_id
    if work.access_to(task).is_deleted:
        project_id = inbox_id(task.user_id)
        work.access_to_target(project_id)
        values |= {"project_id": project_id} | entering(work, task, project_id)
    if task.parent_id and not fits(work, task, project_id, added):
        values["parent_id"] = None
    if values:
        return values | {"position": work.next_last_position(task.pk)}
    # Beside a task that came back itself, nobody else can have come.
    return {} if task.deleted_with_id else own_place(work, task)


def own_place(work: UnitOfWork, task: Task) -> dict[str, Any]:
    """The position right after a sibling that was moved to where the task has been."""
    siblings = {"project_id": task.project_id, "parent_id": task.parent_id}
    stored = Task.objects.live().filter(**siblings, position=task.position)
    same = [
        *stored.exclude(pk__in=work.tasks)[:1],
        *(
            each
            for each in loaded_siblings(work, task, siblings)
            if each.position == task.position
        ),
    ]
    if not same:
        return {}
    high = next_position(work, task, same[0], siblings, is_before=False)
    return {"position": between(work, task, siblings, task.position, high)}


def fits(work: UnitOfWork, task: Task, project_id: UUID, added: int) -> bool:
    parent = work.trees.get(task.parent_id) if task.parent_id else None
    if parent is None or parent.deleted_at or parent.project_id != project_id:
        return False
    line = [parent, *work.trees.ancestors(parent)]
    # Those that come with it have been counted with it.
    has_room = not added or (len(work.trees.descendants(line[-1])) + added <= MAX_TREE)
    return has_room and len(line) < MAX_DEPTH


def copied(work: UnitOfWork, task: Task, target: ProjectAccess) -> dict[str, Any]:
    """The values of a copy in that project."""
    values = {name: getattr(task, name) for name in COPIED}
    values["project_id"] = target.id
    if task.labels:
        values["labels"] = split_labels(task.labels)
    assignee_id = task.assignee_id
    if assignee_id and work.is_member(target.owner_id, target.id, assignee_id):
        values["assignee_id"] = assignee_id
    return values
