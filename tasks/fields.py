"""The fields of a task: the one table that wire, history, files and cache follow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from operator import attrgetter
from typing import Any

from tasks.models.choices import Priority

PRIORITY_NAMES = {priority.value: priority.name for priority in Priority}


def to_rfc3339(value: datetime) -> str:
    """A UTC datetime, as all are, in RFC 3339."""
    return value.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class TaskField:
    """`column` of the model, `name` on the wire; `serialize` takes no None.

    A change of a field with `in_history` is recorded.
    """

    column: str
    name: str
    serialize: Callable[[Any], Any] | None = None
    in_history: bool = False


def split_labels(labels: str) -> list[str]:
    return labels.split(",") if labels else []


def split_recurrence(text: str) -> dict[str, str]:
    """As in a response, from the column; neither part contains a space."""
    origin, zone, rule = text.split(" ")
    return {"rule": rule, "timeZone": zone, "from": origin}


def join_recurrence(said: Mapping[str, str]) -> str:
    return f"{said['from']} {said['timeZone']} {said['rule']}"


# In the order of a response.
TASK_FIELDS = (
    TaskField("id", "id", str),
    TaskField("user_id", "userId", str),
    TaskField("created_by_id", "createdById", str),
    TaskField("project_id", "projectId", str, in_history=True),
    TaskField("parent_id", "parentId", str, in_history=True),
    TaskField("title", "title", in_history=True),
    TaskField("description", "description", in_history=True),
    TaskField("status", "status", in_history=True),
    TaskField("priority", "priority", PRIORITY_NAMES.__getitem__, in_history=True),
    TaskField("labels", "labels", split_labels, in_history=True),
    TaskField("assignee_id", "assigneeId", str, in_history=True),
    TaskField("start_at", "startDate", to_rfc3339, in_history=True),
    TaskField("due_at", "dueDate", to_rfc3339, in_history=True),
    TaskField("is_all_day", "isAllDay", in_history=True),
    TaskField("time_zone", "timeZone", in_history=True),
    TaskField("completed_at", "completedAt", to_rfc3339, in_history=True),
    TaskField("recurrence", "recurrence", split_recurrence, in_history=True),
    TaskField("series_id", "seriesId", str, in_history=True),
    TaskField("next_task_id", "nextTaskId", str, in_history=True),
    TaskField("position", "position"),
    TaskField("version", "version"),
    TaskField("created_at", "createdAt", to_rfc3339),
    TaskField("updated_at", "updatedAt", to_rfc3339),
)
DELETED_AT = TaskField("deleted_at", "deletedAt", to_rfc3339, in_history=True)

COLUMNS = tuple(field.column for field in TASK_FIELDS)
NAMES = tuple(field.name for field in TASK_FIELDS)
HISTORY_FIELDS = {f.column: f for f in (*TASK_FIELDS, DELETED_AT) if f.in_history}
# A new release does not read cached lists of other fields.
CACHE_VERSION = blake2b(" ".join(NAMES).encode(), digest_size=4).hexdigest()
SERIALIZED = [(f.name, f.serialize) for f in TASK_FIELDS if f.serialize]
get_values = attrgetter(*COLUMNS)


def task_to_dict(row: Sequence[Any]) -> dict[str, Any]:
    """A task as a response shows it, from the values of COLUMNS.

    Not a serializer: on a page of tasks that costs several times as much.
    """
    task = dict(zip(NAMES, row, strict=True))
    for name, serialize in SERIALIZED:
        if (value := task[name]) is not None:
            task[name] = serialize(value)
    return task


def serialize_value(column: str, value: Any) -> Any:
    """One value of a column in HISTORY_FIELDS as a response shows it."""
    serialize = HISTORY_FIELDS[column].serialize
    return value if value is None or serialize is None else serialize(value)


def diff(before: Mapping[str, Any], task: Any) -> list[dict[str, Any]]:
    """The history's entries for columns that had these values before."""
    return [
        {
            "field": field.name,
            "from": serialize_value(column, before[column]),
            "to": serialize_value(column, getattr(task, column)),
        }
        for column, field in HISTORY_FIELDS.items()
        if column in before
    ]
