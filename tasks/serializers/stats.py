"""Counts of tasks in responses."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from taskapi.api.openapi import COUNT, object_of
from tasks.models import Priority, Status


def counts_of(names: list[str]) -> dict[str, Any]:
    """The schema of an object with a count under each name."""
    properties = {n: COUNT | {"description": f"How many are {n}."} for n in names}
    return object_of(**properties)


class StatsSerializer(serializers.Serializer[Mapping[str, Any]]):
    """Counts of the user's live tasks, or of the newest 10,000."""

    total = serializers.IntegerField(min_value=0)
    isExact = serializers.BooleanField(source="is_exact")
    byStatus = serializers.SerializerMethodField()
    byPriority = serializers.SerializerMethodField()
    byProject = serializers.SerializerMethodField()
    overdue = serializers.IntegerField(min_value=0)
    dueToday = serializers.IntegerField(source="due_today", min_value=0)

    @extend_schema_field(counts_of(Status.values))
    def get_byStatus(self, counts: Mapping[str, Any]) -> dict[str, int]:
        return {name: counts[name] for name in Status.values}

    @extend_schema_field(counts_of(Priority.names))
    def get_byPriority(self, counts: Mapping[str, Any]) -> dict[str, int]:
        return {name: counts[name] for name in Priority.names}

    @extend_schema_field({"type": "object", "additionalProperties": COUNT})
    def get_byProject(self, counts: Mapping[str, Any]) -> dict[str, int]:
        return {str(pk): count for pk, count in counts["by_project"].items()}
