from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from taskapi.api.datetimes import InstantField
from taskapi.api.fields import StrictCharField, StrictChoiceField
from taskapi.api.serializers import StrictSerializer
from tasks.models import Change, Priority, Status, Task, in_utc, plain


@extend_schema_field({"type": "string", "enum": Priority.names})
class PriorityField(StrictChoiceField):
    """A priority by its name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[(name, name) for name in Priority.names], **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return Priority[super().to_internal_value(data)].value

    def to_representation(self, value: Any) -> str:
        return Priority(value).name


class VersionField(serializers.IntegerField):
    """A JSON integer and nothing that could be read as one."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class TaskInput(StrictSerializer):
    """The fields of a task that a client may set."""

    title = StrictCharField(max_length=255)
    description = StrictCharField(
        max_length=5000, allow_null=True, allow_blank=True, required=False
    )
    status = StrictChoiceField(Status.choices, required=False)
    priority = PriorityField(required=False)
    dueDate = InstantField(source="due_at", allow_null=True, required=False)

    echoes = frozenset({"id", "userId", "createdAt", "updatedAt", "completedAt"})


class TaskPatch(TaskInput):
    title = StrictCharField(max_length=255, required=False)
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class VersionOnly(StrictSerializer):
    """The expected version of the task, if any."""

    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class TaskReplacement(TaskInput):
    """All writable fields, so that none is cleared because it was not sent."""

    description = StrictCharField(max_length=5000, allow_null=True, allow_blank=True)
    status = StrictChoiceField(Status.choices)
    priority = PriorityField()
    dueDate = InstantField(source="due_at", allow_null=True)
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class TaskSerializer(serializers.Serializer[Task]):
    """A task, as in every response."""

    id = serializers.UUIDField()
    title = serializers.CharField(max_length=255)
    description = serializers.CharField(max_length=5000, allow_null=True)
    status = serializers.ChoiceField(Status.choices)
    priority = PriorityField()
    dueDate = serializers.DateTimeField(allow_null=True)
    completedAt = serializers.DateTimeField(allow_null=True)
    userId = serializers.UUIDField()
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()

    def to_representation(self, instance: Task) -> dict[str, Any]:
        return represent(*VALUES(instance))


# The fields that an answer shows, as `represent` takes them.
FIELDS = (
    "id",
    "user_id",
    "title",
    "description",
    "status",
    "priority",
    "due_at",
    "completed_at",
    "version",
    "created_at",
    "updated_at",
)
VALUES = attrgetter(*FIELDS)
NAMES = {priority.value: priority.name for priority in Priority}


def represent(
    id: UUID,
    user_id: UUID,
    title: str,
    description: str | None,
    status: str,
    priority: int,
    due_at: datetime | None,
    completed_at: datetime | None,
    version: int,
    created_at: datetime,
    updated_at: datetime,
) -> dict[str, Any]:
    """A task as TaskSerializer describes it.

    By hand, and of a row of the database as well as of a task: to walk the fields, or
    to make a task first, costs several times as much on a page.
    """
    return {
        "id": str(id),
        "title": title,
        "description": description,
        "status": status,
        "priority": NAMES[priority],
        "dueDate": due_at and in_utc(due_at),
        "completedAt": completed_at and in_utc(completed_at),
        "userId": str(user_id),
        "version": version,
        "createdAt": in_utc(created_at),
        "updatedAt": in_utc(updated_at),
    }


class TrashedTaskSerializer(TaskSerializer):
    deletedAt = serializers.DateTimeField()

    def to_representation(self, instance: Task) -> dict[str, Any]:
        deleted_at = plain("deleted_at", instance.deleted_at)
        return super().to_representation(instance) | {"deletedAt": deleted_at}


class FieldChangeSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    to = serializers.CharField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        # `from` cannot be declared above: it is a keyword.
        return super().get_fields() | {"from": serializers.CharField(allow_null=True)}


class ChangeSerializer(serializers.Serializer[Any]):
    """One entry of a task's history."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    changedBy = serializers.UUIDField(source="changed_by", allow_null=True)
    changedAt = serializers.DateTimeField(source="changed_at")
    requestId = serializers.CharField(source="request_id", max_length=64)
    changes = serializers.SerializerMethodField()

    @extend_schema_field(FieldChangeSerializer(many=True))
    def get_changes(self, change: Change) -> Any:
        return change.fields


COUNT = {"type": "integer", "minimum": 0}


def counts_of(names: list[str]) -> dict[str, Any]:
    """The schema of an object with a count under each name."""
    properties = dict.fromkeys(names, COUNT)
    return {"type": "object", "properties": properties, "required": names}


class StatsSerializer(serializers.Serializer[Mapping[str, int]]):
    """Counts of the user's live tasks, or of the newest 10,000; days are UTC."""

    total = serializers.IntegerField(min_value=0)
    isExact = serializers.BooleanField(source="is_exact")
    byStatus = serializers.SerializerMethodField()
    byPriority = serializers.SerializerMethodField()
    overdue = serializers.IntegerField(min_value=0)
    dueToday = serializers.IntegerField(source="due_today", min_value=0)

    @extend_schema_field(counts_of(Status.values))
    def get_byStatus(self, counts: Mapping[str, int]) -> dict[str, int]:
        return {name: counts[name] for name in Status.values}

    @extend_schema_field(counts_of(Priority.names))
    def get_byPriority(self, counts: Mapping[str, int]) -> dict[str, int]:
        return {name: counts[name] for name in Priority.names}
