"""What every request gets: an id, one log line, and the headers of the contract."""

import logging
import re
import time
import uuid
from collections.abc import Callable
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
    logs.info(
        access_log,
        "request",
        method=request.method,
        path=request.path,
        route=match.route if match else None,
        status=response.status_code,
        durationMs=round(seconds * 1000, 2),
        userId=getattr(request, "user_id", None),
        address=client_address(request),
    )


class RejectMiddleware:
    """Answers what no view is to see: an unknown host, a charset other than UTF-8."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        if rejection := request.META.get("taskapi.refusal"):
            return error_response(*rejection)  # by taskapi.asgi
        host = request.META.get("HTTP_HOST", "")
        if request.path not in PROBE_PATHS and not is_allowed(host):
            request.get_host()  # raises, unless the server's own name is allowed
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        # Here and not above, so that the rejection is counted under its route.
        charset = (request.content_params or {}).get("charset", "utf-8")
        if charset.lower().strip("\"'") in {"utf-8", "utf8"}:
            return None
        # Django would decode the query string with it too, whichever codec it names.
        request.encoding = "utf-8"
        return error_response(415, "Send UTF-8; no other charset is read.")


@lru_cache(256)
def is_allowed(host: str) -> bool:
    """Whether `get_host` would accept it; that reads several settings each time."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


class AdminOnlyMiddleware:
    """Takes requests for /api/ past the middlewares that only the admin needs.

    Those are listed between this one and `ApiEntryMiddleware`. The API has neither
    cookies nor sessions, so it pays for neither.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response
        self.api_entry = ApiEntryMiddleware.newest

    def __call__(self, request: HttpRequest) -> Any:
        if request.path.startswith("/api/"):
            return self.api_entry(request)
        database: Any = connection
        # A plan that is kept for a value with many rows takes seconds for a rare one.
        database.prepares_statements = False
        try:
            return self.get_response(request)
        finally:
            database.prepares_statements = True


class ApiEntryMiddleware:
    """Where requests for /api/ enter again; see `AdminOnlyMiddleware`."""

    newest: View  # the last one made: Django makes the innermost middleware first

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response
        ApiEntryMiddleware.newest = self.__call__

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)
