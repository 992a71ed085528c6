"""The IANA time zones, by name; settings says where they are read."""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter
from rest_framework.serializers import ValidationError

PARAMETER = OpenApiParameter(
    "timezone",
    {"type": "string", "maxLength": 64, "example": "Europe/Berlin"},
    description="The IANA time zone whose days are meant; UTC if it is absent.",
)
EXPECTED = "Send the name of an IANA time zone, such as Europe/Berlin."


@cache
def names() -> frozenset[str]:
    return frozenset(available_timezones())  # walks through files: too slow to repeat


def get(sent: QueryDict) -> ZoneInfo:
    """The zone that the parameter names, or UTC; ValidationError for an unknown one."""
    name = sent.get(PARAMETER.name, "UTC")
    if name not in names():
        raise ValidationError({PARAMETER.name: [EXPECTED]}, "invalid")
    return ZoneInfo(name)


def day_of(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moments of the day in this zone and of the next, in UTC.

    A midnight that does not exist is the end of the gap; of two, it is the first.
    """
    day = now.astimezone(zone).date()
    start, end = (
        datetime.combine(each, time.min, tzinfo=zone).astimezone(UTC)
        for each in (day, day + timedelta(days=1))
    )
    return start, end
