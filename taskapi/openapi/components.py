"""What the OpenAPI description says of bodies that no serializer describes."""

from typing import Any

from taskapi.api.errors import CODES

JSON = "application/json"
COUNT = {"type": "integer", "minimum": 0}
# Every instant of an answer, whatever offset it was sent with.
UTC = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$",
}
UUID = {"type": "string", "format": "uuid"}
UUID_PATTERN = "^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$"


def text(pattern: str = "", **more: Any) -> dict[str, Any]:
    return {"type": "string"} | ({"pattern": pattern} if pattern else {}) | more


def ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def record(**properties: Any) -> dict[str, Any]:
    """An object that always has all of these."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def listed(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def when(code: str, then: dict[str, Any], otherwise: dict[str, Any]) -> dict[str, Any]:
    asked = {"properties": {"code": {"const": code}}, "required": ["code"]}
    return {"if": asked, "then": then, "else": otherwise}


def without(*names: str) -> dict[str, Any]:
    return {"properties": dict.fromkeys(names, False)}


ERROR_BODY = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {
            "type": "string",
            "enum": sorted({*CODES.values(), "VALIDATION_ERROR", "MALFORMED_JSON"}),
        },
        "message": text(minLength=1, description="A sentence for people."),
        "details": {
            "type": "array",
            "description": "With VALIDATION_ERROR, and only then.",
            "items": ref("schemas", "FieldError"),
            "minItems": 1,
        },
        "index": COUNT
        | {"description": "Which operation of a batch failed, from 0.", "maximum": 99},
        "current": ref("schemas", "Task")
        | {"description": "With PRECONDITION_FAILED: the task as it is now."},
    },
    **when(
        "VALIDATION_ERROR",
        {"required": ["details"]} | without("index", "current"),
        when(
            "PRECONDITION_FAILED",
            {"required": ["current"]} | without("details"),
            without("details", "current"),
        ),
    ),
}
FIELD_ERROR = record(
    field=text(
        description="Path such as `operations.3.data.title`; empty for the whole body."
    ),
    code=text(minLength=1),
    message=text(minLength=1),
)
REQUEST_ID_TEXT = text("^[A-Za-z0-9._-]{1,64}$")
STATE = {"type": "string", "enum": ["ok", "down"]}
HEALTH = {
    "type": "object",
    "description": "Without `database` and `cache` while the server drains.",
    "required": ["status"],
    "properties": {
        "status": {"type": "string", "enum": ["ok", "down", "draining"]},
        "database": STATE,
        "cache": {
            "type": "string",
            "enum": ["ok", "down", "local"],
            "description": "`local`: each process has its own.",
        },
    },
}
NULLABLE_UTC = UTC | {"type": ["string", "null"]}
EXPORT = record(
    user=listed(
        record(
            id=UUID,
            name=text(),
            email=text(),
            role=ref("schemas", "Role"),
            revision=COUNT,
            isActive={"type": "boolean"},
            createdAt=UTC,
            updatedAt=UTC,
        )
    ),
    sessions=listed(
        record(
            id=UUID,
            userAgent=text(),
            ip={"type": ["string", "null"]},
            createdAt=UTC,
            lastUsedAt=UTC,
            rotatedAt=UTC,
            idleUntil=UTC,
            expiresAt=UTC,
            endedAt=NULLABLE_UTC,
            endReason=text(),
        )
    ),
    tasks=listed(ref("schemas", "ExportedTask")),
    history=listed(ref("schemas", "ExportedChange")),
    idempotencyKeys=listed(
        record(
            key=text(minLength=1, maxLength=255),
            status={"type": "integer", "minimum": 200, "maximum": 299},
            body=text(description="The answer, as it was given."),
            createdAt=UTC,
        )
    ),
)


def schemas(known: dict[str, Any]) -> dict[str, Any]:
    """What no serializer describes, out of what the serializers did."""
    return {
        # Generated code names variables after types, too: `Error` would be its `error`.
        "ErrorResponse": record(
            error=ref("schemas", "Error"), requestId=REQUEST_ID_TEXT
        ),
        "Error": ERROR_BODY,
        "FieldError": FIELD_ERROR,
        "Health": HEALTH,
        "Export": EXPORT,
        "ExportedTask": extended(known["Task"], deletedAt=NULLABLE_UTC),
        "ExportedChange": extended(known["Change"], taskId=UUID),
    }


def extended(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return schema | record(**schema["properties"], **properties)
