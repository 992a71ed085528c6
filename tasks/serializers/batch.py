"""The body and the answer of `POST /api/tasks/batch`."""

from collections.abc import Callable, Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError

from taskapi.api.fields import IdField, StrictChoiceField
from taskapi.api.preconditions import Precondition
from taskapi.api.serializers import StrictSerializer
from tasks.operations import (
    Create,
    Delete,
    Operation,
    OperationFailed,
    Restore,
    Update,
)
from tasks.serializers import references
from tasks.serializers.task import (
    TaskCreateSerializer,
    TaskMoveSerializer,
    TaskSerializer,
    TaskUpdateSerializer,
    VersionField,
    make_move,
)

MAX_OPERATIONS = 100
# What each `op` needs, what it may have besides, and what reads its `data`.
REQUIRED = {
    "create": {"data"},
    "update": {"id", "data"},
    "delete": {"id"},
    "restore": {"id"},
    "move": {"id", "data"},
}
OPTIONAL: dict[str, set[str]] = {
    "create": {"ref"},
    "update": {"version"},
    "delete": {"version"},
    "restore": {"version"},
    "move": {"version"},
}
BODIES = {
    "create": TaskCreateSerializer(),
    "update": TaskUpdateSerializer(),
    "move": TaskMoveSerializer(),
}
KINDS: dict[str, Callable[..., Operation]] = {
    "create": Create,
    "update": Update,
    "delete": Delete,
    "restore": Restore,
    "move": make_move,
}


class OperationSerializer(StrictSerializer):
    """One operation: `id` for all but create, `data` for create, update and move."""

    op = StrictChoiceField(list(REQUIRED))
    id = IdField(required=False, format="hex_verbose")
    # Already the id that the new task will have (tasks.serializers.references).
    ref = IdField(required=False, format="hex_verbose")
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)
    data = serializers.DictField(required=False)  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given, op = attrs.keys() - {"op"}, attrs["op"]
        errors = {n: ["Required for this op."] for n in REQUIRED[op] - given}
        allowed = REQUIRED[op] | OPTIONAL[op]
        errors |= {n: [f"Not for op {op}."] for n in given - allowed}
        if errors:
            raise ValidationError(errors)
        return {"op": op, "operation": self.operation(attrs)}

    def operation(self, attrs: dict[str, Any]) -> Operation:
        values = self.values(attrs)
        version = values.pop("version", attrs.get("version"))
        if attrs.get("version", version) != version:
            raise ValidationError({"version": ["Differs from data.version."]})
        pk = attrs.get("id") or attrs.get("ref")
        return KINDS[attrs["op"]](values, pk, Precondition(version=version))

    def values(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "data" not in attrs:
            return {}
        try:
            return dict(BODIES[attrs["op"]].run_validation(attrs["data"]))
        except ValidationError as error:
            raise ValidationError({"data": error.detail}) from error


class BatchSerializer(StrictSerializer):
    operations = OperationSerializer(  # type: ignore[call-arg]
        many=True, allow_empty=False, max_length=MAX_OPERATIONS
    )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("operations"), list):
            operations = data["operations"]
            if len(operations) <= MAX_OPERATIONS:
                data = {**data, "operations": references.resolve(operations)}
        return super().to_internal_value(data)


def locate(failure: OperationFailed, asked: list[dict[str, Any]]) -> APIException:
    """The failure, or where in the body the value is that it is about."""
    detail = failure.cause.detail
    if not isinstance(failure.cause, ValidationError):
        return failure
    if "data" in REQUIRED[asked[failure.index]["op"]]:
        detail = {"data": detail}
    return ValidationError({"operations": {str(failure.index): detail}})


class OperationResultSerializer(serializers.Serializer[Any]):
    """The result of one operation; `task` is null if the task was deleted."""

    op = serializers.CharField()
    id = serializers.UUIDField()
    task = TaskSerializer(allow_null=True)


class BatchResultSerializer(serializers.Serializer[Any]):
    results = OperationResultSerializer(many=True)
