"""Bodies of requests for tasks, and tasks in responses."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from taskapi.api.datetimes import RFC3339DateTimeField
from taskapi.api.fields import (
    IdField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    TimeZoneField,
)
from taskapi.api.preconditions import Precondition
from taskapi.api.serializers import StrictSerializer
from tasks.fields import get_values, split_labels, task_to_dict, to_rfc3339
from tasks.models import Priority, Status, Task, label_key
from tasks.operations import Move
from tasks.serializers.recurrence import RecurrenceField, RecurrenceSerializer

MAX_LABELS = 20
# As StrictCharField's for a text that is not blank, without commas.
NAME = r"^[^\x00,]*[^\x00,\s\x1c-\x1f\x85][^\x00,]*$"


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


class LabelNameField(StrictCharField):
    """A name without spaces around it; a comma separates labels elsewhere."""

    schema_pattern = NAME
    default_error_messages = {"comma": "A name contains no comma."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=50, trim_whitespace=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if "," in text:
            self.fail("comma")
        return text


class LabelsField(serializers.ListField):
    """A set of names: spaces around them and repetitions do not count."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=LabelNameField(), max_length=MAX_LABELS, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        names = super().to_internal_value(data)
        return list({label_key(name): name for name in names}.values())

    def to_representation(self, data: Any) -> Any:
        return split_labels(data)


class TaskCreateSerializer(StrictSerializer):
    """The fields of a task that a client may set."""

    projectId = IdField(source="project_id", required=False)
    parentId = IdField(source="parent_id", allow_null=True, required=False)

    title = StrictCharField(max_length=255)
    description = StrictCharField(
        max_length=5000, allow_null=True, allow_blank=True, required=False
    )
    status = StrictChoiceField(Status.choices, required=False)
    priority = PriorityField(required=False)
    labels = LabelsField(required=False)
    assigneeId = IdField(source="assignee_id", allow_null=True, required=False)
    startDate = RFC3339DateTimeField(source="start_at", allow_null=True, required=False)
    dueDate = RFC3339DateTimeField(source="due_at", allow_null=True, required=False)
    isAllDay = StrictBooleanField(source="is_all_day", required=False)
    timeZone = TimeZoneField(source="time_zone", allow_null=True, required=False)
    recurrence = RecurrenceField(allow_null=True, required=False)

    read_only_echoes = frozenset(
        {
            *("id", "userId", "createdById", "position"),
            *("createdAt", "updatedAt", "completedAt", "deletedAt", "version"),
            *("seriesId", "nextTaskId"),
        }
    )


class TaskUpdateSerializer(TaskCreateSerializer):
    title = StrictCharField(max_length=255, required=False)
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class TaskMoveSerializer(StrictSerializer):
    """Where a task is put: another project or parent, or next to a sibling."""

    projectId = IdField(source="project_id", required=False)
    parentId = IdField(source="parent_id", allow_null=True, required=False)
    before = IdField(required=False)
    after = IdField(required=False)
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "before" in attrs and "after" in attrs:
            hint = "Send before or after, not both."
            raise serializers.ValidationError({"after": [hint]})
        return attrs


def make_move(values: dict[str, Any], pk: UUID, expects: Precondition) -> Move:
    """The operation of a validated TaskMoveSerializer."""
    before, after = values.pop("before", None), values.pop("after", None)
    return Move(values, pk, expects, before=before, after=after)


class TaskCopySerializer(StrictSerializer):
    """The project that the copy is made in."""

    projectId = IdField(source="project_id")


class VersionSerializer(StrictSerializer):
    """The expected version of the task, if any."""

    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class EmptySerializer(StrictSerializer):
    """A body that has nothing to say."""


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
    userId = serializers.UUIDField()
    createdById = serializers.UUIDField(allow_null=True)
    projectId = serializers.UUIDField()
    parentId = serializers.UUIDField(allow_null=True)
    title = serializers.CharField(max_length=255)
    description = serializers.CharField(max_length=5000, allow_null=True)
    status = serializers.ChoiceField(Status.choices)
    priority = PriorityField()
    labels = LabelsField()
    assigneeId = serializers.UUIDField(allow_null=True)
    startDate = serializers.DateTimeField(allow_null=True)
    dueDate = serializers.DateTimeField(allow_null=True)
    isAllDay = serializers.BooleanField()
    timeZone = serializers.CharField(max_length=64, allow_null=True)
    completedAt = serializers.DateTimeField(allow_null=True)
    recurrence = RecurrenceSerializer(allow_null=True)
    seriesId = serializers.UUIDField(allow_null=True)
    nextTaskId = serializers.UUIDField(allow_null=True)
    position = serializers.CharField(max_length=1000)
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
