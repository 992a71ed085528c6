"""What every request gets: an id, one log line, and the headers of the contract."""

import logging
import re
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.utils.cache import patch_vary_headers

from taskapi.api.addresses import client_address
from taskapi.api.errors import error_response
from taskapi.http import logs, metrics

access_log = logging.getLogger("taskapi.access")
View = Callable[[HttpRequest], Any]

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
API_CSP = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)
HTML_CSP = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
HTML_PATHS = ("/admin", "/api/docs")
# A log line escapes up to six characters for one.
MAX_LOGGED_CHARACTERS = 256
# Load balancers ask for these by an address.
PROBE_PATHS = ("/livez", "/readyz", "/metrics")


class RequestMiddleware:
    """Outermost: the id, the log line and the headers of every response."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        started = time.perf_counter()
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        request.META["HTTP_X_REQUEST_ID"] = request_id
        token = logs.request_id.set(request_id)
        metrics.IN_FLIGHT.inc()
        try:
            response = self.get_response(request)
            add_headers(request, response, request_id)
            seconds = time.perf_counter() - started
            metrics.count(request, response, seconds)
            log_request(request, response, seconds)
        finally:
            metrics.IN_FLIGHT.dec()
            logs.request_id.reset(token)
        return response


def add_headers(request: Any, response: Any, request_id: str) -> None:
    headers = response.headers
    headers["X-Request-Id"] = request_id
    is_html = request.path == "/" or request.path.startswith(HTML_PATHS)
    headers.setdefault("Content-Security-Policy", HTML_CSP if is_html else API_CSP)
    headers.setdefault("Cache-Control", "no-store")
    if statuses := getattr(request, "rate_limits", None):
        headers["RateLimit-Policy"] = ", ".join(
            f'"{s.name}";q={s.limit.requests};w={s.limit.seconds}' for s in statuses
        )
        headers["RateLimit"] = ", ".join(
            f'"{s.name}";r={s.remaining};t={s.reset}' for s in statuses
        )
    if headers.get("Vary", "origin") == "origin":  # as CorsMiddleware sets it
        headers["Vary"] = "Authorization, Origin"
    else:
        patch_vary_headers(response, ["Authorization", "Origin"])
    if response.status_code in {204, 304}:
        del headers["Content-Type"], headers["Content-Length"]
    elif not response.streaming:
        headers.setdefault("Content-Length", str(len(response.content)))


def log_request(request: Any, response: HttpResponse, seconds: float) -> None:
    match = request.resolver_match
    fields = {
        "method": request.method,
        "path": request.path[:MAX_LOGGED_CHARACTERS],
        "route": match.route if match else None,
        "status": response.status_code,
        "durationMs": round(seconds * 1000, 2),
        "userId": getattr(request, "user_id", None),
        "address": client_address(request),
    }
    access_log.info("request", extra=fields)


class RejectMiddleware:
    """Answers what no view is to see: an unknown host, a charset other than UTF-8, a
    compressed body.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        if refusal := request.META.get("taskapi.refusal"):
            return error_response(*refusal)  # by taskapi.asgi
        host = request.META.get("HTTP_HOST", "")
        if request.path not in PROBE_PATHS and not is_allowed(host):
            request.get_host()  # raises, unless the server's own name is allowed
        charset = (request.content_params or {}).get("charset", "utf-8")
        if charset.lower().strip("\"'") not in {"utf-8", "utf8"}:
            # Django would decode the query string with it, whichever codec it names.
            request.encoding = "utf-8"
            refusal = error_response(415, "Send UTF-8; no other charset is read.")
            refusal["Accept"] = "application/json"
            return refusal
        if "HTTP_CONTENT_ENCODING" in request.META and is_encoded(request):
            refusal = error_response(415, "Send the body without Content-Encoding.")
            refusal["Accept-Encoding"] = "identity"  # RFC 9110 section 12.5.3
            return refusal
        if "HTTP_TRANSFER_ENCODING" in request.META:
            # taskapi.asgi gives chunked bodies a length. Without one Django reads none.
            message = "Send Content-Length; this server does not decode chunked bodies."
            return error_response(400, message)
        return self.get_response(request)


def is_encoded(request: HttpRequest) -> bool:
    """Whether there is a body in a content coding (RFC 9110 section 8.4)."""
    codings = request.META["HTTP_CONTENT_ENCODING"].lower().split(",")
    is_coded = any(each.strip() not in {"identity", ""} for each in codings)
    return is_coded and request.META.get("CONTENT_LENGTH", "0") not in {"", "0"}


@lru_cache(256)
def is_allowed(host: str) -> bool:
    """Whether `get_host` would accept it; that reads several settings each time."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


class AdminOnlyMiddleware:
    """Takes requests for /api/ past the middlewares that only the admin needs.

    Those are listed between this one and `api_entry`. The API has neither cookies nor
    sessions, so it pays for neither.
    """

    api_entry: View

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response
        # Django makes the innermost middleware first, so this is of the same chain.
        self.api_entry = AdminOnlyMiddleware.api_entry

    def __call__(self, request: HttpRequest) -> Any:
        if request.path.startswith("/api/"):
            return self.api_entry(request)
        unprepared = getattr(connection, "without_preparing", nullcontext)
        with unprepared() if request.path.startswith("/admin/") else nullcontext():
            return self.get_response(request)


def api_entry(get_response: View) -> View:
    """Where requests for /api/ enter the chain again; see `AdminOnlyMiddleware`."""
    AdminOnlyMiddleware.api_entry = staticmethod(get_response)
    return get_response
