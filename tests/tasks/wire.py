"""Reading answers and making many rows, for the tests of tasks."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import ANY

from django.utils import timezone

from accounts.models import User
from tasks.models import Task, inbox_id
from tasks.operations import ActorContext, Create, Delete, perform, perform_one

JSON = "application/json"
ACCEPTED = (
    "projectId, parentId, title, description, status, priority, labels, assigneeId, "
    "startDate, dueDate, isAllDay, timeZone, recurrence"
)


def untouched(owner: User) -> dict[str, Any]:
    """The fields of a task that its maker has not set."""
    return {
        "userId": str(owner.pk),
        "createdById": str(owner.pk),
        "projectId": str(inbox_id(owner.pk)),
        "parentId": None,
        "labels": [],
        "assigneeId": None,
        "startDate": None,
        "isAllDay": False,
        "timeZone": None,
        "recurrence": None,
        "seriesId": None,
        "nextTaskId": None,
        "completedAt": None,
        "position": ANY,
    }


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def author(owner: User) -> ActorContext:
    return ActorContext(owner.pk, owner.pk, "test", timezone.now())


def make_tasks(owner: User, rows: list[dict[str, Any]]) -> list[Task]:
    """Many tasks of one moment, so that their ids alone tell `createdAt` apart."""
    creations = [Create({"title": "Water the plants"} | row) for row in rows]
    return perform(creations, author(owner))


def trash(task: Task) -> Task:
    return perform_one(Delete(id=task.pk), author(task.user))


def error_of(response: Any) -> dict[str, Any]:
    """The error, after a check of what is the same for every error."""
    body = response.json()
    assert response["Content-Type"] == JSON
    assert body.keys() == {"error", "requestId"}
    assert body["requestId"] == response["X-Request-Id"]
    return body["error"]


def details_of(response: Any) -> list[tuple[str, str]]:
    """Field and code of each detail of a validation error."""
    assert response.status_code == 400
    error = error_of(response)
    assert error.keys() == {"code", "message", "details"}
    assert error["code"] == "VALIDATION_ERROR"
    return [(detail["field"], detail["code"]) for detail in error["details"]]


def titles(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [item["title"] for item in response.json()["items"]]


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [item["id"] for item in response.json()["items"]]


def pages(api: Any, path: str, query: dict[str, Any]) -> Iterator[Any]:
    """The answers of a walk by cursor, asked for one after the other."""
    response = api.get(path, query)
    yield response
    while cursor := response.json()["nextCursor"]:
        response = api.get(path, query | {"cursor": cursor})
        assert response.status_code == 200, response.content
        yield response


def walk(
    api: Any,
    query: dict[str, Any],
    path: str = "/api/tasks",
    between: Callable[[list[str]], None] = lambda seen: None,
) -> list[str]:
    """All ids that a walk by cursor comes by; `between` is called after each page."""
    seen: list[str] = []
    for page in pages(api, path, query):
        seen += ids(page)
        between(seen)
    return seen
