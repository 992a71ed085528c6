"""Headers and refusals, which the OpenAPI description has once and refers to."""

from typing import Any

from taskapi.api.errors import CODES
from taskapi.openapi.components import JSON, REQUEST_ID_TEXT, ref, text
from taskapi.openapi.examples import REQUEST_ID, STARTED


def header(
    description: str, schema: dict[str, Any], *, required: bool = True
) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": schema}


POLICY = header(
    "The limits that apply, in whole seconds (draft-ietf-httpapi-ratelimit-headers).",
    text(r'^"[a-z]+";q=\d+;w=\d+(, "[a-z]+";q=\d+;w=\d+)*$'),
)
USAGE = header(
    "What is left of them, and for how many seconds.",
    text(r'^"[a-z]+";r=\d+;t=\d+(, "[a-z]+";r=\d+;t=\d+)*$'),
)
HEADERS = {
    "X-Request-Id": header("The request's own id, or a new one.", REQUEST_ID_TEXT),
    "RateLimit-Policy": POLICY,
    "RateLimit": USAGE,
    "Counted-RateLimit-Policy": POLICY | {"required": False},
    "Counted-RateLimit": USAGE | {"required": False},
    "Retry-After": header("Whole seconds.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": header(
        "Bearer, and why the token was refused (RFC 6750).",
        text('^Bearer( error="invalid_token")?$'),
    ),
    "Allow": header(
        "The methods that are allowed.", text("^[A-Z]+(, [A-Z]+)*$", minLength=3)
    ),
    "Location": header(
        "Where the task is.",
        text("^/api/tasks/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
    ),
    "ETag": header("The task's version.", text(r'^"v[1-9]\d*"$')),
    "List-ETag": header("Changes when the list may have.", text('^W/"[A-Za-z0-9-]+"$')),
    "Cache-Control": header(
        "May be kept, and is asked for again.", text("^private, no-cache$")
    ),
    "Vary": header("Names Authorization.", text("(^|, )Authorization(,|$)")),
    "Idempotency-Replayed": header(
        "The answer is the one to the first request with this Idempotency-Key.",
        text(enum=["true"]),
        required=False,
    ),
    "Content-Disposition": header(
        "A name to keep it under.", text('^attachment; filename="[a-z.]+"$')
    ),
}
LIMITS = ("RateLimit-Policy", "RateLimit")
# Only once the request was counted, which some refusals come before.
COUNTED = ("Counted-RateLimit-Policy", "Counted-RateLimit")


def headers(*names: str) -> dict[str, Any]:
    """References; what stands before the name proper tells variants apart."""
    return {
        name.removeprefix("Counted-").removeprefix("List-"): ref("headers", name)
        for name in ("X-Request-Id", *names)
    }


def error_codes(status: int) -> list[str]:
    more = ["MALFORMED_JSON", "VALIDATION_ERROR"] if status == 400 else []
    return [CODES[status], *more]


def refusal(
    status: int, description: str, message: str, *named: str, **more: Any
) -> dict[str, Any]:
    error = {"code": CODES[status], "message": message} | more
    example = {"error": error, "requestId": REQUEST_ID}
    content = {"schema": ref("schemas", "ErrorResponse"), "example": example}
    return {
        "description": description,
        "headers": headers(*named),
        "content": {JSON: content},
        # Not in the schema: clients are to have one type for all errors.
        "x-error-codes": error_codes(status),
    }


FIELD_DETAIL = {
    "field": "title",
    "code": "blank",
    "message": "This field may not be blank.",
}
REFUSALS = {
    "BadRequest": refusal(
        400,
        "The input is refused: VALIDATION_ERROR with `details`, MALFORMED_JSON or "
        "BAD_REQUEST.",
        "title: This field may not be blank.",
        *COUNTED,
        code="VALIDATION_ERROR",
        details=[FIELD_DETAIL],
    ),
    "Unauthorized": refusal(
        401,
        "No token, or one that is invalid, expired or revoked; or bad credentials.",
        "The access token is invalid, expired or revoked.",
        "WWW-Authenticate",
        *COUNTED,
    ),
    "Forbidden": refusal(
        403,
        "Somebody else's task.",
        "This task belongs to somebody else.",
        *LIMITS,
    ),
    "NotFound": refusal(404, "Not found.", "Task not found.", *COUNTED),
    "MethodNotAllowed": refusal(
        405,
        "Not an answer of this operation, but to every method of this path that is "
        "described nowhere here; `Allow` lists those that are, with HEAD and OPTIONS.",
        'Method "TRACE" not allowed.',
        "Allow",
        *COUNTED,
    ),
    "NotAcceptable": refusal(
        406,
        "`Accept` leaves out what is served here.",
        "Could not satisfy the request Accept header.",
    ),
    "EmailTaken": refusal(
        409,
        "This e-mail address is registered already.",
        "This e-mail address is already registered.",
        *LIMITS,
    ),
    "StillRunning": refusal(
        409,
        "A request with this Idempotency-Key, or another write of yours, still runs.",
        "This request, or another write of yours, is still running.",
        "Retry-After",
        *LIMITS,
    ),
    "PreconditionFailed": refusal(
        412,
        "If-Match or `version` is not current; `error.current` is.",
        "The task has changed; error.current is what it is now.",
        "ETag",
        *LIMITS,
        current=STARTED,
    ),
    "OperationPreconditionFailed": refusal(
        412,
        "An operation's `version` is not current: `error.index` tells whose, "
        "`error.current` what is. Nothing was written.",
        "operations[0]: The task has changed; error.current is what it is now.",
        *LIMITS,
        current=STARTED,
        index=0,
    ),
    "PayloadTooLarge": refusal(
        413, "The body is too large.", "The body is too large.", *COUNTED
    ),
    "UnsupportedMediaType": refusal(
        415,
        "Only application/json in UTF-8 is read.",
        'Unsupported media type "text/plain" in request.',
        *COUNTED,
    ),
    "IdempotencyKeyReused": refusal(
        422,
        "The Idempotency-Key came before with another request.",
        "This Idempotency-Key came before with another request.",
        *LIMITS,
    ),
    "PreconditionRequired": refusal(
        428,
        "If-Match is required.",
        "Send If-Match with the ETag of the task that this one replaces.",
        *LIMITS,
    ),
    "TooManyRequests": refusal(
        429,
        "Too many requests; wait for Retry-After seconds.",
        "Request was throttled. Expected available in 42 seconds.",
        "Retry-After",
        *LIMITS,
    ),
    "InternalServerError": refusal(
        500, "Something went wrong.", "Something went wrong", *COUNTED
    ),
    "ServiceUnavailable": refusal(
        503,
        "The database is away; retry after Retry-After seconds.",
        "The database does not answer; try again.",
        "Retry-After",
        *COUNTED,
    ),
}
