"""Points in time as RFC 3339 writes them, with an offset; nothing is guessed."""

import re
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

PATTERN = (
    # Hours up to 23: Python 3.14 reads T24:00:00 as the next day.
    r"^\d{4}-\d{2}-\d{2}[Tt]([01]\d|2[0-3]):\d{2}:\d{2}(\.\d+)?"
    # Minutes up to 59: Python reads -00:60 as an hour. ISO 8601 needs no colon.
    r"([Zz]|[+-]\d{2}:?[0-5]\d)$"
)
SPACE_FOR_PLUS = re.compile(r".*:\d{2}(\.\d+)? \d{2}:?\d{2}", re.DOTALL)
EXPECTED = "Write a date and time with offset, such as 2026-12-31T09:00:00Z."
ESCAPE_PLUS = "In a URL, + stands for a space: write the offset's + as %2B."
# No pattern: generators make a date of the string, which has no use for one.
SCHEMA = {"type": "string", "format": "date-time"}


def parse(text: str) -> datetime:
    """A UTC datetime, cut to microseconds; ValueError for anything that is none."""
    if not re.fullmatch(PATTERN, text, re.ASCII):
        is_unescaped = SPACE_FOR_PLUS.fullmatch(text)
        raise ValueError(ESCAPE_PLUS if is_unescaped else EXPECTED)
    try:
        # Cuts the nine decimals of Java and Go and the seven of .NET to six.
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(EXPECTED) from error


@extend_schema_field(SCHEMA)
class RFC3339DateTimeField(serializers.DateTimeField):
    def to_internal_value(self, value: Any) -> datetime:
        try:
            return parse(value)
        except (TypeError, ValueError) as error:
            hint = str(error) if isinstance(error, ValueError) else EXPECTED
            raise serializers.ValidationError(hint, "invalid") from error
