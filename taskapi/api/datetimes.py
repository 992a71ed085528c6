"""Points in time as RFC 3339 writes them, with an offset; nothing is guessed."""

import re
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

PATTERN = (
    # Hours up to 23: Python 3.14 reads T24:00:00 as the next day.
    r"^\d{4}-\d{2}-\d{2}[Tt]([01]\d|2[0-3]):\d{2}:\d{2}(\.\d{1,6})?"
    # Minutes up to 59: Python reads -00:60 as an hour.
    r"([Zz]|[+-]\d{2}:[0-5]\d)$"
)
EXPECTED = "Write a date and time with offset, such as 2026-12-31T09:00:00Z."
SCHEMA = {"type": "string", "format": "date-time", "pattern": PATTERN}


def parse(text: str) -> datetime:
    """A UTC datetime; ValueError for anything that is not exactly one."""
    if not re.fullmatch(PATTERN, text, re.ASCII):
        raise ValueError(EXPECTED)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(EXPECTED) from error


@extend_schema_field(SCHEMA)
class RFC3339DateTimeField(serializers.DateTimeField):
    def to_internal_value(self, value: Any) -> datetime:
        try:
            return parse(value)
        except (TypeError, ValueError) as error:
            raise serializers.ValidationError(EXPECTED, "invalid") from error
