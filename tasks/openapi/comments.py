"""What comments and people add to the OpenAPI document (see taskapi.api.openapi)."""

from typing import Any

from taskapi.api.openapi import (
    COUNTED_RATE_LIMIT,
    EXAMPLE_CREATED,
    EXAMPLE_ID,
    EXAMPLE_INNER_ID,
    EXAMPLE_UPDATED,
    EXAMPLE_USER_ID,
    RATE_LIMIT,
    ErrorResponse,
    Operation,
    array_of,
    header,
    link,
    object_of,
    ref,
    text,
)
from tasks.openapi.examples import page

NEW_COMMENT = {"text": "The first draft is done."}
COMMENT: dict[str, Any] = {
    "id": EXAMPLE_INNER_ID,
    "taskId": EXAMPLE_ID,
    "authorId": EXAMPLE_USER_ID,
    **NEW_COMMENT,
    "version": 1,
    "createdAt": EXAMPLE_CREATED,
    "updatedAt": EXAMPLE_CREATED,
}
EDITED = COMMENT | {
    "text": "The second draft is done.",
    "version": 2,
    "updatedAt": EXAMPLE_UPDATED,
}
PERSON = {"id": EXAMPLE_USER_ID, "name": "Ada"}
TAGS = {
    "Comments": "What people write about tasks.",
    "People": "Those you share projects with.",
}
COMPONENT_NAMES = {"CommentCreate": "CreateComment", "CommentUpdate": "UpdateComment"}
CACHED = ["Cache-Control", "Vary"]
COMMENT_LINKS = ["GetComment", "UpdateComment", "DeleteComment"]
OF_COMMENT: dict[int, str | None] = {
    403: "CommentForbidden",
    404: "CommentNotFound",
    412: "CommentPreconditionFailed",
}
CHANGES = OF_COMMENT | {409: "ProjectArchived"}
OPERATIONS = {
    "listComments": Operation(
        tag="Comments",
        description="Whoever may read the task may read them, also while it is in the "
        "trash. New ones come last, so a walk by `nextCursor` misses none.",
        response=page(COMMENT),
        headers=["List-ETag", *CACHED],
        links=["ListMoreComments"],
        errors={403: "CommentForbidden"},
    ),
    "createComment": Operation(
        tag="Comments",
        description="For editors of the project, while the task is not in the trash. "
        "The task and its version stay as they are. 409 without `Retry-After`: the "
        "project is archived.",
        request=NEW_COMMENT,
        response=COMMENT,
        headers=["Comment-Location", "ETag", "Idempotency-Replayed"],
        links=COMMENT_LINKS,
        errors={403: "CommentForbidden"},
    ),
    "getComment": Operation(
        tag="Comments",
        description="The `ETag` is its version, for the `If-Match` of a change.",
        response=COMMENT,
        headers=["ETag", *CACHED],
        links=COMMENT_LINKS,
        errors=OF_COMMENT,
    ),
    "updateComment": Operation(
        tag="Comments",
        description="For its author, while an editor of the project. `If-Match`, or "
        "`version` in the body, makes it conditional.",
        request={"text": EDITED["text"], "version": 1},
        response=EDITED,
        headers=["ETag"],
        links=COMMENT_LINKS,
        errors=CHANGES,
    ),
    "deleteComment": Operation(tag="Comments", errors=CHANGES),
    "listPeople": Operation(
        tag="People",
        description="For the names beside `authorId`, `createdById` and `assigneeId`: "
        "your own, and those of people who share or shared a project with you. Other "
        "ids, and those of erased accounts, are left out.",
        response={"items": [PERSON]},
    ),
    "exportMe": Operation(response={"comments": [COMMENT]}),
}
ERRORS = {
    "CommentForbidden": ErrorResponse(
        403,
        "The role in the project does not suffice, or the comment was written by "
        "somebody else; or QUOTA_EXCEEDED: the task has as many comments as it may.",
        "This comment was written by somebody else.",
        RATE_LIMIT,
    ),
    "CommentNotFound": ErrorResponse(
        404,
        "There is no such comment on this task, or no such task.",
        "Comment not found.",
        COUNTED_RATE_LIMIT,
    ),
    "ProjectArchived": ErrorResponse(
        409,
        "The project is archived.",
        "The project of this task is archived.",
        RATE_LIMIT,
    ),
    "CommentPreconditionFailed": ErrorResponse(
        412,
        "If-Match, If-None-Match or `version` does not allow it; `error.current` is "
        "the comment as it is now.",
        "It has changed; error.current is what it is now.",
        ("ETag", *RATE_LIMIT),
        {"current": EDITED},
    ),
}
ID_PATTERN = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
HEADERS = {
    "Comment-Location": header(
        "The path of the created comment.",
        text(f"^/api/tasks/{ID_PATTERN}/comments/{ID_PATTERN}$"),
    ),
}
TASK_ID, ID = "$response.body#/taskId", "$response.body#/id"
LINKS = {
    "GetComment": link("getComment", "Reads the comment.", id=TASK_ID, commentId=ID),
    "UpdateComment": link("updateComment", "Changes it.", id=TASK_ID, commentId=ID),
    "DeleteComment": link(
        "deleteComment",
        "Deletes this version.",
        id=TASK_ID,
        commentId=ID,
        If_Match="$response.header.ETag",
    ),
    "ListMoreComments": link(
        "listComments",
        "The next page.",
        id="$request.path.id",
        cursor="$response.body#/nextCursor",
    ),
}
FIELDS = {
    "text": "What it says: 1 to 10,000 characters.",
    "authorId": "The account that wrote it; `null` if that was erased.",
    "Comment.taskId": "The task that it is about.",
    "UpdateCommentRequest.version": "The expected version: 412 if it has another one.",
    "Person.id": "The account's id.",
    "Person.name": "The account's name.",
    "People.items": "Those whose names the caller may see, in the order of `ids`.",
    "Export.comments": "What the account wrote, and what others wrote about its tasks.",
}


def schemas(known: dict[str, Any]) -> dict[str, Any]:
    return {"Export": object_of(comments=array_of(ref("schemas", "Comment")))}
