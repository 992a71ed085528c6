"""What drf-spectacular cannot see of the serializers: strict input, open output."""

from typing import Any, cast

from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from rest_framework.serializers import ListField, ListSerializer

from taskapi.api.fields import StrictCharField
from taskapi.api.openapi import UTC


class DateTimeScheme(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Of responses: requests have a field class of their own."""

    target_class = "rest_framework.fields.DateTimeField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return UTC


class OpenScheme(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Of responses: a later version may have more fields, which clients ignore."""

    target_class = "rest_framework.serializers.BaseSerializer"
    match_subclasses = True
    priority = -1  # after those of the subclasses

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        is_object = schema.get("type") == "object"
        return schema | ({"additionalProperties": True} if is_object else {})


class StrictScheme(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    target_class = "taskapi.api.serializers.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        if not vars(type(self.target)).get("__doc__"):
            schema.pop("description", None)  # inherited, so not about this one
        for name, field in self.target.fields.items():
            add_bounds(schema["properties"][name], field)
        return schema | self.closed()

    def closed(self) -> dict[str, Any]:
        """No other properties, except those that are accepted and ignored."""
        if not self.target.read_only_echoes:
            return {"additionalProperties": False}
        # Not as properties: clients would offer to send what is ignored.
        echoes = "|".join(sorted(self.target.read_only_echoes))
        ignored = {"description": "Ignored, so that a response can be sent back."}
        return {
            "patternProperties": {f"^({echoes})$": ignored},
            "additionalProperties": False,
        }


def add_bounds(schema: dict[str, Any], field: Any) -> None:
    """Add what the field rejects although its type allows it."""
    if isinstance(field, ListSerializer):
        schema |= {"minItems": 1, "maxItems": cast(Any, field).max_length}
    elif isinstance(field, ListField) and "items" in schema:
        add_bounds(schema["items"], field.child)
    elif isinstance(field, StrictCharField):
        schema["pattern"] = field.schema_pattern
        # The pattern is exact; validators disagree on what `format` allows.
        schema.pop("format", None)
