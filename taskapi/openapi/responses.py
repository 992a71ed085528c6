"""Headers and errors, which the document defines once and refers to."""

import re
from functools import cache
from itertools import chain
from typing import Any

from taskapi.api.errors import CODES
from taskapi.api.openapi import (
    COUNTED_RATE_LIMIT,
    EXAMPLE_REQUEST_ID,
    RATE_LIMIT,
    ErrorResponse,
    header,
    known_values,
    object_of,
    ref,
    text,
)
from taskapi.openapi import apps

JSON = "application/json"
# Distinguishes components of one header.
VARIANT = re.compile("^[A-Z][a-z]+-(?=RateLimit|ETag|Location|Retry-After|WWW)")
SUCCESSES = {
    200: "OK.",
    201: "Created.",
    202: "Accepted.",
    204: "No content.",
    304: "Not modified: a tag of If-None-Match is still current.",
}
REQUEST_ID = text("^[A-Za-z0-9._-]{1,64}$")
POLICY = header(
    "The rate limits that apply (draft-ietf-httpapi-ratelimit-headers).",
    text(r'^"[a-z]+";q=\d+;w=\d+(, "[a-z]+";q=\d+;w=\d+)*$'),
)
USAGE = header(
    "The requests left under each limit, and the seconds until it resets.",
    text(r'^"[a-z]+";r=\d+;t=\d+(, "[a-z]+";r=\d+;t=\d+)*$'),
)
SECONDS = {"type": "integer", "minimum": 1}
HEADERS = {
    "X-Request-Id": header(
        "The id of the request: the one it sent, or a new one.", REQUEST_ID
    ),
    "RateLimit-Policy": POLICY,
    "RateLimit": USAGE,
    "Counted-RateLimit-Policy": POLICY | {"required": False},
    "Counted-RateLimit": USAGE | {"required": False},
    "Retry-After": header("The number of seconds to wait.", SECONDS),
    "Conflict-Retry-After": header(
        "The number of seconds to wait, if waiting helps.", SECONDS, required=False
    ),
    "WWW-Authenticate": header(
        "Bearer, with an error code if a token was rejected (RFC 6750).",
        text('^Bearer( error="invalid_token")?$'),
    ),
    "Scope-WWW-Authenticate": header(
        "With INSUFFICIENT_SCOPE: Bearer, and the scopes that a personal token needs "
        "(RFC 6750); without one where only a signed-in session may.",
        text(
            '^Bearer error="insufficient_scope"(, scope="[a-z]+:[a-z]+( [a-z:]+)*")?$'
        ),
        required=False,
    ),
    "Allow": header("The allowed methods.", text("^[A-Z]+(, [A-Z]+)*$", minLength=3)),
    "ETag": header("The version of the resource.", text(r'^"v[1-9]\d*"$')),
    "Content-ETag": header(
        "Changes whenever the resource does.", text('^"[0-9a-f]{18}"$')
    ),
    "List-ETag": header(
        "Changes whenever the list may have changed.", text('^W/"[A-Za-z0-9-]+"$')
    ),
    "Cache-Control": header(
        "The client may store the response, and revalidates it before each use.",
        text("^private, no-cache$"),
    ),
    "Vary": header("Contains Authorization.", text("(^|, )Authorization(,|$)")),
    "Idempotency-Replayed": header(
        "Present if this is the response to the first request with the same "
        "Idempotency-Key.",
        text(enum=["true"]),
        required=False,
    ),
    "Accept": header(
        "The media types that are read here.",
        text("^[a-z/+-]+(, [a-z/+-]+)*$"),
        required=False,
    ),
    "Accept-Patch": header(
        "With PATCH: the media types that it takes (RFC 5789).",
        text("^[a-z/+-]+(, [a-z/+-]+)*$"),
        required=False,
    ),
    "Accept-Encoding": header(
        "If the body had a Content-Encoding: it is read without one only.",
        text(enum=["identity"]),
        required=False,
    ),
    "Content-Disposition": header(
        "The suggested file name.", text('^attachment; filename="[a-z.]+"$')
    ),
}
FIELD_DETAIL = {
    "field": "title",
    "code": "blank",
    "message": "This field may not be blank.",
}
MORE_CODES = {
    400: ["MALFORMED_JSON", "VALIDATION_ERROR"],
    403: ["INSUFFICIENT_SCOPE", "QUOTA_EXCEEDED"],
}
ERRORS = {
    "BadRequest": ErrorResponse(
        400,
        "The request is invalid: VALIDATION_ERROR with `details`, MALFORMED_JSON or "
        "BAD_REQUEST.",
        "title: This field may not be blank.",
        COUNTED_RATE_LIMIT,
        {"code": "VALIDATION_ERROR", "details": [FIELD_DETAIL]},
    ),
    "Unauthorized": ErrorResponse(
        401,
        "The token is missing, invalid, expired or revoked, or the credentials are "
        "wrong.",
        "The access token is invalid, expired or revoked.",
        ("WWW-Authenticate", *COUNTED_RATE_LIMIT),
    ),
    "InsufficientScope": ErrorResponse(
        403,
        "The personal token lacks the scope of this operation, which the message "
        "names; or only a signed-in session may do this.",
        "A personal token cannot do this; sign in.",
        RATE_LIMIT,
        {"code": "INSUFFICIENT_SCOPE"},
    ),
    "MethodNotAllowed": ErrorResponse(
        405,
        "The response to every method that this path does not document, and never to "
        "this operation. `Allow` lists the allowed methods, with HEAD and OPTIONS.",
        'Method "TRACE" not allowed.',
        ("Allow", *COUNTED_RATE_LIMIT),
    ),
    "NotAcceptable": ErrorResponse(
        406,
        "`Accept` excludes every media type of this operation.",
        "Could not satisfy the request Accept header.",
    ),
    "StillRunning": ErrorResponse(
        409,
        "The state forbids it, as the message says; or, with Retry-After: a request "
        "with this Idempotency-Key, or another write of yours, is still running.",
        "This request, or another write of yours, is still running.",
        ("Conflict-Retry-After", *RATE_LIMIT),
    ),
    "PayloadTooLarge": ErrorResponse(
        413, "The body is too large.", "The body is too large.", COUNTED_RATE_LIMIT
    ),
    "UnsupportedMediaType": ErrorResponse(
        415,
        "The body is not application/json in UTF-8 (or, with PATCH, "
        "application/merge-patch+json), or it is compressed.",
        'Unsupported media type "text/plain" in request.',
        ("Accept", "Accept-Patch", "Accept-Encoding", *COUNTED_RATE_LIMIT),
    ),
    "IdempotencyKeyReused": ErrorResponse(
        422,
        "The Idempotency-Key was used before with a different request.",
        "This Idempotency-Key came before with another request.",
        RATE_LIMIT,
    ),
    "TooManyRequests": ErrorResponse(
        429,
        "Too many requests; wait for Retry-After seconds.",
        "Request was throttled. Expected available in 42 seconds.",
        ("Retry-After", *RATE_LIMIT),
    ),
    "InternalServerError": ErrorResponse(
        500, "Something went wrong.", "Something went wrong", COUNTED_RATE_LIMIT
    ),
    "ServiceUnavailable": ErrorResponse(
        503,
        "The database does not respond; retry after Retry-After seconds.",
        "The database does not answer; try again.",
        ("Retry-After", *COUNTED_RATE_LIMIT),
    ),
}


