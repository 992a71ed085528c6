"""What every request gets: an id, one log line, and the headers of the contract."""

import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.wsgi import WSGIRequest
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_header_parameters

from accounts.addresses import client_address
from taskapi import logs, metrics
from taskapi.errors import plain_response

access = logging.getLogger("taskapi.access")

WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
NOTHING = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)
PAGES = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
DEFAULTS = HttpResponse(
    headers={
        "Content-Security-Policy": NOTHING,
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
        "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
        "Cache-Control": "no-store",
        "Vary": "Authorization, Origin",
    }
).headers._store
del DEFAULTS["content-type"]
PAGE_PATHS = ("/admin", "/api/docs")
PROBE_PATHS = ("/livez", "/readyz", "/metrics")


class Utf8Request(WSGIRequest):
    """A request whose Content-Type has no say in how its query string is decoded.

    Django would use whatever codec it names, and fail with some in the request's
    constructor, where no middleware can answer; `refusal` answers instead.
    """

    def _set_content_type_params(self, meta: Any) -> None:
        try:
            header = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            header = "", {"charset": "unknown"}
        self.content_type, self.content_params = header


class RequestMiddleware:
    """Around all that refuses, so that no answer escapes it: not a 404, not a 500."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        started = time.perf_counter()
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if WELL_FORMED.fullmatch(sent) else os.urandom(16).hex()
        request.META["HTTP_X_REQUEST_ID"] = request_id
        token = logs.request_id.set(request_id)
        metrics.IN_FLIGHT.inc()
        try:
            response = self.get_response(request)
            add_headers(request, response)
            seconds = time.perf_counter() - started
            metrics.count(request, response, seconds)
            log(request, response, seconds)
        finally:
            metrics.IN_FLIGHT.dec()
            logs.request_id.reset(token)
        return response

    def process_view(self, request: HttpRequest, *view: Any) -> HttpResponse | None:
        # Here, not before the other middleware: a refusal gets their headers too.
        return refusal(request)


class HostMiddleware(CommonMiddleware):
    """Django's, which refuses a Host that is not allowed; but not a probe's.

    A load balancer names the address it asks, and no URL is made of it. What the server
    refused, such as a request that is not HTTP, is answered here, too.
    """

    def process_request(self, request: HttpRequest) -> Any:
        if refused := request.META.get("taskapi.refusal"):
            return plain_response(*refused)
        if request.path in PROBE_PATHS:
            return None
        return super().process_request(request)


class OriginMiddleware(CorsMiddleware):
    """CORS for requests that name an origin; others have nothing to be told."""

    def __call__(self, request: HttpRequest) -> Any:
        if "HTTP_ORIGIN" in request.META:
            return super().__call__(request)
        return self.get_response(request)


class AdminMiddleware(  # type: ignore[misc]
    SessionMiddleware, CsrfViewMiddleware, AuthenticationMiddleware, MessageMiddleware
):
    """What only the admin needs, one inside the other: the API knows no cookies.

    Their subclass, because Django's checks look for one of each.
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        messages = MessageMiddleware(get_response)
        self.csrf = CsrfViewMiddleware(AuthenticationMiddleware(messages))
        self.chain: Any = SessionMiddleware(self.csrf)

    def __call__(self, request: HttpRequest) -> Any:
        if not request.path.startswith("/admin"):
            return self.get_response(request)
        # Planned each time: a plan for what many rows match, kept and used for what few
        # match, takes seconds.
        database: Any = connections["default"]
        database.is_preparing = False
        try:
            return self.chain(request)
        finally:
            database.is_preparing = True

    def process_view(self, request: HttpRequest, *view: Any) -> Any:
        if request.path.startswith("/admin"):
            return self.csrf.process_view(request, *view)
        return None


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Refuse what Django would read wrongly or not at all."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    if charset.lower().strip("\"'") not in {"utf-8", "utf8"}:
        # Django would decode the query string with it too, whatever codec it names.
        request.encoding = "utf-8"
        return plain_response(415, "Send UTF-8; no other charset is read.")
    if "HTTP_TRANSFER_ENCODING" in request.META:
        return plain_response(400, "Send Content-Length; chunked bodies are not read.")
    return None


def add_headers(request: Any, response: HttpResponse) -> None:
    if request.path.startswith(PAGE_PATHS):
        response.setdefault("Content-Security-Policy", PAGES)
    # As `setdefault` one by one, at a fifth of the cost.
    response.headers._store = DEFAULTS | response.headers._store
    response["X-Request-Id"] = logs.request_id.get()
    if usages := getattr(request, "rate_limits", None):
        response["RateLimit-Policy"] = ", ".join(
            f'"{u.name}";q={u.limit.requests};w={u.limit.seconds}' for u in usages
        )
        response["RateLimit"] = ", ".join(
            f'"{u.name}";r={u.remaining};t={u.reset}' for u in usages
        )
    if response.status_code == 304:
        del response["Content-Type"], response["Content-Length"]
    if response["Vary"] != DEFAULTS["vary"][1]:
        patch_vary_headers(response, ["Authorization", "Origin"])


def log(request: Any, response: HttpResponse, seconds: float) -> None:
    match = request.resolver_match
    access.info(
        "request",
        extra={
            "method": request.method,
            "path": request.path,
            "route": match.route if match else None,
            "status": response.status_code,
            "durationMs": round(seconds * 1000, 2),
            "userId": getattr(request, "user_id", None),
            "address": client_address(request),
        },
    )
