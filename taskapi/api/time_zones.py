"""The IANA time zones, by name; settings says where they are read."""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

NAME = "timezone"
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


def days_from(
    now: datetime, zone: ZoneInfo, days: int = 1
) -> tuple[datetime, datetime]:
    """The first moments of the day in this zone and of the first day after so many, in
    UTC.

    A midnight that does not exist is the end of the gap; of two, it is the first.
    """
    day = now.astimezone(zone).date()
    start, end = (
        datetime.combine(each, time.min, tzinfo=zone).astimezone(UTC)
        for each in (day, day + timedelta(days=days))
    )
    return start, end
