"""The OpenAPI description: what operations may answer besides what views say."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny

from taskapi.errors import CODES

TEXT = {"type": "string"}
ERROR = {
    "type": "object",
    "required": ["error", "requestId"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {
                    "type": "string",
                    "enum": sorted(
                        {*CODES.values(), "VALIDATION_ERROR", "MALFORMED_JSON"}
                    ),
                },
                "message": TEXT | {"description": "A sentence for people."},
                "details": {
                    "type": "array",
                    "description": "With VALIDATION_ERROR only.",
                    "items": {
                        "type": "object",
                        "required": ["field", "code", "message"],
                        "properties": {"field": TEXT, "code": TEXT, "message": TEXT},
                    },
                },
                "index": {
                    "type": "integer",
                    "description": "The operation of a batch that failed.",
                },
                "current": {"$ref": "#/components/schemas/Task"},
            },
        },
        "requestId": TEXT,
    },
}
MEANINGS = {
    304: "Not modified: what If-None-Match names is still current.",
    400: "The input is refused; `details` name each field.",
    401: "No token, or one that is invalid, expired or revoked; or bad credentials.",
    403: "Somebody else's task.",
    404: "Not found.",
    405: "The method is not allowed here; `Allow` lists those that are.",
    406: "Only application/json is served.",
    409: "A conflict with what is there, or a request with this key still runs.",
    412: "If-Match or `version` is not current; `error.current` is.",
    413: "The body is too large.",
    415: "Only application/json in UTF-8 is read.",
    422: "The Idempotency-Key came before with another request.",
    428: "If-Match is required.",
    429: "Too many requests; wait for Retry-After seconds.",
    500: "Something went wrong.",
    503: "The database is away; retry after Retry-After seconds.",
}
HEADERS = {
    "X-Request-Id": "The request's own id, or a new one.",
    "RateLimit-Policy": "The limits that apply (draft-ietf-httpapi-ratelimit-headers).",
    "RateLimit": "What is left of them, and for how long.",
}
MORE_HEADERS = {
    401: {"WWW-Authenticate": "Bearer, and why the token was refused (RFC 6750)."},
    405: {"Allow": "The methods that are allowed."},
    412: {"ETag": "The current tag."},
    429: {"Retry-After": "Whole seconds."},
    503: {"Retry-After": "Whole seconds."},
}


class Schema(AutoSchema):
    def get_operation(self, *args: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args)
        if operation:
            summary, _, more = operation.pop("description").partition("\n")
            operation["summary"] = summary.rstrip(".")
            if more.strip():
                operation["description"] = more.strip()
            for status in self.statuses(operation):
                operation["responses"].setdefault(str(status), {})
            for status, response in operation["responses"].items():
                complete(int(status), response)
        return operation

    def statuses(self, operation: dict[str, Any]) -> set[int]:
        """What this operation may answer whatever its view does."""
        statuses = {400, 406, 429, 500, 503}
        if AllowAny not in self.view.permission_classes:
            statuses.add(401)
        if "requestBody" in operation:
            statuses |= {413, 415}
        if "{" in self.path:
            statuses |= {403, 404} if "/tasks/" in self.path else {404}
        return statuses


def complete(status: int, response: dict[str, Any]) -> None:
    """Describe an answer; give a refusal its body."""
    if status >= 300:
        response["description"] = MEANINGS[status]
    if status >= 400:
        schema = {"$ref": "#/components/schemas/Error"}
        response["content"] = {"application/json": {"schema": schema}}
    headers = HEADERS | MORE_HEADERS.get(status, {})
    named = {name: {"schema": TEXT, "description": d} for name, d in headers.items()}
    response["headers"] = named | response.get("headers", {})


def add_error(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Postprocessing hook: the one error shape."""
    result["components"]["schemas"]["Error"] = ERROR
    return result


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.SessionTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class NoScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.authentication.NoAuthentication"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[Any]:
        return []

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Any]:
        return []
