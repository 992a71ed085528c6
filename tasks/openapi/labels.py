"""What labels add to the OpenAPI document (see taskapi.api.openapi)."""

from typing import Any

from taskapi.api.openapi import (
    COUNTED_RATE_LIMIT,
    EXAMPLE_CREATED,
    EXAMPLE_ID,
    EXAMPLE_UPDATED,
    RATE_LIMIT,
    ErrorResponse,
    Operation,
    header,
    link,
    text,
)
from tasks.openapi.examples import page

NEW_LABEL = {"name": "garden", "color": "#2e8b57"}
LABEL: dict[str, Any] = {
    "id": EXAMPLE_ID,
    **NEW_LABEL,
    "version": 1,
    "createdAt": EXAMPLE_CREATED,
    "updatedAt": EXAMPLE_CREATED,
}
RENAMED = LABEL | {"name": "allotment", "version": 2, "updatedAt": EXAMPLE_UPDATED}
TAGS = {"Labels": "Names that your tasks can have."}
COMPONENT_NAMES = {"LabelCreate": "CreateLabel", "LabelUpdate": "UpdateLabel"}
CACHED = ["Cache-Control", "Vary"]
LABEL_LINKS = ["UpdateLabel", "DeleteLabel"]
OF_LABEL: dict[int, str | None] = {403: "LabelForbidden", 404: "LabelNotFound"}
CHANGES = OF_LABEL | {409: "LabelConflict", 412: "LabelPreconditionFailed"}
OPERATIONS = {
    "listLabels": Operation(
        tag="Labels",
        description="By name, without regard to case. With `project`, the labels of "
        "that project's live tasks, for whoever may read it.",
        response=page(LABEL),
        errors={403: "ProjectForbidden"},
        links=["ListMoreLabels"],
    ),
    "createLabel": Operation(
        tag="Labels",
        description="A name that is new on a task becomes a label, too. Without regard "
        "to case, no two have the same name: 409 without `Retry-After`.",
        request=NEW_LABEL,
        response=LABEL,
        headers=["Label-Location", "ETag", "Idempotency-Replayed"],
        links=LABEL_LINKS,
        errors={403: "QuotaExceeded"},
    ),
    "getLabel": Operation(
        tag="Labels",
        description="The `ETag` is its version, for the `If-Match` of a change.",
        response=LABEL,
        headers=["ETag", *CACHED],
        links=LABEL_LINKS,
        errors=OF_LABEL | {412: "LabelPreconditionFailed"},
    ),
    "updateLabel": Operation(
        tag="Labels",
        description="Each task that has the label, in the trash or not, changes with "
        "it: its version and its history say so. `If-Match`, or `version` in the body, "
        "makes it conditional. 409 if more than 5,000 tasks have it, or 500,000 "
        "characters of text: the command `manage.py rename_label` renames it on any.",
        request={"name": RENAMED["name"], "version": 1},
        response=RENAMED,
        headers=["ETag", *CACHED],
        links=LABEL_LINKS,
        errors=CHANGES,
    ),
    "deleteLabel": Operation(
        tag="Labels",
        description='The tasks stay, and change. A body `{"version": 3}` is a '
        "precondition, as If-Match is. 409 if more than 5,000 tasks have it, or "
        "500,000 characters of text: the command `manage.py delete_label` does it.",
        errors=CHANGES,
    ),
}
ERRORS = {
    "LabelForbidden": ErrorResponse(
        403,
        "The label belongs to another user.",
        "This label belongs to somebody else.",
        RATE_LIMIT,
    ),
    "LabelNotFound": ErrorResponse(
        404, "There is no such label.", "Label not found.", COUNTED_RATE_LIMIT
    ),
    "LabelConflict": ErrorResponse(
        409,
        "Another label has this name, or too many tasks have the label.",
        'There is a label "garden" already.',
        RATE_LIMIT,
    ),
    "LabelPreconditionFailed": ErrorResponse(
        412,
        "If-Match, If-None-Match or `version` does not allow it; `error.current` is "
        "the label as it is now.",
        "It has changed; error.current is what it is now.",
        ("ETag", *RATE_LIMIT),
        {"current": RENAMED},
    ),
}
HEADERS = {
    "Label-Location": header(
        "The path of the created label.",
        text("^/api/labels/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
    ),
}
ID = "$response.body#/id"
LINKS = {
    "UpdateLabel": link("updateLabel", "Changes the label.", id=ID),
    "DeleteLabel": link(
        "deleteLabel",
        "Deletes this version.",
        id=ID,
        If_Match="$response.header.ETag",
    ),
    "ListMoreLabels": link(
        "listLabels", "The next page.", cursor="$response.body#/nextCursor"
    ),
}
EXPECTED_VERSION = "The expected version: 412 if the label has another one."
FIELDS = {
    "Label.name": "What it is called: up to 50 characters, and no comma.",
    "CreateLabelRequest.name": "What it is called; spaces around it do not count.",
    "UpdateLabelRequest.name": "What it is called on every task from now on.",
    "color": "A colour such as `#2e8b57`; `null` if it has none.",
    "UpdateLabelRequest.version": EXPECTED_VERSION,
}


def schemas(known: dict[str, Any]) -> dict[str, Any]:
    return {}
