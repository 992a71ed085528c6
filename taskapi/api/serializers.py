"""A serializer that rejects unknown fields."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.serializers import ValidationError


class StrictSerializer(serializers.Serializer[Any]):
    """Names the fields it does not know instead of dropping them."""

    # Fields of our own answers that a client may send back; they are ignored.
    echoes: ClassVar[frozenset[str]] = frozenset()

    @cached_property
    def taken(self) -> dict[str, tuple[serializers.Field[Any, Any, Any, Any], Any]]:
        """The fields that are read, and the method that validates each further."""
        return {
            name: (field, getattr(self, f"validate_{name}", None))
            for name, field in self.fields.items()
            if not field.read_only
        }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)  # refuses it
        if unknown := data.keys() - self.taken.keys() - self.echoes:
            refuse_unknown(unknown - self.fields.keys(), [*self.taken], "field")
        return self.values_in(data)

    def run_validators(self, value: Any) -> None:
        # DRF would first look for defaults of fields that are only read.
        if self.validators:
            super().run_validators(value)

    def values_in(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What DRF does next, of JSON only and at half of its cost."""
        found: dict[Any, Any] = {}
        errors = {}
        for name, (field, validate) in self.taken.items():
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


def refuse_unknown(unknown: set[str], accepted: list[str], kind: str) -> None:
    if unknown:
        hint = f"Unknown {kind}. Accepted: {', '.join(accepted) or 'none'}."
        raise ValidationError(
            {
                # A lone surrogate could not be answered in UTF-8.
                name.encode(errors="backslashreplace").decode(): [
                    serializers.ErrorDetail(hint, "unknown")
                ]
                for name in sorted(unknown)
            }
        )
