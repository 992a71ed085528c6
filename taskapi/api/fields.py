"""Serializer fields that reject what DRF would convert."""

import re
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from taskapi.api import time_zones
from taskapi.db.text import ascii_only

# White space as Python defines it: in other languages \s matches less.
SPACE = r"\s\x1c-\x1f\x85"
ANY_TEXT = r"^[^\x00]*$"
NOT_BLANK = rf"^[^\x00]*[^\x00{SPACE}][^\x00]*$"


ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def reject_surrogates(value: str) -> None:
    """DRF's validator, only for text that UTF-8 cannot encode: it is slow."""
    try:
        value.encode()
    except UnicodeEncodeError:
        ProhibitSurrogateCharactersValidator()(value)


class StrictCharField(serializers.CharField):
    """Accepts only JSON strings and keeps every character."""

    default_error_messages = {"blank": "This field may not be blank."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False} | kwargs)
        slow = ProhibitSurrogateCharactersValidator
        others = [each for each in self.validators if not isinstance(each, slow)]
        self.validators = [*others, reject_surrogates]

    @property
    def schema_pattern(self) -> str:
        """The regular expression of what is accepted, for the OpenAPI document."""
        return ANY_TEXT if self.allow_blank else NOT_BLANK

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, str) and not self.allow_blank and not data.strip():
            self.fail("blank")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


COLOR = r"^#[0-9a-fA-F]{6}$"


class ColorField(StrictCharField):
    """A colour as HTML writes it: `#` and six hexadecimal digits."""

    schema_pattern = COLOR
    default_error_messages = {"color": "Not a colour such as #1e90ff."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not re.fullmatch(COLOR, text):
            self.fail("color")
        return text.lower()


class StrictChoiceField(serializers.ChoiceField):
    """Accepts one of its names; the error lists them and does not quote the input."""

    default_error_messages = {"invalid_choice": "Not one of: {names}."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", names=", ".join(self.choices))
        return data


class EmailField(StrictCharField, serializers.EmailField):
    """An e-mail address as the model accepts it."""

    # The common form; quoted local parts and address literals are accepted, too.
    schema_pattern = (
        r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
        r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
        r"([A-Za-z][A-Za-z-]{0,61}[A-Za-z]|[Xx][Nn]--[A-Za-z0-9]{1,59})$"
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"trim_whitespace": True})
        self.validators.append(ascii_only)


@extend_schema_field({"type": "boolean"})
class StrictBooleanField(serializers.BooleanField):
    """A JSON boolean; nothing else is converted to one."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class TimeZoneField(StrictCharField):
    """The name of an IANA time zone."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=64, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        try:
            return time_zones.parse(name).key
        except ValueError as error:
            raise serializers.ValidationError(str(error), "invalid") from error


class IdField(serializers.UUIDField):
    """An id as RFC 9562 section 4 writes it; a UUID can be made of more."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not ID.fullmatch(data):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)
