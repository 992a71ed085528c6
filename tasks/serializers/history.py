"""Task histories in responses."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tasks.models import TaskChange


class FieldChangeSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    to = serializers.JSONField()

    def get_fields(self) -> dict[str, Any]:
        # `from` cannot be declared above: it is a keyword.
        return super().get_fields() | {"from": serializers.JSONField()}


class TaskChangeSerializer(serializers.Serializer[Any]):
    """One entry of a task's history."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    changedBy = serializers.UUIDField(source="changed_by", allow_null=True)
    changedAt = serializers.DateTimeField(source="changed_at")
    requestId = serializers.CharField(source="request_id", max_length=64)
    changes = serializers.SerializerMethodField()

    @extend_schema_field(FieldChangeSerializer(many=True))
    def get_changes(self, change: TaskChange) -> Any:
        return change.fields
