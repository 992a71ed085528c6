from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.strict import StrictCharField, StrictChoiceField, StrictSerializer
from tasks.instants import InstantField
from tasks.models import Change, Priority, Status, Task, plain


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
    """What a client may set of a task."""

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
    """What is expected of the task, if anything is."""

    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class TaskReplacement(TaskInput):
    """Every field, so that none is wiped because it was not sent."""

    description = StrictCharField(max_length=5000, allow_null=True, allow_blank=True)
    status = StrictChoiceField(Status.choices)
    priority = PriorityField()
    dueDate = InstantField(source="due_at", allow_null=True)
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class TaskSerializer(serializers.Serializer[Task]):
    """A task as every answer has it."""

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
        return represent(instance)


def represent(task: Task) -> dict[str, Any]:
    """A task as TaskSerializer describes it.

    By hand: walking the fields costs several times as much on a page.
    """
    return {
        "id": str(task.id),
        "title": task.title,
        "description": task.description,
        "status": task.status,
        "priority": plain("priority", task.priority),
        "dueDate": plain("due_at", task.due_at),
        "completedAt": plain("completed_at", task.completed_at),
        "userId": str(task.user_id),
        "version": task.version,
        "createdAt": plain("created_at", task.created_at),
        "updatedAt": plain("updated_at", task.updated_at),
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
    """Counts of the caller's live tasks, or of the newest 10,000; days are UTC."""

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
