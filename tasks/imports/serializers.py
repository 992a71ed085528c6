"""The rows of an import: what the API accepts, and what it would set itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.utils import timezone
from rest_framework import serializers

from taskapi.api.datetimes import RFC3339DateTimeField
from taskapi.api.fields import IdField, StrictCharField
from tasks.models import Status, Task
from tasks.operations import Import, schedule
from tasks.operations.unit_of_work import require_dates
from tasks.serializers.task import TaskCreateSerializer, VersionField

ORIGIN = (
    *("created_at", "updated_at", "version", "position"),
    *("series_id", "next_task_id"),
)
POSITION = r"[0-9a-z]{0,999}[1-9a-z]"


# Ids of another installation.
ELSEWHERE = {"projectId", "parentId", "assigneeId"}


class RowInput(TaskCreateSerializer):
    """A task with the fields that only the server sets in the API."""

    id = IdField(required=False)
    email = StrictCharField(required=False)
    completedAt = RFC3339DateTimeField(
        source="completed_at", allow_null=True, required=False
    )
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)
    createdAt = RFC3339DateTimeField(source="created_at", required=False)
    updatedAt = RFC3339DateTimeField(source="updated_at", required=False)

    seriesId = IdField(source="series_id", allow_null=True, required=False)
    nextTaskId = IdField(source="next_task_id", allow_null=True, required=False)
    position = serializers.RegexField(f"^{POSITION}$", max_length=1000, required=False)

    # An id of the exporting installation; here the e-mail address names the owner.
    read_only_echoes = frozenset({"userId", "createdById", *ELSEWHERE})

    def get_fields(self) -> dict[str, Any]:
        every = super().get_fields()
        return {name: each for name, each in every.items() if name not in ELSEWHERE}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("completed_at") is None:
            attrs.pop("completed_at", None)
        elif attrs.get("status") != Status.DONE:
            raise serializers.ValidationError(
                {"completedAt": ["Allowed with DONE only."]}
            )
        require_dates(attrs.get("start_at"), attrs.get("due_at"))
        schedule.follow(Task(), attrs, timezone.now())
        return attrs


@dataclass(frozen=True)
class Row:
    """A valid row: its line, its owner and its content."""

    line: int
    owner_id: UUID
    id: UUID
    values: Mapping[str, Any]
    origin: Mapping[str, Any]

    def operation(self, *, overwrite: bool) -> Import:
        return Import(self.values, self.id, origin=self.origin, overwrite=overwrite)

    def dump(self) -> str:
        return json.dumps([self.values, self.origin], default=str)


def load(line: int, owner_id: UUID, id: UUID, dumped: str) -> Row:
    values, origin = (
        {name: restore_value(name, value) for name, value in part.items()}
        for part in json.loads(dumped)
    )
    return Row(line, owner_id, id, values, origin)


def restore_value(name: str, value: Any) -> Any:
    if value and name.endswith("_id"):
        return UUID(value)
    return datetime.fromisoformat(value) if value and name.endswith("_at") else value


def build_row(line: int, owner_id: UUID, row: Any, valid: Mapping[str, Any]) -> Row:
    """Build a row from the parsed values and the validated ones.

    The id of a row without one is derived from its owner, line and content, so that
    importing a file again finds the tasks of the first time.
    """
    values = dict(valid)
    values.pop("email", None)
    content = json.dumps(row, sort_keys=True)
    pk = values.pop("id", None) or uuid5(owner_id, f"import {line} {content}")
    origin = {name: values.pop(name) for name in ORIGIN if name in values}
    return Row(line, owner_id, pk, values, origin)


def format_errors(errors: Any) -> str:
    """Format the errors of a serializer, or another refusal, in one line."""
    if isinstance(errors, str):
        return str(errors)
    if isinstance(errors, list):
        return " ".join(map(str, errors))
    return "; ".join(
        f"{name}: {format_errors(messages)}".removeprefix("non_field_errors: ")
        for name, messages in errors.items()
    )
