"""What tasks are, in plain Python: the model that the API is held against."""

from collections import Counter
from datetime import datetime
from typing import Any
from unicodedata import normalize

NOW = "now"  # stands for the moment of the write, which only the answer tells
DEFAULTS: dict[str, Any] = {
    "description": None,
    "status": "TODO",
    "priority": "MEDIUM",
    "parentId": None,
    "labels": [],
    "assigneeId": None,
    "startDate": None,
    "dueDate": None,
    "isAllDay": False,
    "timeZone": None,
    "recurrence": None,
    "seriesId": None,
    "nextTaskId": None,
    "completedAt": None,
}
DELETED = {"deletedAt": NOW}
RANKS = {"LOW": 1, "MEDIUM": 2, "HIGH": 3, "URGENT": 4}
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"

Wire = dict[str, Any]


def created(values: Wire) -> Wire:
    task = DEFAULTS | values | {"version": 1, "createdAt": NOW, "updatedAt": NOW}
    return task | {"completedAt": NOW if task["status"] == "DONE" else None}


def changed(task: Wire, values: Wire) -> Wire:
    if all(task[name] == value for name, value in values.items()):
        return task
    after = task | values | {"version": task["version"] + 1, "updatedAt": NOW}
    if after["status"] != task["status"]:
        after["completedAt"] = NOW if after["status"] == "DONE" else None
    return after


def batch(
    tasks: dict[str, Wire], operations: list[Wire]
) -> tuple[dict[str, Wire], tuple[int, int] | None]:
    """The tasks afterwards, without the new ones; index and status of a failure."""
    after = dict(tasks)
    for index, operation in enumerate(operations):
        if operation["op"] == "create":
            continue
        task = after.get(operation["id"])
        if task is None or task["deletedAt"]:
            return after, (index, 404)
        if operation.get("version", task["version"]) != task["version"]:
            return after, (index, 412)
        after[task["id"]] = changed(task, operation.get("data", DELETED))
    return after, None


def settled(task: Wire, answer: Wire) -> Wire:
    """The task with the moment that the answer tells."""
    now = answer["updatedAt"]
    return {name: now if value == NOW else value for name, value in task.items()}


def shown(task: Wire) -> Wire:
    return {name: value for name, value in task.items() if name != "deletedAt"}


def folded(text: str) -> str:
    """As texts are compared: by letters, however they are cased or composed."""
    return normalize("NFC", normalize("NFC", text).casefold())


def is_overdue(task: Wire) -> bool:
    return task["dueDate"] == PAST and task["status"] != "DONE"


def matches(task: Wire, query: Wire) -> bool:
    text = f"{task['title']}\n{task['description'] or ''}"
    tests = {
        "status": lambda v: task["status"] in v.split(","),
        "priority": lambda v: task["priority"] in v.split(","),
        "dueDate": lambda v: task["dueDate"] is None,
        "overdue": lambda v: is_overdue(task) == (v == "true"),
        "q": lambda v: folded(v) in folded(text),
    }
    return all(tests[name](v) for name, v in query.items() if name in tests)


def ordered(tasks: list[Wire], sort: str) -> list[Wire]:
    name, is_descending = sort.removeprefix("-"), sort.startswith("-")

    def key(task: Wire) -> Any:
        if name in {"createdAt", "updatedAt"}:
            return datetime.fromisoformat(task[name])
        if name == "title":
            return folded(task[name])
        return RANKS[task[name]] if name == "priority" else task[name]

    by_id = sorted(tasks, key=lambda t: t["id"], reverse=is_descending)
    with_key = [task for task in by_id if task[name] is not None]
    nulls = [task for task in by_id if task[name] is None]
    return [*sorted(with_key, key=key, reverse=is_descending), *nulls]


def stats(tasks: list[Wire]) -> Wire:
    def count(name: str, values: list[str]) -> dict[str, int]:
        return {v: sum(task[name] == v for task in tasks) for v in values}

    return {
        "total": len(tasks),
        "isExact": True,
        "byStatus": count("status", ["TODO", "IN_PROGRESS", "DONE"]),
        "byPriority": count("priority", list(RANKS)),
        "byProject": dict(Counter(task["projectId"] for task in tasks)),
        "overdue": sum(map(is_overdue, tasks)),
        "dueToday": 0,
    }
