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
from tasks.openapi.fields import FIELDS

__all__ = ["FIELDS", "extensions"]  # the latter registers itself by being imported

TAGS = {
    "Tasks": "Your tasks, one at a time, in lists and in batches.",
    "Trash": "Deleted tasks, which can be restored or permanently removed.",
}
COMPONENT_NAMES = {
    "TaskCreate": "CreateTask",
    "TaskUpdate": "UpdateTask",
    "TaskReplace": "ReplaceTask",
    "TaskMove": "MoveTask",
    "TaskCopy": "CopyTask",
    "RecurrenceField": "Recurrence",
    "Version": "RestoreTask",
    "TaskChange": "Change",
}
CACHED = ["Cache-Control", "Vary"]
TASK_LINKS = ["GetTask", "UpdateTask", "ReplaceTask", "DeleteTask", "ListTaskHistory"]
FORBIDDEN: dict[int, str | None] = {403: "Forbidden"}
CONDITIONAL = FORBIDDEN | {412: "PreconditionFailed"}
OPERATIONS = {
    "listTasks": Operation(
        description="All filters must match. To read every task, follow `nextCursor` "
        "until it is `null`; `page` is for people who browse. Counting stops at "
        "10,000. `If-None-Match` with the `ETag` of the last answer saves the body.",
        response=examples.page(examples.TASK),
        headers=["List-ETag", *CACHED],
        errors=FORBIDDEN,
    ),
    "createTask": Operation(
        description="Only `title` is required. With an `Idempotency-Key`, the request "
        "can be sent again without making a second task.",
        request=examples.NEW_TASK,
        response=examples.TASK,
        headers=["Location", "ETag", "Idempotency-Replayed"],
        links=TASK_LINKS,
        errors={403: "QuotaExceeded"},
    ),
    "getTask": Operation(
        description="The `ETag` is its version, for the `If-Match` of a change.",
        response=examples.TASK,
        headers=["ETag", *CACHED],
        links=TASK_LINKS,
        errors=CONDITIONAL,
    ),
    "updateTask": Operation(
        description="An absent field stays as it is; `null` clears a field that may be "
        "`null`. Changes of different fields at the same time all last. `If-Match`, or "
        "`version` in the body, makes it conditional. `completedAt` follows `status`.",
        request={"status": "IN_PROGRESS", "version": 1},
        response=examples.STARTED,
        headers=["ETag"],
        links=TASK_LINKS,
        errors=CONDITIONAL,
    ),
    "replaceTask": Operation(
        description="Requires every writable field, and `If-Match`, so that nothing is "
        "overwritten that the client has not seen.",
        request=examples.REPLACEMENT,
        response=examples.STARTED | examples.REPLACEMENT,
        headers=["ETag"],
        links=TASK_LINKS,
        errors=CONDITIONAL,
    ),
    "deleteTask": Operation(
        links=["RestoreDeletedTask", "DestroyDeletedTask"], errors=CONDITIONAL
    ),
    "moveTask": Operation(
        description="Subtasks come along. `parentId` is cleared with a new project, "
        "unless it is sent; an assignee without access is unassigned. A task "
        "stays in its space: 409 for a project of another owner, where it is copied.",
        request={"parentId": None},
        response=examples.STARTED,
        headers=["ETag", "Idempotency-Replayed"],
        links=TASK_LINKS,
        errors=CONDITIONAL,
    ),
    "copyTask": Operation(
        description="Labels are taken by their names, the assignee if a member there; "
        "comments are not copied.",
        request={"projectId": examples.PROJECT_ID},
        response=examples.TASK,
        headers=["Location", "ETag", "Idempotency-Replayed"],
        links=TASK_LINKS,
        errors=FORBIDDEN,
    ),
    "skipTask": Operation(
        description="The first occurrence after both its due date and now; those that "
        "are passed over count against COUNT. 409 for a task that does not recur, is "
        "done, or has its last occurrence. The body is optional; its `version` is a "
        "precondition, as If-Match is.",
        request={"version": 1},
        response=examples.SKIPPED,
        headers=["ETag", "Idempotency-Replayed"],
        links=TASK_LINKS,
        errors=CONDITIONAL,
    ),
    "listTaskOccurrences": Operation(
        description="The occurrences after both its due date and now, in order: the "
        "first is what the next task will be due at if this one is completed now. None "
        "for a task that does not recur or is done; none later than 40 years from now.",
        response=examples.OCCURRENCES,
        errors=FORBIDDEN,
    ),
    "batchTasks": Operation(
        description="Executed in this order, in one transaction. If one fails, nothing "
        "is written: the answer has its status, and `error.index` is its position.",
        request={"operations": examples.BATCH},
        response={"results": examples.BATCH_RESULTS},
        headers=["Idempotency-Replayed"],
        errors=FORBIDDEN | {412: "OperationPreconditionFailed"},
    ),
    "exportTasks": Operation(
        description="What the list shows with the same filters, as it was when the "
        "request began, however long the download takes. `format` decides, not "
        "`Accept`; errors are JSON.",
        files=examples.FILES,
        errors={403: "ProjectForbidden"},
        headers=["Content-Disposition"],
    ),
    "getTaskStats": Operation(
        description="For a dashboard. Takes the filters of the list and counts what it "
        "lists: no tasks in the trash, and those of archived projects only if they are "
        "asked for.",
        response=examples.STATS,
        errors={403: "ProjectForbidden"},
    ),
    "listTaskHistory": Operation(
        description="Who changed which field, when, from what to what. A task in the "
        "trash keeps its history.",
        response=examples.page(examples.CHANGE),
        links=["ListMoreTaskHistory"],
        errors=FORBIDDEN,
    ),
    "listTrash": Operation(
        tag="Trash",
        description="Deleted tasks stay here for 30 days, unless the operator has set "
        "another time.",
        response=examples.page(examples.TRASHED),
        links=["RestoreTrashedTask", "DestroyTrashedTask", "ListMoreTrash"],
    ),
    "emptyTrash": Operation(
        tag="Trash",
        description="Removes what is in your trash when the request arrives, however "
        "much it is: it is gone at once, and its storage is freed afterwards. What is "
        "deleted later stays. It cannot be undone.",
    ),
    "getTrashedTask": Operation(
        tag="Trash",
        description="Only for the account that the task belongs to.",
        response=examples.TRASHED,
        headers=["ETag", *CACHED],
        links=["RestoreReadTask", "DestroyReadTask"],
        errors=CONDITIONAL,
    ),
    "restoreTask": Operation(
        tag="Trash",
        description="The body is optional; its `version` is a precondition, as "
        "If-Match is.",
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
    "GetTask": link("getTask", "Reads the task.", id=ID),
    "UpdateTask": link("updateTask", "Changes the task.", id=ID),
    "ReplaceTask": link(
        "replaceTask", "Replaces this version.", id=ID, If_Match="$response.header.ETag"
    ),
    "DeleteTask": link(
        "deleteTask", "Deletes this version.", id=ID, If_Match="$response.header.ETag"
    ),
    "ListTaskHistory": link("listTaskHistory", "Its changes.", id=ID),
    "RestoreDeletedTask": link("restoreTask", "Restores it.", id=PATH_ID),
    "DestroyDeletedTask": link("destroyTask", "Removes it for good.", id=PATH_ID),
    "RestoreTrashedTask": link("restoreTask", "Restores the first.", id=TRASHED_ID),
    "DestroyTrashedTask": link("destroyTask", "Removes the first.", id=TRASHED_ID),
    "RestoreReadTask": link("restoreTask", "Restores it.", id=ID),
    "DestroyReadTask": link(
        "destroyTask", "Removes it.", id=ID, If_Match="$response.header.ETag"
    ),
    "ListMoreTrash": link("listTrash", "The next page.", cursor=CURSOR),
    "ListMoreTaskHistory": link(
        "listTaskHistory", "The next page.", id=PATH_ID, cursor=CURSOR
    ),
}
EXPORT = object_of(
    tasks=array_of(ref("schemas", "ExportedTask")),
    history=array_of(ref("schemas", "ExportedChange")),
    idempotencyKeys=array_of(ref("schemas", "ExportedIdempotencyKey")),
)
EXPORTED_KEY = object_of(
    key=text(minLength=1, maxLength=255),
    status={"type": "integer", "minimum": 200, "maximum": 299},
    body=text(),
    createdAt=UTC,
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
        "ExportedIdempotencyKey": EXPORTED_KEY,
    }


def extended(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return schema | object_of(**schema["properties"], **properties)
