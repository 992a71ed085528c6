"""A serializer that rejects unknown fields."""

import heapq
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.serializers import ValidationError

from taskapi.api.errors import cut

MAX_UNKNOWN_NAMES = 10
MAX_NAME_CHARACTERS = 100


class StrictSerializer(serializers.Serializer[Any]):
    """Rejects and names unknown fields instead of dropping them."""

    # Fields of responses that a client may send back; they are ignored.
    read_only_echoes: ClassVar[frozenset[str]] = frozenset()

    @cached_property
    def writable_fields(
        self,
    ) -> dict[str, tuple[serializers.Field[Any, Any, Any, Any], Any]]:
        """Each field that a body may set, and its `validate_<name>` method."""
        return {
            name: (field, getattr(self, f"validate_{name}", None))
            for name, field in self.fields.items()
            if not field.read_only
        }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)  # rejects it
        if unknown := data.keys() - self.writable_fields.keys() - self.read_only_echoes:
            reject_unknown(
                unknown - self.fields.keys(), [*self.writable_fields], "field"
            )
        return self.validate_fields(data)

    def run_validators(self, value: Any) -> None:
        # DRF would first look for defaults of read-only fields.
        if self.validators:
            super().run_validators(value)

    def validate_fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """DRF's next step for parsed JSON, at half of its cost."""
        found: dict[Any, Any] = {}
        errors = {}
        for name, (field, validate) in self.writable_fields.items():
            try:
                value = field.run_validation(data.get(name, serializers.empty))
                found[field.source] = validate(value) if validate else value
            except ValidationError as error:
                errors[name] = error.detail
            except serializers.SkipField:
                continue
        if errors:
            raise ValidationError(errors)
        return found


class EmptySerializer(StrictSerializer):
    """For calls that take no body: its fields would be ignored."""


def reject_unknown(unknown: set[str], accepted: list[str], kind: str) -> None:
    """ValidationError that names up to MAX_UNKNOWN_NAMES of them."""
    if not unknown:
        return
    hint = f"Unknown {kind}. Accepted: {', '.join(accepted) or 'none'}."
    named: list[Any] = heapq.nsmallest(MAX_UNKNOWN_NAMES, unknown)
    errors = {
        # A lone surrogate could not be answered in UTF-8.
        cut(name, MAX_NAME_CHARACTERS).encode(errors="backslashreplace").decode(): [
            serializers.ErrorDetail(hint, "unknown")
        ]
        for name in named
    }
    if more := len(unknown) - len(named):
        rest = f"And {more} more that are unknown."
        errors["non_field_errors"] = [serializers.ErrorDetail(rest, "unknown")]
    raise ValidationError(errors)
