"""References within a batch: what an earlier create makes has an id beforehand.

A create may set `ref`; later operations write `{"ref": "a"}` wherever an id is taken.
Here each reference becomes the id that the task will have, so that nothing else knows
of them.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from rest_framework.serializers import ValidationError

MAX_REF = 64
NAMES = ("id", "before", "after")
IDS_IN_DATA = ("parentId",)
UNKNOWN = "No earlier create of this batch has this ref."


def resolve(operations: list[Any]) -> list[Any]:
    """The operations with ids for references; ValidationError by index."""
    ids: dict[str, str] = {}
    resolved, errors = [], {}
    for index, operation in enumerate(operations):
        try:
            resolved.append(resolve_one(operation, ids))
        except ValidationError as error:
            errors[str(index)] = error.detail
    if errors:
        raise ValidationError({"operations": errors})
    return resolved


def resolve_one(operation: Any, ids: dict[str, str]) -> Any:
    if not isinstance(operation, Mapping):
        return operation
    found = dict(operation)
    replace(found, NAMES, ids)
    if isinstance(found.get("data"), Mapping):
        found["data"] = dict(found["data"])
        replace(found["data"], IDS_IN_DATA, ids)
    if found.get("op") == "create" and "ref" in found:
        found["ref"] = define(found["ref"], ids)
    return found


def replace(
    values: dict[str, Any], names: tuple[str, ...], ids: Mapping[str, str]
) -> None:
    for name in names:
        value = values.get(name)
        if isinstance(value, Mapping) and value.keys() == {"ref"}:
            ref = value["ref"]
            if not isinstance(ref, str) or ref not in ids:
                raise ValidationError({name: [UNKNOWN]})
            values[name] = ids[ref]


def define(ref: Any, ids: dict[str, str]) -> str:
    """The id of the task that this create will make."""
    if not isinstance(ref, str) or not 0 < len(ref) <= MAX_REF:
        raise ValidationError({"ref": [f"A text of 1 to {MAX_REF} characters."]})
    if ref in ids:
        raise ValidationError({"ref": ["An earlier create has the same ref."]})
    ids[ref] = str(uuid4())
    return ids[ref]
