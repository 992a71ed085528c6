"""Which operation takes what from another's answer, for tools that follow links."""

from typing import Any

from taskapi.openapi.components import ref

ID, TRASHED = "$response.body#/id", "$response.body#/items/0/id"
PATH_ID, CURSOR = "$request.path.id", "$response.body#/nextCursor"


def link(operation: str, body: Any = None, /, **parameters: str) -> dict[str, Any]:
    about: dict[str, Any] = {"operationId": operation}
    if parameters:
        named = {name.replace("_", "-"): value for name, value in parameters.items()}
        about["parameters"] = named
    return about | ({"requestBody": body} if body else {})


TOKEN = {"refreshToken": "$response.body#/refreshToken"}
CREDENTIALS = {
    "email": "$request.body#/email",
    "password": "$request.body#/password",
}
LINKS: dict[str, dict[str, Any]] = {
    "Login": link("login", CREDENTIALS),
    "Refresh": link("refresh", TOKEN),
    "Logout": link("logout", TOKEN),
    "GetTask": link("getTask", id=ID),
    "UpdateTask": link("updateTask", id=ID),
    "ReplaceTask": link("replaceTask", id=ID, If_Match="$response.header.ETag"),
    "DeleteTask": link("deleteTask", id=ID, If_Match="$response.header.ETag"),
    "ListTaskHistory": link("listTaskHistory", id=ID),
    "RestoreDeletedTask": link("restoreTask", id=PATH_ID),
    "DestroyDeletedTask": link("destroyTask", id=PATH_ID),
    "RestoreTrashedTask": link("restoreTask", id=TRASHED),
    "DestroyTrashedTask": link("destroyTask", id=TRASHED),
    "ListMoreTrash": link("listTrash", cursor=CURSOR),
    "ListMoreTaskHistory": link("listTaskHistory", id=PATH_ID, cursor=CURSOR),
}
ONE_TASK = ("GetTask", "UpdateTask", "ReplaceTask", "DeleteTask", "ListTaskHistory")
# Operation and status -> the links of that answer.
LINKED: dict[tuple[str, int], tuple[str, ...]] = {
    ("register", 201): ("Login", "Refresh", "Logout"),
    ("login", 200): ("Refresh", "Logout"),
    ("refresh", 200): ("Refresh", "Logout"),
    ("createTask", 201): ONE_TASK,
    ("getTask", 200): ONE_TASK,
    ("updateTask", 200): ONE_TASK,
    ("replaceTask", 200): ONE_TASK,
    ("restoreTask", 200): ONE_TASK,
    ("deleteTask", 204): ("RestoreDeletedTask", "DestroyDeletedTask"),
    ("listTrash", 200): ("RestoreTrashedTask", "DestroyTrashedTask", "ListMoreTrash"),
    ("listTaskHistory", 200): ("ListMoreTaskHistory",),
}


def links(operation: str, status: int) -> dict[str, Any]:
    """What an answer has as `links`: references, under the names they have."""
    return {name: ref("links", name) for name in LINKED.get((operation, status), ())}
