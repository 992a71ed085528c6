"""What follows from when a task is due and how it recurs; ValidationError."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework.exceptions import ValidationError

from taskapi.api import time_zones
from tasks.fields import split_recurrence, to_rfc3339
from tasks.models import Task
from tasks.recurrence import rules
from tasks.recurrence.days import MAX_YEARS
from tasks.recurrence.series import Occurrence, Recurrence, require_occurrence

SCHEDULE = {"due_at", "is_all_day", "time_zone", "recurrence"}
# For what has passed since is counted.
MAX_COUNTED = timedelta(days=365 * MAX_YEARS)


def complete(task: Task, values: dict[str, Any], now: datetime) -> None:
    """Add what follows to the values of a change."""
    if SCHEDULE.isdisjoint(values):
        return
    was_plain = not task.is_all_day and task.recurrence is None
    if was_plain and not values.get("is_all_day") and not values.get("recurrence"):
        return
    values |= follow(task, values, now)


def follow(task: Task, values: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The columns that follow from those of SCHEDULE."""
    before = {name: getattr(task, name) for name in SCHEDULE}
    after = before | {name: values[name] for name in SCHEDULE & values.keys()}
    if after == before:
        return {}
    followed: dict[str, Any] = {"day_ends_at": None, "due_local": None}
    if after["is_all_day"]:
        followed |= whole_day(after["due_at"], after["time_zone"])
    if after["recurrence"] is None:
        return followed
    recurrence = recurrence_of(after["recurrence"], is_all_day=after["is_all_day"])
    require_schedule(recurrence, after)
    due = present(recurrence, after["due_at"], task.due_local)
    require_future(recurrence, due, now)
    followed["due_local"] = as_stored(due.local)
    return followed | {"series_id": task.series_id or task.pk}


def present(recurrence: Recurrence, due_at: datetime, due_local: Any) -> Occurrence:
    """The occurrence that a task is, from its columns."""
    return recurrence.present(due_at, due_local and due_local.replace(tzinfo=None))


def whole_day(due_at: datetime | None, name: str | None) -> dict[str, Any]:
    """When the day ends, and the day as Task.due_local has it."""
    if not name:
        raise ValidationError({"timeZone": ["Required with isAllDay."]}, "required")
    if due_at is None:
        return {}
    zone = ZoneInfo(name)
    try:
        day = due_at.astimezone(zone).date()
        begins_at = time_zones.first_moment(day, zone)
        ends_at = day_end(due_at, zone)
    except OverflowError as error:
        hint = "This day is at the end of the calendar."
        raise ValidationError({"dueDate": [hint]}) from error
    if due_at != begins_at:
        hint = (
            f"With isAllDay, it is the first moment of a day in {zone.key}: that day "
            f"begins at {to_rfc3339(begins_at)}."
        )
        raise ValidationError({"dueDate": [hint]})
    local = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return {"day_ends_at": ends_at, "due_local": local}


def day_end(at: datetime, zone: ZoneInfo) -> datetime:
    """The first moment of the next day; OverflowError."""
    day = at.astimezone(zone).date() + timedelta(days=1)
    return time_zones.first_moment(day, zone)


def recurrence_of(text: str, *, is_all_day: bool) -> Recurrence:
    """What a task's column says."""
    said = split_recurrence(text)
    rule = rules.parse(said["rule"])
    return Recurrence(rule, said["timeZone"], said["from"], is_all_day)


def require_schedule(recurrence: Recurrence, after: dict[str, Any]) -> None:
    if after["due_at"] is None:
        raise ValidationError({"recurrence": ["It needs a dueDate."]}, "required")
    if after["is_all_day"] and after["time_zone"] != recurrence.time_zone:
        hint = "With isAllDay, its timeZone is that of the task."
        raise ValidationError({"recurrence": {"timeZone": [hint]}})


def require_future(recurrence: Recurrence, due: Occurrence, now: datetime) -> None:
    if recurrence.is_over(due):
        raise refused("UNTIL is before dueDate.")
    if recurrence.rule.count and due.at < now - MAX_COUNTED:
        raise refused(f"With COUNT, dueDate is at most {MAX_YEARS} years ago.")
    try:
        require_occurrence(recurrence, due)
    except rules.RuleError as error:
        raise refused(str(error)) from error


def refused(hint: str) -> ValidationError:
    return ValidationError({"recurrence": {"rule": [hint]}})


def as_stored(local: datetime) -> datetime:
    """As Task.due_local: as if it were UTC."""
    return local.replace(tzinfo=UTC)
