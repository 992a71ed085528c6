"""The one error shape, for everything that can go wrong, inside DRF and outside.

    {"error": {"code": ..., "message": ..., "details": [...]}, "requestId": ...}

Domain exceptions know nothing of HTTP; one table gives each its status and sentence.
"""

import sys
from collections.abc import Iterator
from typing import Any

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

from accounts.models import User
from taskapi.api.idempotency import KeyInUse, KeyReused
from taskapi.http import logs
from tasks.models import Task
from tasks.operations import OperationFailed, Stale
from tasks.serializers import TaskSerializer

RETRY_AFTER_SECONDS = 1
CODES = {
    400: "BAD_REQUEST",
    401: "AUTHENTICATION_ERROR",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
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
# InternalError: a server that became a standby, or ended an idle transaction.
# NotSupportedError: a statement that was prepared before a migration changed its table.
AWAY = (OperationalError, InterfaceError, InternalError, NotSupportedError)
# Domain exception -> status and sentence.
MEANINGS: dict[type[Exception], tuple[int, str]] = {
    User.DoesNotExist: (401, "This account is gone."),
    Task.DoesNotExist: (404, "Task not found."),
    Task.Forbidden: (403, "This task belongs to somebody else."),
    Stale: (412, "The task has changed; error.current is what it is now."),
    KeyReused: (422, "This Idempotency-Key came before with another request."),
    KeyInUse: (409, "This request, or another write of yours, is still running."),
    RequestDataTooBig: (413, "The body is too large."),
    UnreadablePostError: (400, "The body ended before it was complete."),
    **dict.fromkeys(AWAY, (503, "The database does not answer; try again.")),
}


def envelope(code: str, message: str, **more: Any) -> dict[str, Any]:
    error = {"code": code, "message": message} | more
    return {"error": error, "requestId": logs.request_id.get()}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler, with our exceptions translated before it and our body after it."""
    api_exception = translated(exc)
    response = drf_exception_handler(api_exception, context)
    if response is None:
        return None
    response.data = body(exc, api_exception, response.status_code)
    # Also where the view itself answers with a page or YAML.
    context["request"].accepted_renderer = JSONRenderer()
    context["request"].accepted_media_type = JSONRenderer.media_type
    if response.status_code == 503 or isinstance(exc, KeyInUse):
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if response.status_code == 405:
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    if response.status_code == 401:
        response.headers.setdefault("WWW-Authenticate", "Bearer")
    if isinstance(exc, Stale):
        response["ETag"] = exc.task.etag
    return response


def translated(exc: BaseException | None) -> Any:
    cause = exc.__cause__ if isinstance(exc, OperationFailed) else exc
    for kind, (status, sentence) in MEANINGS.items():
        if isinstance(cause, kind):
            known = exceptions.APIException(sentence)
            known.status_code = status
            return known
    return cause


def body(exc: Exception, api_exception: Any, status: int) -> dict[str, Any]:
    more: dict[str, Any] = {}
    detail = getattr(api_exception, "detail", "Not found.")
    if isinstance(api_exception, exceptions.ValidationError):
        details = list(flattened(api_exception.get_full_details()))
        summary = "; ".join(
            ": ".join(filter(None, [d["field"], d["message"]])) for d in details[:3]
        )
        return envelope("VALIDATION_ERROR", summary, details=details)
    cause = exc.__cause__ if isinstance(exc, OperationFailed) else exc
    message = str(detail)
    if isinstance(exc, OperationFailed):
        message = f"operations[{exc.index}]: {message}"
        more["index"] = exc.index
    if isinstance(cause, Stale):
        more["current"] = TaskSerializer(cause.task).data
    is_malformed = isinstance(api_exception, exceptions.ParseError)
    code = "MALFORMED_JSON" if is_malformed else CODES.get(status, "BAD_REQUEST")
    return envelope(code, message, **more)


def flattened(details: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested details as a flat list; a path such as `operations.3.data.title`."""
    if is_leaf(details):
        yield {"field": path, **details}
    elif isinstance(details, dict):
        for name, inner in details.items():
            part = "" if name == "non_field_errors" else str(name)
            yield from flattened(inner, ".".join(filter(None, [path, part])))
    else:
        is_plain = all(map(is_leaf, details))
        for index, inner in enumerate(details):
            yield from flattened(inner, path if is_plain else f"{path}.{index}")


def is_leaf(details: Any) -> bool:
    # Fields may be called so too; theirs are not text.
    return isinstance(details, dict) and isinstance(details.get("message"), str)


def plain_response(status: int, message: str) -> HttpResponse:
    """An error answer for where DRF is not at work."""
    response = JsonResponse(envelope(CODES[status], message), status=status)
    if status == 503:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return plain_response(413, "The body is too large.")
    if isinstance(exception, DisallowedHost):
        return plain_response(400, "ALLOWED_HOSTS does not name this host.")
    return plain_response(400, "The request cannot be served as it is.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return plain_response(403, "Access denied.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return plain_response(403, "The form has expired; reload the page and try again.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return plain_response(404, "No such route.")


def server_error(request: HttpRequest) -> HttpResponse:
    exception = sys.exc_info()[1]
    if isinstance(exception, AWAY):
        return plain_response(*MEANINGS[OperationalError])
    return plain_response(500, "Something went wrong")
