"""What a row of an import may hold: what the API accepts, and what it would decide."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from rest_framework import serializers

from taskapi.api.datetimes import RFC3339DateTimeField
from taskapi.api.fields import StrictCharField
from tasks.models import Status
from tasks.operations import Import
from tasks.serializers.batch import IdField
from tasks.serializers.task import TaskCreateSerializer, VersionField

ORIGIN = ("created_at", "updated_at", "version")


class RowInput(TaskCreateSerializer):
    """A task with what only the server decides elsewhere."""

    id = IdField(required=False)
    email = StrictCharField(required=False)
    completedAt = RFC3339DateTimeField(
        source="completed_at", allow_null=True, required=False
    )
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)
    createdAt = RFC3339DateTimeField(source="created_at", required=False)
    updatedAt = RFC3339DateTimeField(source="updated_at", required=False)

    # Of the installation that the row comes from; here the e-mail address names the
    # owner.
    read_only_echoes = frozenset({"userId"})

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("completed_at") is None:
            attrs.pop("completed_at", None)
        elif attrs.get("status") != Status.DONE:
            raise serializers.ValidationError({"completedAt": ["Only with DONE."]})
        return attrs


@dataclass(frozen=True)
class Row:
    """A valid row: where it is from, whose it is to be, and what it holds."""

    line: int
    owner_id: UUID
    id: UUID
    values: Mapping[str, Any]
    origin: Mapping[str, Any]

    def operation(self, *, overwrite: bool) -> Import:
        return Import(self.values, self.id, origin=self.origin, overwrite=overwrite)

    def dump(self) -> str:
        return json.dumps([self.values, self.origin], default=datetime.isoformat)


def load(line: int, owner_id: UUID, id: UUID, dumped: str) -> Row:
    values, origin = (
        {name: restored(name, value) for name, value in part.items()}
        for part in json.loads(dumped)
    )
    return Row(line, owner_id, id, values, origin)


def restored(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if value and name.endswith("_at") else value


def made(line: int, owner_id: UUID, row: Any, valid: Mapping[str, Any]) -> Row:
    """A row out of what was read and what was found valid in it.

    A row without id gets one that follows from its owner, line and content: the same
    file, imported again, finds what it has made.
    """
    values = dict(valid)
    values.pop("email", None)
    content = json.dumps(row, sort_keys=True)
    pk = values.pop("id", None) or uuid5(owner_id, f"import {line} {content}")
    origin = {name: values.pop(name) for name in ORIGIN if name in values}
    return Row(line, owner_id, pk, values, origin)


def told(errors: Any) -> str:
    """A serializer's errors in one line."""
    if isinstance(errors, list):
        return " ".join(map(str, errors))
    return "; ".join(
        f"{name}: {told(messages)}".removeprefix("non_field_errors: ")
        for name, messages in errors.items()
    )
