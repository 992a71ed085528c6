"""The IANA time zones, by name; settings says where they are read."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

NAME = "timezone"
SECOND = timedelta(seconds=1)
SCHEMA = {
    "type": "string",
    "maxLength": 64,
    "example": "Europe/Berlin",
    "description": "The IANA time zone whose days are meant; UTC if it is absent.",
}
EXPECTED = "Send the name of an IANA time zone, such as Europe/Berlin."


@cache
def names() -> frozenset[str]:
    return frozenset(available_timezones())  # walks through files: too slow to repeat


def parse(name: str) -> ZoneInfo:
    """ValueError for an unknown zone, in a sentence."""
    if name not in names():
        raise ValueError(EXPECTED)
    return ZoneInfo(name)


def first_moment(day: date, zone: ZoneInfo) -> datetime:
    """When this day begins in this zone, in UTC; OverflowError at the calendar's ends.

    A midnight that does not exist is the end of the gap; of two, it is the first.
    """
    midnight = datetime.combine(day, time.min, tzinfo=zone)
    at = midnight.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return at
    # With the offset after the gap: a moment before it.
    low = midnight.replace(fold=1).astimezone(UTC)
    while at - low > SECOND:
        middle = low + (at - low) // 2
        if middle.astimezone(zone).date() < day:
            low = middle
        else:
            at = middle
    return at.replace(microsecond=0)


def days_from(
    now: datetime, zone: ZoneInfo, days: int = 1
) -> tuple[datetime, datetime]:
    """The first moments of the day in this zone and of the first day after so many, in
    UTC.
    """
    day = now.astimezone(zone).date()
    return first_moment(day, zone), first_moment(day + timedelta(days=days), zone)
