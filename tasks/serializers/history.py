"""Histories of tasks and projects in responses."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class FieldChangeSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    to = serializers.JSONField()

    def get_fields(self) -> dict[str, Any]:
        # `from` cannot be declared above: it is a keyword.
        return super().get_fields() | {"from": serializers.JSONField()}


class ProjectChangeSerializer(serializers.Serializer[Any]):
    """One entry of a project's history."""

    changedBy = serializers.UUIDField(source="changed_by", allow_null=True)
    changedAt = serializers.DateTimeField(source="changed_at")
    requestId = serializers.CharField(source="request_id", max_length=64)
    changes = serializers.SerializerMethodField()

    @extend_schema_field(FieldChangeSerializer(many=True))
    def get_changes(self, change: Any) -> Any:
        return change.fields


def hide_erased(entries: Sequence[Any], principal_id: UUID) -> None:
    """Take accounts that are erased off the entries of a history."""
    ids = {each["changedBy"] for each in entries} - {None, str(principal_id)}
    if not ids:
        return
    users = get_user_model()._default_manager.filter(pk__in=ids)
    known = {str(pk) for pk in users.values_list("pk", flat=True)}
    for each in entries:
        if each["changedBy"] in ids - known:
            each["changedBy"] = None


def hide_past(entries: Sequence[Any], arrival: int) -> None:
    """Take off the entry with which a task came into its project what it was before."""
    for each in entries:
        if each["version"] == arrival:
            for change in each["changes"]:
                change["from"] = None


class TaskChangeSerializer(ProjectChangeSerializer):
    """One entry of a task's history."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        return {"version": fields.pop("version"), **fields}
