"""What changed, in responses."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers


@extend_schema_field({"type": "object", "additionalProperties": True})
class DataField(serializers.JSONField):
    """The thing itself; a generated client has no type for it, but for each kind."""


@extend_schema_serializer(many=False)
class ChangeItemSerializer(serializers.Serializer[Any]):
    """One thing as it is now, or that it is gone."""

    type = serializers.CharField()
    op = serializers.CharField()
    id = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        # `data` cannot be declared above: serializers have a property of this name.
        return super().get_fields() | {"data": DataField(allow_null=True)}


@extend_schema_serializer(many=False)
class ChangesSerializer(serializers.Serializer[Any]):
    """A page of a round."""

    items = ChangeItemSerializer(many=True)
    nextToken = serializers.CharField()
    hasMore = serializers.BooleanField()
