"""The one error shape, for everything that can go wrong, inside DRF and outside.

    {"error": {"code": ..., "message": ..., "details": [...]}, "requestId": ...}

An exception carries its own status and sentence, as DRF's do. It may also have
`error_code`, `error_fields`, which go into `error`, and `headers`.
"""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.db import (
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
)
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from taskapi.http import logs

RETRY_AFTER_SECONDS = 1
# What PATCH takes.
PATCH_TYPES = "application/json, application/merge-patch+json"
MAX_DETAILS = 30
MAX_FIELD_CHARACTERS = 80
MAX_MESSAGE_CHARACTERS = 500
CODES = {
    400: "BAD_REQUEST",
    401: "AUTHENTICATION_ERROR",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    410: "SYNC_EXPIRED",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    414: "URI_TOO_LONG",
    415: "UNSUPPORTED_MEDIA_TYPE",
    417: "EXPECTATION_FAILED",
    422: "IDEMPOTENCY_KEY_REUSED",
    428: "PRECONDITION_REQUIRED",
    429: "RATE_LIMITED",
    431: "REQUEST_HEADER_FIELDS_TOO_LARGE",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


class ServiceUnavailable(exceptions.APIException):
    status_code = 503
    default_detail = "The database does not answer; try again."


class Conflict(exceptions.APIException):
    """The state of something forbids the request."""

    status_code = 409


class PayloadTooLarge(exceptions.APIException):
    status_code = 413
    default_detail = "The body is too large."


class IncompleteBody(exceptions.APIException):
    status_code = 400
    default_detail = "The body ended before it was complete."


class AccountDeleted(exceptions.AuthenticationFailed):
    default_detail = "This account was deleted."


# InternalError: a server that became a standby, or ended an idle transaction.
# NotSupportedError: a statement that was prepared before a migration changed its table.
DB_UNAVAILABLE = (OperationalError, InterfaceError, InternalError, NotSupportedError)
EXCEPTION_MAP: dict[type[Exception], type[exceptions.APIException]] = {
    get_user_model().DoesNotExist: AccountDeleted,
    RequestDataTooBig: PayloadTooLarge,
    UnreadablePostError: IncompleteBody,
    **dict.fromkeys(DB_UNAVAILABLE, ServiceUnavailable),
}


def envelope(code: str, message: str, **more: Any) -> dict[str, Any]:
    error = {"code": code, "message": message} | more
    return {"error": error, "requestId": logs.request_id.get()}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler between a translation of the exception and one of the body."""
    api_exception = to_api_exception(exc)
    response = drf_exception_handler(api_exception, context)
    if response is None:
        return None
    response.data = error_body(api_exception, response.status_code)
    # Also where the view itself answers with a page or YAML.
    context["request"].accepted_renderer = JSONRenderer()
    context["request"].accepted_media_type = JSONRenderer.media_type
    headers = getattr(api_exception, "headers", {})
    for name, value in (headers | status_headers(response, context)).items():
        response[name] = value
    return response


def status_headers(response: Response, context: dict[str, Any]) -> dict[str, str]:
    """What every response of this status has."""
    status = response.status_code
    if status == 503:
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if status == 405:
        return {"Allow": ", ".join(context["view"].allowed_methods)}
    if status == 415:  # RFC 9110 section 15.5.16; RFC 5789 section 2.2
        if context["request"].method == "PATCH":
            return {"Accept": PATCH_TYPES, "Accept-Patch": PATCH_TYPES}
        return {"Accept": JSONRenderer.media_type}
    if status == 401 and "WWW-Authenticate" not in response:
        return {"WWW-Authenticate": "Bearer"}
    return {}


def to_api_exception(exc: Exception) -> Exception:
    for kind, api_exception in EXCEPTION_MAP.items():
        if isinstance(exc, kind):
            return api_exception()
    return exc


def error_body(exc: Any, status: int) -> dict[str, Any]:
    if isinstance(exc, exceptions.ValidationError):
        details = bounded(flatten(exc.get_full_details()))
        summary = "; ".join(
            ": ".join(filter(None, [d["field"], d["message"]])) for d in details[:3]
        )
        return envelope("VALIDATION_ERROR", summary, details=details)
    is_malformed = isinstance(exc, exceptions.ParseError)
    code = "MALFORMED_JSON" if is_malformed else CODES.get(status, "BAD_REQUEST")
    code = getattr(exc, "error_code", code)
    message = str(getattr(exc, "detail", "Not found."))
    return envelope(code, message, **getattr(exc, "error_fields", {}))


def bounded(details: Iterator[dict[str, str]]) -> list[dict[str, str]]:
    """The first MAX_DETAILS, each cut to a length, and how many more there are.

    An error answer stays below 32 KB, however many mistakes a request has.
    """
    told = [
        detail
        | {
            "field": cut(detail["field"], MAX_FIELD_CHARACTERS),
            "message": cut(detail["message"], MAX_MESSAGE_CHARACTERS),
        }
        for detail in islice(details, MAX_DETAILS)
    ]
    if more := sum(1 for _ in details):
        told.append({"field": "", "message": f"And {more} more.", "code": "more"})
    return told


def cut(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis, in at most `length` characters."""
    return (
        text if len(text) <= length else f"{text[: length - 1]}\N{HORIZONTAL ELLIPSIS}"
    )


def flatten(details: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested details as a flat list; a path such as `operations.3.data.title`."""
    if is_leaf(details):
        yield {"field": path, **details}
    elif isinstance(details, dict):
        for name, inner in details.items():
            part = "" if name == "non_field_errors" else str(name)
            yield from flatten(inner, ".".join(filter(None, [path, part])))
    else:
        has_only_leaves = all(map(is_leaf, details))
        for index, inner in enumerate(details):
            yield from flatten(inner, path if has_only_leaves else f"{path}.{index}")


def is_leaf(details: Any) -> bool:
    # A field may have this name too; its details are not text.
    return isinstance(details, dict) and isinstance(details.get("message"), str)


def error_response(status: int, message: str) -> HttpResponse:
    """An error response for where DRF is not at work."""
    response = JsonResponse(envelope(CODES[status], message), status=status)
    if status == 503:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return error_response(413, PayloadTooLarge.default_detail)
    if isinstance(exception, DisallowedHost):
        return error_response(400, "ALLOWED_HOSTS does not name this host.")
    return error_response(400, "The request is malformed.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(403, "Access denied.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_response(403, "The form has expired; reload the page and try again.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(404, "No such route.")


def server_error(request: HttpRequest) -> HttpResponse:
    if isinstance(sys.exception(), DB_UNAVAILABLE):
        return error_response(503, ServiceUnavailable.default_detail)
    return error_response(500, "Something went wrong")