def errors() -> list[tuple[str, ErrorResponse]]:
    """Components by status; of one status the project's come last."""
    found = apps.merged("ERRORS") | ERRORS
    return sorted(found.items(), key=lambda item: item[1].status)


@cache
def default_errors() -> dict[int, str]:
    """Status -> component: the project's, else the first of the apps'."""
    names = {error.status: name for name, error in reversed(errors())}
    return names | {error.status: name for name, error in ERRORS.items()}


def components() -> dict[str, dict[str, Any]]:
    """The headers, links and errors of the project and of the apps."""
    return {
        "responses": {name: error_component(error) for name, error in errors()},
        "headers": HEADERS | apps.merged("HEADERS"),
        "links": apps.merged("LINKS"),
    }


def error_component(error: ErrorResponse) -> dict[str, Any]:
    code = CODES[error.status]
    body = {"code": code, "message": error.message} | error.error
    example = {"error": body, "requestId": EXAMPLE_REQUEST_ID}
    headers = error.headers
    if error.status == 403:
        headers = *headers, "Scope-WWW-Authenticate"
    content = {"schema": ref("schemas", "ErrorResponse"), "example": example}
    return {
        "description": error.description,
        "headers": header_refs(*headers),
        "content": {JSON: content},
        # Not in the schema: clients should have one type for all errors.
        "x-error-codes": [code, *MORE_CODES.get(error.status, [])],
    }


def header_refs(*names: str) -> dict[str, Any]:
    """References by the name of the header; a prefix distinguishes its variants."""
    return {
        VARIANT.sub("", name): ref("headers", name) for name in ("X-Request-Id", *names)
    }


SCHEMAS = {
    # Generated code names variables after types, too: `Error` would be its `error`.
    "ErrorResponse": object_of(error=ref("schemas", "Error"), requestId=REQUEST_ID),
    "Error": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": text(
                minLength=1,
                description="For programs; by the status, if it is unknown. "
                + known_values(sorted({*CODES.values(), *chain(*MORE_CODES.values())})),
            ),
            "message": text(minLength=1, description="A sentence for people."),
            "details": {
                "type": "array",
                "description": "Present with VALIDATION_ERROR only.",
                "items": ref("schemas", "FieldError"),
                "minItems": 1,
            },
        },
        "additionalProperties": True,
    },
    "FieldError": object_of(
        field=text(
            description="A path such as `operations.3.data.title`; empty for the whole "
            "body."
        ),
        code=text(minLength=1),
        message=text(minLength=1),
    ),
}
