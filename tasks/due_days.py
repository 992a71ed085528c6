"""Which tasks are due on some days: those at a time, in the zone that is asked for;
those on a whole day, by the date that they have in their own zone.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import DateTimeField, Q

from taskapi.api import time_zones
from taskapi.db.compiled import Placeholder

# No zone is so far from another.
FARTHEST = timedelta(days=2)
NAMES = ("from", "until", "day_from", "day_until", "near_from", "near_until")


def values_of(now: datetime, zone: ZoneInfo, count: int, prefix: str) -> dict[str, Any]:
    """What `placeholders` stand for: this day of the zone and the next ones."""
    start, end = time_zones.days_from(now, zone, count)
    today = now.astimezone(zone).date()
    # As Task.due_local: a day is kept as its midnight in UTC.
    first = datetime(today.year, today.month, today.day, tzinfo=UTC)
    values = [start, end, first, first + timedelta(days=count)]
    values += [start - FARTHEST, end + FARTHEST]
    return {f"{prefix}_{name}": v for name, v in zip(NAMES, values, strict=True)}


def placeholders(prefix: str) -> dict[str, Placeholder]:
    names = [f"{prefix}_{name}" for name in NAMES]
    return {name: Placeholder(name, DateTimeField()) for name in names}


def due_within(values: Mapping[str, Any], prefix: str) -> Q:
    start, end, first, last, near_start, near_end = (
        values[f"{prefix}_{name}"] for name in NAMES
    )
    timed = Q(is_all_day=False, due_at__gte=start, due_at__lt=end)
    whole = Q(is_all_day=True, due_local__gte=first, due_local__lt=last)
    # So that one range of an index is read.
    return Q(due_at__gte=near_start, due_at__lt=near_end) & (timed | whole)
