"""Around each change of the clocks, a series keeps its wall-clock time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest

from tasks.recurrence import rules
from tasks.recurrence.series import Occurrence, Recurrence

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ZONES = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Africa/Juba",
    "America/Asuncion",
    "America/Havana",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/Dublin",
    "Europe/London",
    "Pacific/Chatham",
]
EVERY_ZONE = sorted(available_timezones() - {*ZONES})


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """The first moment of each new offset."""
    low = FIRST
    while low < LAST:
        high = low + DAY
        if offset(zone, low) != offset(zone, high):
            yield bisect(zone, low, high)
        low = high


def bisect(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    old = offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if offset(zone, middle) == old:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def expected_moment(zone: ZoneInfo, local: datetime, change: datetime) -> datetime:
    """Out of the two offsets alone: the first moment at which the clock shows this; in
    a gap, by the offset before it.
    """
    before, after = offset(zone, change - DAY), offset(zone, change)
    by_old, by_new = ((local - each).replace(tzinfo=UTC) for each in (before, after))
    moments = [by_old] if by_old < change else []
    moments += [by_new] if by_new >= change else []
    return min(moments, default=by_old)


def times(zone: ZoneInfo, change: datetime) -> list[datetime]:
    """The clock's time around the change, and others of the day."""
    old = (change + offset(zone, change - DAY)).replace(tzinfo=None)
    new = (change + offset(zone, change)).replace(tzinfo=None)
    steps = [timedelta(minutes=m) for m in (-61, -30, -1, 0, 1, 15, 30, 45, 59, 121)]
    return [at + step for at in (old, new) for step in steps]


@cache
def is_alone(zone: ZoneInfo, change: datetime) -> bool:
    """Whether no other change is near."""
    near = {offset(zone, change + DAY * n) for n in range(-6, 0)}
    later = {offset(zone, change + DAY * n) for n in range(7)}
    return len(near) == len(later) == 1


def require_wall_clock(name: str) -> None:
    zone = ZoneInfo(name)
    daily = Recurrence(rules.parse("FREQ=DAILY"), name)
    for change in changes(zone):
        if not is_alone(zone, change):
            continue
        for local in times(zone, change):
            require_days_around(daily, local, change)


def require_days_around(daily: Recurrence, local: datetime, change: datetime) -> None:
    start = local - 4 * DAY
    present = Occurrence(expected_moment(daily.zone, start, change), start)
    found = daily.upcoming(present, present.at - DAY)
    for day in range(-3, 4):
        occurrence, _ = next(found)
        assert occurrence.local == local + day * DAY
        wanted = expected_moment(daily.zone, occurrence.local, change)
        assert occurrence.at == wanted, (daily.time_zone, change, occurrence)


@pytest.mark.parametrize("name", ZONES)
def test_wall_clock_time_is_kept(name: str) -> None:
    assert [*changes(ZoneInfo(name))]
    require_wall_clock(name)


@pytest.mark.full
@pytest.mark.parametrize("name", EVERY_ZONE)
def test_wall_clock_time_is_kept_everywhere(name: str) -> None:
    require_wall_clock(name)
