"""Requests and answers as the OpenAPI description shows them; tests hold them true."""

from typing import Any

from tasks.exports.formats import FORMATS

REQUEST_ID = "4f0c7d3e9a5b4c1d8e2f6a7b8c9d0e1f"
USER_ID = "0b6f3a52-7c1e-4d5a-9f3b-2a8d6c4e1f07"
TASK_ID = "5d2c8e14-3f6b-4a79-8c0d-9e1f2a3b4c5d"
SESSION_ID = "c4b1f7e8-2d6a-4e93-b5f0-7a8c9d1e2f36"
CREATED, UPDATED = "2026-12-01T09:00:00Z", "2026-12-02T10:30:00.250000Z"
NAME, EMAIL, PASSWORD = "Ada Lovelace", "ada@example.com", "correct horse battery"
DUE, TITLE = "2026-12-31T17:00:00Z", "Build the API"
ACCESS = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJhY2Nlc3MifQ.c2lnbmF0dXJl"
REFRESH = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJyZWZyZXNoIn0.c2lnbmF0dXJl"
RESET = "0b6f3a527c1e4d5a9f3b2a8d6c4e1f07.d1x2y3-9f8e7d6c5b4a39281706f5e4d3c2b1a0"

USER = {
    "id": USER_ID,
    "name": NAME,
    "email": EMAIL,
    "role": "USER",
    "createdAt": CREATED,
    "updatedAt": CREATED,
}
TOKENS = {"user": USER, "accessToken": ACCESS, "refreshToken": REFRESH}
SESSION = {
    "id": SESSION_ID,
    "userAgent": "curl/8.14.1",
    "ip": "192.0.2.7",
    "createdAt": CREATED,
    "lastUsedAt": UPDATED,
    "expiresAt": "2026-12-31T09:00:00Z",
    "current": True,
}
TASK: dict[str, Any] = {
    "id": TASK_ID,
    "title": TITLE,
    "description": None,
    "status": "TODO",
    "priority": "HIGH",
    "dueDate": DUE,
    "completedAt": None,
    "userId": USER_ID,
    "version": 1,
    "createdAt": CREATED,
    "updatedAt": CREATED,
}
STARTED = TASK | {"status": "IN_PROGRESS", "version": 2, "updatedAt": UPDATED}
DELETED = {"version": 3, "updatedAt": UPDATED, "deletedAt": UPDATED}
RESTORED = TASK | {"version": 4, "updatedAt": UPDATED}
CHANGE = {
    "version": 2,
    "changedBy": USER_ID,
    "changedAt": UPDATED,
    "requestId": REQUEST_ID,
    "changes": [{"field": "status", "from": "TODO", "to": "IN_PROGRESS"}],
}
REPLACEMENT = {
    "title": TITLE,
    "description": "With tests.",
    "status": "TODO",
    "priority": "HIGH",
    "dueDate": None,
}
OPERATIONS = [
    {"op": "create", "data": {"title": TITLE, "priority": "HIGH", "dueDate": DUE}},
    {"op": "update", "id": TASK_ID, "version": 1, "data": {"status": "IN_PROGRESS"}},
    {"op": "delete", "id": TASK_ID, "version": 2},
]
CREATED_ID = "8a7b6c5d-4e3f-4d2c-9b1a-0f9e8d7c6b5a"
RESULTS = [
    {"op": "create", "id": CREATED_ID, "task": TASK | {"id": CREATED_ID}},
    {"op": "update", "id": TASK_ID, "task": STARTED},
    {"op": "delete", "id": TASK_ID, "task": None},
]
EXPORTED_USER = USER | {"revision": 3, "isActive": True}
EXPORTED_SESSION = {
    "id": SESSION_ID,
    "userAgent": "curl/8.14.1",
    "ip": "192.0.2.7",
    "createdAt": CREATED,
    "lastUsedAt": UPDATED,
    "rotatedAt": CREATED,
    "idleUntil": "2026-12-08T09:00:00Z",
    "expiresAt": "2026-12-31T09:00:00Z",
    "endedAt": None,
    "endReason": "",
}
ANSWER = {"key": "first", "status": 201, "body": "{}", "createdAt": CREATED}
HEALTH = {"status": "ok", "database": "ok", "cache": "ok"}


def page(item: Any) -> dict[str, Any]:
    return {
        "items": [item],
        "total": 1,
        "totalIsExact": True,
        "page": 1,
        "totalPages": 1,
        "nextCursor": None,
    }


# Operation -> body of a request.
REQUESTS: dict[str, Any] = {
    "register": {"name": NAME, "email": EMAIL, "password": PASSWORD},
    "login": {"email": EMAIL, "password": PASSWORD},
    "refresh": {"refreshToken": REFRESH},
    "logout": {"refreshToken": REFRESH},
    "updateMe": {"name": "Ada King"},
    "eraseMe": {"password": PASSWORD},
    "changePassword": {
        "currentPassword": PASSWORD,
        "newPassword": "another battery, a new staple",
    },
    "forgotPassword": {"email": EMAIL},
    "resetPassword": {"token": RESET, "newPassword": PASSWORD},
    "createTask": {"title": TITLE, "priority": "HIGH", "dueDate": DUE},
    "updateTask": {"status": "IN_PROGRESS", "version": 1},
    "replaceTask": REPLACEMENT,
    "restoreTask": {"version": 3},
    "batchTasks": {"operations": OPERATIONS},
}
# Operation -> body of its success.
ANSWERS: dict[str, Any] = {
    "register": TOKENS,
    "login": TOKENS,
    "refresh": TOKENS,
    "listSessions": {"items": [SESSION]},
    "getMe": USER,
    "updateMe": USER | {"name": "Ada King", "updatedAt": UPDATED},
    "exportMe": {
        "user": [EXPORTED_USER],
        "sessions": [EXPORTED_SESSION],
        "tasks": [TASK | {"deletedAt": None}],
        "history": [{"taskId": TASK_ID} | CHANGE],
        "idempotencyKeys": [ANSWER],
    },
    "listTasks": page(TASK),
    "createTask": TASK,
    "getTask": TASK,
    "updateTask": STARTED,
    "replaceTask": STARTED | REPLACEMENT,
    "restoreTask": RESTORED,
    "batchTasks": {"results": RESULTS},
    "getTaskStats": {
        "total": 3,
        "isExact": True,
        "byStatus": {"TODO": 1, "IN_PROGRESS": 1, "DONE": 1},
        "byPriority": {"LOW": 0, "MEDIUM": 2, "HIGH": 1, "URGENT": 0},
        "overdue": 1,
        "dueToday": 0,
    },
    "listTaskHistory": page(CHANGE),
    "listTrash": page(TASK | DELETED),
    "getHealth": HEALTH,
    "getLiveness": {"status": "ok"},
    "getReadiness": HEALTH,
}
# Media type -> a file of one task.
FILES = {each.media_type: "".join(each.write([[TASK]])) for each in FORMATS.values()}
