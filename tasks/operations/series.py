"""The next occurrence of a task that recurs: made when it is completed, or skipped to.

A task has one at most, whatever happens to either of them: it remembers its id, which
follows from its own, and the next one remembers whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from taskapi.api import time_zones
from taskapi.api.errors import Conflict
from taskapi.db.instances import new
from tasks.fields import join_recurrence, split_labels
from tasks.models import Status, Task
from tasks.operations import placement, schedule
from tasks.recurrence.series import Occurrence, Recurrence

if TYPE_CHECKING:  # a unit of work makes occurrences
    from tasks.operations.unit_of_work import UnitOfWork

COPIED = ("title", "description", "priority", "is_all_day", "time_zone", "project_id")
Next = tuple[Occurrence, Recurrence]


def next_id(task_id: UUID) -> UUID:
    """The same wherever it is made: an import finds it again."""
    return uuid5(task_id, "next")


def find_next(task: Task, values: dict[str, Any], now: datetime) -> Next | None:
    """What comes after the task, if these values complete it."""
    if values.get("status") != Status.DONE or task.status == Status.DONE:
        return None
    text = values.get("recurrence", task.recurrence)
    if text is None or task.next_task_id:
        return None
    if (due_at := values.get("due_at", task.due_at)) is None:
        return None
    is_all_day = values.get("is_all_day", task.is_all_day)
    recurrence = schedule.recurrence_of(text, is_all_day=is_all_day)
    due_local = values.get("due_local", task.due_local)
    due = schedule.present(recurrence, due_at, due_local)
    return recurrence.next_after_completion(due, now)


def make_next(work: UnitOfWork, task: Task, found: Next) -> None:
    """Make the next occurrence of a task that is completed, and its subtasks."""
    if work.trees.get(next_id(task.pk)):
        return  # an import has brought it
    with within_calendar():
        make_tree(work, task, found)


@contextmanager
def within_calendar() -> Iterator[None]:
    try:
        yield
    except OverflowError as error:
        raise Conflict("The next occurrence is at the end of the calendar.") from error


def make_tree(work: UnitOfWork, task: Task, found: Next) -> None:
    occurrence, recurrence = found
    below = open_subtasks(work, task)
    require_room(work, task, 1 + len(below))
    shift = occurrence.local - local_due(task, recurrence)
    origin = {"series_id": task.series_id, "previous_task_id": task.pk}
    first = add(work, task, next_id(task.pk), moved_to(task, *found), origin)
    copies = {task.pk: first.pk}
    for each in below:
        pk = copies[each.pk] = uuid5(first.pk, str(each.pk))
        values = shifted(each, shift, recurrence.zone)
        values["parent_id"] = copies[each.parent_id]  # type: ignore[index]
        add(work, each, pk, values, {"series_id": pk if each.recurrence else None})


def local_due(task: Task, recurrence: Recurrence) -> datetime:
    due_at: Any = task.due_at
    return schedule.present(recurrence, due_at, task.due_local).local


def open_subtasks(work: UnitOfWork, task: Task) -> list[Task]:
    """All subtasks but past occurrences, in their order, parents first."""
    found, known = [], {task.pk}
    for level in work.trees.levels(task):
        for each in sorted(level, key=lambda each: (each.position, each.pk)):
            if each.parent_id in known and not each.next_task_id:
                found.append(each)
                known.add(each.pk)
    return found


def require_room(work: UnitOfWork, task: Task, added: int) -> None:
    line = work.trees.ancestors(task)
    if line and len(work.trees.descendants(line[-1])) + added > placement.MAX_TREE:
        raise Conflict(
            f"{placement.MAX_TREE} tasks are below one at most, so there is no room "
            "for the next occurrence. Delete some, or end the recurrence."
        )


def add(
    work: UnitOfWork, like: Task, pk: UUID, values: dict[str, Any], origin: Any
) -> Task:
    """A new task like this one, to be done."""
    now = work.context.now
    base = {
        "id": pk,
        "created_at": now,
        "updated_at": now,
        "user_id": like.user_id,
        "created_by_id": work.context.actor_id or work.context.owner_id,
        "position": work.next_last_position(pk),
    }
    values = {name: getattr(like, name) for name in COPIED} | values
    values.setdefault("parent_id", like.parent_id)
    if like.labels:
        values["labels"] = split_labels(like.labels)
    if like.assignee_id and work.is_member(
        like.user_id, like.project_id, like.assignee_id
    ):
        values["assignee_id"] = like.assignee_id
    task = new(Task, **base | {"project_id": like.project_id} | origin)
    return work.add_new(task, values)


def moved_to(
    task: Task, occurrence: Occurrence, recurrence: Recurrence
) -> dict[str, Any]:
    """The values of a task that is due at this occurrence."""
    said = {
        "rule": recurrence.rule.text,
        "timeZone": recurrence.time_zone,
        "from": recurrence.origin,
    }
    values = {
        "due_at": occurrence.at,
        "due_local": schedule.as_stored(occurrence.local),
        "recurrence": join_recurrence(said),
    }
    if task.is_all_day:
        values["day_ends_at"] = schedule.day_end(occurrence.at, recurrence.zone)
    if task.start_at:
        shift = occurrence.local - local_due(task, recurrence)
        start_at = shift_by_clock(task.start_at, shift, recurrence.zone)
        values["start_at"] = min(start_at, occurrence.at)
    return values


def shifted(task: Task, shift: timedelta, zone: ZoneInfo) -> dict[str, Any]:
    """The dates of a subtask, so many days later by the clock."""
    values: dict[str, Any] = {}
    if task.due_at:
        values |= shifted_due(task, shift, zone)
    if task.start_at:
        start_at = shift_by_clock(task.start_at, shift, zone)
        values["start_at"] = min(start_at, values.get("due_at", start_at))
    return values


def shifted_due(task: Task, shift: timedelta, zone: ZoneInfo) -> dict[str, Any]:
    due_at: Any = task.due_at
    if task.recurrence:
        own = schedule.recurrence_of(task.recurrence, is_all_day=task.is_all_day)
        local = local_due(task, own) + shift
        return moved_to(task, own.occurrence(local.date(), local), own)
    if not task.is_all_day:
        return {"due_at": shift_by_clock(due_at, shift, zone)}
    own_zone = ZoneInfo(task.time_zone or "UTC")
    day = due_at.astimezone(own_zone).date() + shift
    due_at = time_zones.first_moment(day, own_zone)
    return {"due_at": due_at} | schedule.whole_day(due_at, own_zone.key)


def shift_by_clock(at: datetime, shift: timedelta, zone: ZoneInfo) -> datetime:
    """So much later by the clock of the zone."""
    local = at.astimezone(zone).replace(tzinfo=None) + shift
    return local.replace(tzinfo=zone).astimezone(UTC)


def is_past(task: Task) -> bool:
    """Whether the series has gone on without it, even if it was set back since."""
    return task.status == Status.DONE or task.next_task_id is not None


def preview(task: Task, now: datetime) -> Iterator[Occurrence]:
    """When the series goes on if the task is completed now, and so on."""
    if task.recurrence is None or task.due_at is None or is_past(task):
        return iter(())
    recurrence = schedule.recurrence_of(task.recurrence, is_all_day=task.is_all_day)
    due = schedule.present(recurrence, task.due_at, task.due_local)
    upcoming = recurrence.upcoming(due, now, recurrence.anchor_of_completion(now))
    return (occurrence for occurrence, _ in upcoming)


def skip(work: UnitOfWork, task: Task) -> Task:
    """Move the task itself to the next occurrence; Conflict if there is none."""
    if task.recurrence is None or task.due_at is None:
        raise Conflict("This task does not recur.")
    if is_past(task):
        raise Conflict("This task is done; skip the task that follows it.")
    recurrence = schedule.recurrence_of(task.recurrence, is_all_day=task.is_all_day)
    due = schedule.present(recurrence, task.due_at, task.due_local)
    found = next(recurrence.upcoming(due, work.context.now), None)
    if found is None:
        raise Conflict("This is the last occurrence of its series.")
    with within_calendar():
        values = moved_to(task, *found)
    return work.apply(task, values)
