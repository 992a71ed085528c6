"""What this app adds to the OpenAPI document (see taskapi.api.openapi)."""

from typing import Any

from taskapi.api.openapi import (
    COUNT,
    COUNTED_RATE_LIMIT,
    NULLABLE_UTC,
    RATE_LIMIT,
    UTC,
    UUID,
    ErrorResponse,
    Operation,
    array_of,
    header,
    link,
    object_of,
    ref,
    text,
)
from tasks.openapi import examples, extensions

__all__ = ["extensions"]  # it registers itself by being imported

TAGS = {
    "Tasks": "Your tasks, one at a time, in lists and in batches.",
    "Trash": "Deleted tasks, which can be restored or permanently removed.",
}
COMPONENT_NAMES = {
    "TaskCreate": "CreateTask",
    "TaskUpdate": "UpdateTask",
    "TaskReplace": "ReplaceTask",
    "Version": "RestoreTask",
    "TaskChange": "Change",
}
CACHED = ["Cache-Control", "Vary"]
TASK_LINKS = ["GetTask", "UpdateTask", "ReplaceTask", "DeleteTask", "ListTaskHistory"]
FORBIDDEN: dict[int, str | None] = {403: "Forbidden"}
CONDITIONAL = FORBIDDEN | {412: "PreconditionFailed"}
OPERATIONS = {
    "listTasks": Operation(
        response=examples.page(examples.TASK), headers=["List-ETag", *CACHED]
    ),
    "createTask": Operation(
        request=examples.NEW_TASK,
        response=examples.TASK,
        headers=["Location", "ETag", "Idempotency-Replayed"],
        links=TASK_LINKS,
        errors={403: "QuotaExceeded"},
    ),
    "getTask": Operation(
        response=examples.TASK,
        headers=["ETag", *CACHED],
        links=TASK_LINKS,
        errors=CONDITIONAL,
    ),
    "updateTask": Operation(
        request={"status": "IN_PROGRESS", "version": 1},
        response=examples.STARTED,
        headers=["ETag"],
        links=TASK_LINKS,
        errors=CONDITIONAL,
    ),
    "replaceTask": Operation(
        request=examples.REPLACEMENT,
        response=examples.STARTED | examples.REPLACEMENT,
        headers=["ETag"],
        links=TASK_LINKS,
        errors=CONDITIONAL,
    ),
    "deleteTask": Operation(
        links=["RestoreDeletedTask", "DestroyDeletedTask"], errors=CONDITIONAL
    ),
    "batchTasks": Operation(
        request={"operations": examples.BATCH},
        response={"results": examples.BATCH_RESULTS},
        headers=["Idempotency-Replayed"],
        errors={412: "OperationPreconditionFailed"},
    ),
    "exportTasks": Operation(files=examples.FILES, headers=["Content-Disposition"]),
    "getTaskStats": Operation(response=examples.STATS),
    "listTaskHistory": Operation(
        response=examples.page(examples.CHANGE),
        links=["ListMoreTaskHistory"],
        errors=FORBIDDEN,
    ),
    "listTrash": Operation(
        tag="Trash",
        response=examples.page(examples.TRASHED),
        links=["RestoreTrashedTask", "DestroyTrashedTask", "ListMoreTrash"],
    ),
    "restoreTask": Operation(
        tag="Trash",
        request={"version": 3},
        response=examples.RESTORED,
        headers=["ETag", "Idempotency-Replayed"],
        links=TASK_LINKS,
        errors=CONDITIONAL,
    ),
    "destroyTask": Operation(tag="Trash", errors=CONDITIONAL),
    "exportMe": Operation(response=examples.EXPORTED),
}
ERRORS = {
    "QuotaExceeded": ErrorResponse(
        403,
        "A quota of the account is used up (QUOTA_EXCEEDED); waiting does not help.",
        "QUOTA_TASKS: an account may have 10,000 tasks, with those in the trash. "
        "Remove some from the trash.",
        RATE_LIMIT,
        {"code": "QUOTA_EXCEEDED"},
    ),
    "Forbidden": ErrorResponse(
        403,
        "The task belongs to another user; or QUOTA_EXCEEDED: a quota of the account "
        "is used up.",
        "This task belongs to somebody else.",
        RATE_LIMIT,
    ),
    "NotFound": ErrorResponse(404, "Not found.", "Task not found.", COUNTED_RATE_LIMIT),
    "PreconditionFailed": ErrorResponse(
        412,
        "If-Match, If-None-Match or `version` does not allow it; `error.current` is "
        "the task as it is now.",
        "The task has changed; error.current is what it is now.",
        ("ETag", *RATE_LIMIT),
        {"current": examples.STARTED},
    ),
    "OperationPreconditionFailed": ErrorResponse(
        412,
        "The `version` of an operation does not match the current version: "
        "`error.index` names the operation, `error.current` is the task as it is now. "
        "Nothing was written.",
        "operations[0]: The task has changed; error.current is what it is now.",
        RATE_LIMIT,
        {"current": examples.STARTED, "index": 0},
    ),
    "PreconditionRequired": ErrorResponse(
        428,
        "If-Match is required.",
        "Send If-Match with the ETag of the task that this one replaces.",
        RATE_LIMIT,
    ),
}
HEADERS = {
    "Location": header(
        "The path of the created task.",
        text("^/api/tasks/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
    ),
}
ID, TRASHED_ID = "$response.body#/id", "$response.body#/items/0/id"
PATH_ID, CURSOR = "$request.path.id", "$response.body#/nextCursor"
LINKS = {
    "GetTask": link("getTask", id=ID),
    "UpdateTask": link("updateTask", id=ID),
    "ReplaceTask": link("replaceTask", id=ID, If_Match="$response.header.ETag"),
    "DeleteTask": link("deleteTask", id=ID, If_Match="$response.header.ETag"),
    "ListTaskHistory": link("listTaskHistory", id=ID),
    "RestoreDeletedTask": link("restoreTask", id=PATH_ID),
    "DestroyDeletedTask": link("destroyTask", id=PATH_ID),
    "RestoreTrashedTask": link("restoreTask", id=TRASHED_ID),
    "DestroyTrashedTask": link("destroyTask", id=TRASHED_ID),
    "ListMoreTrash": link("listTrash", cursor=CURSOR),
    "ListMoreTaskHistory": link("listTaskHistory", id=PATH_ID, cursor=CURSOR),
}
EXPORT = object_of(
    tasks=array_of(ref("schemas", "ExportedTask")),
    history=array_of(ref("schemas", "ExportedChange")),
    idempotencyKeys=array_of(
        object_of(
            key=text(minLength=1, maxLength=255),
            status={"type": "integer", "minimum": 200, "maximum": 299},
            body=text(description="The body of the response, as it was sent."),
            createdAt=UTC,
        )
    ),
)
ERROR_PROPERTIES = {
    "index": COUNT
    | {"description": "The failed operation of a batch, from 0.", "maximum": 99},
    # Any JSON: each kind of resource has its own.
    "current": {
        "description": "The resource as it is now; with PRECONDITION_FAILED only."
    },
}


def schemas(known: dict[str, Any]) -> dict[str, Any]:
    return {
        "Error": {"properties": ERROR_PROPERTIES},
        "Export": EXPORT,
        "ExportedTask": extended(known["Task"], deletedAt=NULLABLE_UTC),
        "ExportedChange": extended(known["Change"], taskId=UUID),
    }


def extended(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return schema | object_of(**schema["properties"], **properties)
