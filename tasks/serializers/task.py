"""Bodies of requests for tasks, and tasks in responses."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from taskapi.api.datetimes import RFC3339DateTimeField
from taskapi.api.fields import StrictCharField, StrictChoiceField
from taskapi.api.serializers import StrictSerializer
from tasks.fields import get_values, task_to_dict, to_rfc3339
from tasks.models import Priority, Status, Task


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
    """A JSON integer; nothing else is converted to one."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class TaskCreateSerializer(StrictSerializer):
    """The fields of a task that a client may set."""

    title = StrictCharField(max_length=255)
    description = StrictCharField(
        max_length=5000, allow_null=True, allow_blank=True, required=False
    )
    status = StrictChoiceField(Status.choices, required=False)
    priority = PriorityField(required=False)
    dueDate = RFC3339DateTimeField(source="due_at", allow_null=True, required=False)

    read_only_echoes = frozenset(
        {"id", "userId", "createdAt", "updatedAt", "completedAt"}
    )


class TaskUpdateSerializer(TaskCreateSerializer):
    title = StrictCharField(max_length=255, required=False)
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class VersionSerializer(StrictSerializer):
    """The expected version of the task, if any."""

    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class TaskReplaceSerializer(TaskCreateSerializer):
    """All writable fields, so that none is cleared because it was not sent."""

    description = StrictCharField(max_length=5000, allow_null=True, allow_blank=True)
    status = StrictChoiceField(Status.choices)
    priority = PriorityField()
    dueDate = RFC3339DateTimeField(source="due_at", allow_null=True)
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
        return task_to_dict(get_values(instance))


class TrashedTaskSerializer(TaskSerializer):
    deletedAt = serializers.DateTimeField()

    def to_representation(self, instance: Task) -> dict[str, Any]:
        deleted_at = instance.deleted_at and to_rfc3339(instance.deleted_at)
        return super().to_representation(instance) | {"deletedAt": deleted_at}
