"""Serializer fields that reject what DRF would convert."""

from typing import Any

from rest_framework import serializers
from rest_framework.validators import ProhibitSurrogateCharactersValidator

# White space as Python defines it: in other languages \s matches less.
SPACE = r"\s\x1c-\x1f\x85"
ANY_TEXT = r"^[^\x00]*$"
NOT_BLANK = rf"^[^\x00]*[^\x00{SPACE}][^\x00]*$"


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


class StrictChoiceField(serializers.ChoiceField):
    """Accepts one of its names; the error lists them and does not quote the input."""

    default_error_messages = {"invalid_choice": "Not one of: {names}."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", names=", ".join(self.choices))
        return data
