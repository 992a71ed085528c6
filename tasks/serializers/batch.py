"""The body and the answer of `POST /api/tasks/batch`."""

import re
from typing import Any
from uuid import UUID

from rest_framework import serializers

from taskapi.api.fields import StrictChoiceField
from taskapi.api.preconditions import Precondition
from taskapi.api.serializers import StrictSerializer
from tasks.operations import Create, Delete, Operation, Update
from tasks.serializers.task import (
    TaskCreateSerializer,
    TaskSerializer,
    TaskUpdateSerializer,
    VersionField,
)

MAX_OPERATIONS = 100
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# What each `op` needs, what it may have besides, and what reads its `data`.
REQUIRED = {"create": {"data"}, "update": {"id", "data"}, "delete": {"id"}}
OPTIONAL: dict[str, set[str]] = {
    "create": set(),
    "update": {"version"},
    "delete": {"version"},
}
BODIES = {"create": TaskCreateSerializer(), "update": TaskUpdateSerializer()}


class IdField(serializers.UUIDField):
    """An id as RFC 9562 section 4 writes it; a UUID can be made of more."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not ID.fullmatch(data):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class OperationSerializer(StrictSerializer):
    """One operation: `id` for update and delete, `data` for create and update."""

    op = StrictChoiceField(list(REQUIRED))
    id = IdField(required=False, format="hex_verbose")
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)
    data = serializers.DictField(required=False)  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given, op = attrs.keys() - {"op"}, attrs["op"]
        errors = {n: ["Required for this op."] for n in REQUIRED[op] - given}
        allowed = REQUIRED[op] | OPTIONAL[op]
        errors |= {n: [f"Not for op {op}."] for n in given - allowed}
        if errors:
            raise serializers.ValidationError(errors)
        return {"op": op, "operation": self.operation(attrs)}

    def operation(self, attrs: dict[str, Any]) -> Operation:
        values = self.values(attrs)
        version = values.pop("version", attrs.get("version"))
        if attrs.get("version", version) != version:
            raise serializers.ValidationError(
                {"version": ["Differs from data.version."]}
            )
        kind = {"create": Create, "update": Update, "delete": Delete}[attrs["op"]]
        return kind(values, attrs.get("id"), Precondition(version=version))

    def values(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "data" not in attrs:
            return {}
        try:
            return dict(BODIES[attrs["op"]].run_validation(attrs["data"]))
        except serializers.ValidationError as error:
            raise serializers.ValidationError({"data": error.detail}) from error


class BatchSerializer(StrictSerializer):
    operations = OperationSerializer(  # type: ignore[call-arg]
        many=True, allow_empty=False, max_length=MAX_OPERATIONS
    )


class OperationResultSerializer(serializers.Serializer[Any]):
    """The result of one operation; `task` is null if the task was deleted."""

    op = serializers.CharField()
    id = serializers.UUIDField()
    task = TaskSerializer(allow_null=True)


class BatchResultSerializer(serializers.Serializer[Any]):
    results = OperationResultSerializer(many=True)
