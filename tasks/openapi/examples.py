"""Example requests and responses; tests check them against their schemas."""

from typing import Any

from taskapi.api.openapi import (
    EXAMPLE_CREATED,
    EXAMPLE_ID,
    EXAMPLE_REQUEST_ID,
    EXAMPLE_UPDATED,
    EXAMPLE_USER_ID,
)
from tasks.exports.formats import FORMATS

PROJECT_ID = "0f8fad5b-d9cb-869f-a165-70867728950e"
NEW_TASK: dict[str, Any] = {
    "title": "Build the API",
    "priority": "HIGH",
    "labels": ["api"],
    "dueDate": "2026-12-31T17:00:00Z",
}
TASK: dict[str, Any] = {
    "id": EXAMPLE_ID,
    "userId": EXAMPLE_USER_ID,
    "createdById": EXAMPLE_USER_ID,
    "projectId": PROJECT_ID,
    "parentId": None,
    "title": NEW_TASK["title"],
    "description": None,
    "status": "TODO",
    "priority": NEW_TASK["priority"],
    "labels": ["api"],
    "assigneeId": None,
    "startDate": None,
    "dueDate": NEW_TASK["dueDate"],
    "isAllDay": False,
    "timeZone": None,
    "completedAt": None,
    "recurrence": None,
    "seriesId": None,
    "nextTaskId": None,
    "position": "0655b1f24c80000005d2i",
    "version": 1,
    "createdAt": EXAMPLE_CREATED,
    "updatedAt": EXAMPLE_CREATED,
}
RECURRENCE = {
    "rule": "FREQ=WEEKLY;BYDAY=MO",
    "timeZone": "Europe/Berlin",
    "from": "DUE",
}
SKIPPED = TASK | {
    "dueDate": "2027-01-11T17:00:00Z",
    "recurrence": RECURRENCE,
    "seriesId": EXAMPLE_ID,
    "version": 2,
    "updatedAt": EXAMPLE_UPDATED,
}
OCCURRENCES = {
    "items": [{"dueDate": "2027-01-11T17:00:00Z"}, {"dueDate": "2027-01-18T17:00:00Z"}]
}
STARTED = TASK | {
    "status": "IN_PROGRESS",
    "version": 2,
    "updatedAt": EXAMPLE_UPDATED,
}
TRASHED = TASK | {
    "version": 3,
    "updatedAt": EXAMPLE_UPDATED,
    "deletedAt": EXAMPLE_UPDATED,
}
RESTORED = TASK | {"version": 4, "updatedAt": EXAMPLE_UPDATED}
REPLACEMENT = {
    "title": NEW_TASK["title"],
    "description": "With tests.",
    "status": "TODO",
    "priority": "HIGH",
    "dueDate": None,
}
CHANGE = {
    "version": 2,
    "changedBy": EXAMPLE_USER_ID,
    "changedAt": EXAMPLE_UPDATED,
    "requestId": EXAMPLE_REQUEST_ID,
    "changes": [{"field": "status", "from": "TODO", "to": "IN_PROGRESS"}],
}
CREATED_ID = "8a7b6c5d-4e3f-4d2c-9b1a-0f9e8d7c6b5a"
BATCH = [
    {"op": "create", "data": NEW_TASK},
    {
        "op": "update",
        "id": EXAMPLE_ID,
        "version": 1,
        "data": {"status": "IN_PROGRESS"},
    },
    {"op": "delete", "id": EXAMPLE_ID, "version": 2},
]
BATCH_RESULTS = [
    {"op": "create", "id": CREATED_ID, "task": TASK | {"id": CREATED_ID}},
    {"op": "update", "id": EXAMPLE_ID, "task": STARTED},
    {"op": "delete", "id": EXAMPLE_ID, "task": None},
]
STATS = {
    "total": 3,
    "isExact": True,
    "byStatus": {"TODO": 1, "IN_PROGRESS": 1, "DONE": 1},
    "byPriority": {"LOW": 0, "MEDIUM": 2, "HIGH": 1, "URGENT": 0},
    "byProject": {PROJECT_ID: 3},
    "overdue": 1,
    "dueToday": 0,
}
EXPORTED = {
    "tasks": [TASK | {"deletedAt": None}],
    "history": [{"taskId": EXAMPLE_ID} | CHANGE],
    "idempotencyKeys": [
        {"key": "first", "status": 201, "body": "{}", "createdAt": EXAMPLE_CREATED}
    ],
}


def page(item: Any) -> dict[str, Any]:
    return {
        "items": [item],
        "total": 1,
        "totalIsExact": True,
        "page": 1,
        "totalPages": 1,
        "nextCursor": None,
    }


FILES = {each.media_type: "".join(each.write([[TASK]])) for each in FORMATS.values()}
