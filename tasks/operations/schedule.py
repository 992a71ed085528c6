"""What follows from when a task is due: the end of its day, and the clock's time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework.exceptions import ValidationError

from taskapi.api import time_zones
from tasks.fields import to_rfc3339
from tasks.models import Task

SCHEDULE = {"due_at", "is_all_day", "time_zone"}
DAY = timedelta(days=1)


def complete(task: Task, values: dict[str, Any]) -> None:
    """Add what follows to the values of a change; ValidationError."""
    if not SCHEDULE & values.keys():
        return
    if task.is_all_day or values.get("is_all_day"):
        present = {name: getattr(task, name) for name in SCHEDULE}
        values |= follow(present | values)


def follow(values: dict[str, Any]) -> dict[str, Any]:
    """The columns that follow from those of SCHEDULE; ValidationError."""
    due_at = values.get("due_at")
    if not values.get("is_all_day"):
        return {"day_ends_at": None, "due_local": None}
    if not values.get("time_zone"):
        raise ValidationError({"timeZone": ["Required with isAllDay."]}, "required")
    if due_at is None:
        return {"day_ends_at": None, "due_local": None}
    zone = ZoneInfo(values["time_zone"])
    try:
        day = due_at.astimezone(zone).date()
        begins_at = time_zones.first_moment(day, zone)
        ends_at = time_zones.first_moment(day + DAY, zone)
    except OverflowError as error:
        hint = "This day is at the end of the calendar."
        raise ValidationError({"dueDate": [hint]}) from error
    if due_at != begins_at:
        hint = (
            f"With isAllDay, it is the first moment of a day in {zone.key}: that day "
            f"begins at {to_rfc3339(begins_at)}."
        )
        raise ValidationError({"dueDate": [hint]})
    return {"day_ends_at": ends_at, "due_local": as_stored(day)}


def as_stored(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
