"""What following changes adds to the OpenAPI document (see taskapi.api.openapi)."""

from typing import Any

from taskapi.api.openapi import RATE_LIMIT, ErrorResponse, Operation, known_values, link
from tasks.openapi.examples import TASK
from tasks.views.changes import EXAMPLE_SINCE

CHANGED: dict[str, Any] = {
    "type": "task",
    "op": "upsert",
    "id": TASK["id"],
    "data": TASK,
}
GONE = {"type": "comment", "op": "remove", "id": TASK["projectId"], "data": None}
TAGS = {"Changes": "Everything that you can see, kept up to date."}
KINDS = ("project", "member", "label", "task", "comment")
OPERATIONS = {
    "listChanges": Operation(
        tag="Changes",
        description="Without `since`, everything you can see, in pages; with the last "
        "`nextToken`, what changed since, each thing once, as it is now. Go on while "
        "`hasMore` is true, also after a page without items. What a project or a task "
        "had goes with it when it is removed. 410: start anew, without `since`.",
        response={
            "items": [GONE, CHANGED],
            "nextToken": EXAMPLE_SINCE,
            "hasMore": False,
        },
        headers=["Cache-Control", "Vary"],
        links=["ListMoreChanges"],
        errors={403: "InsufficientScope", 410: "SyncExpired"},
    ),
}
ERRORS = {
    "SyncExpired": ErrorResponse(
        410,
        "The token is older than what is kept of changes, or the server was restored "
        "to an older moment: drop all you have, and start anew without `since`.",
        "This token is older than what is kept of changes. Drop all that you have, and "
        "start anew without `since`.",
        RATE_LIMIT,
    ),
}
LINKS = {
    "ListMoreChanges": link(
        "listChanges", "What comes next.", since="$response.body#/nextToken"
    ),
}
FIELDS = {
    "Changes.items": "What changed: first what has gone, then projects, members, "
    "labels, tasks with parents before their subtasks, and comments.",
    "nextToken": "The `since` of the next request, now or later; for you alone.",
    "hasMore": "Whether there is more to be read now.",
    "ChangeItem.type": f"What it is. {known_values(KINDS)}",
    "ChangeItem.op": f"What to do with it. {known_values(('upsert', 'remove'))}",
    "ChangeItem.id": "Its id; of a member, those of the project and of the account, "
    "with a colon between them.",
    "ChangeItem.data": "A project, label, task or comment as its own operations show "
    "it; of a member `projectId`, `userId`, `role` and `joinedAt`; `null` if it is "
    "removed.",
}


def schemas(known: dict[str, Any]) -> dict[str, Any]:
    return {}
