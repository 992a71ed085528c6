"""What every request gets: an id, one log line, and the headers of the contract."""

import logging
import os
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.exception import convert_exception_to_response
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port, validate_host
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware

from taskapi.api.addresses import client_address
from taskapi.api.errors import plain_response
from taskapi.http import logs, metrics

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


class RequestMiddleware(SecurityMiddleware):
    """Around all that refuses, so that no answer escapes it: not a 404, not a 500."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        super().__init__(get_response)
        # For requests that name an origin; others have nothing to be told.
        cors: Any = CorsMiddleware(get_response)
        self.with_origin = convert_exception_to_response(cors)

    def __call__(self, request: Any) -> Any:
        started = time.perf_counter()
        meta = request.META
        sent = meta.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if WELL_FORMED.fullmatch(sent) else os.urandom(16).hex()
        meta["HTTP_X_REQUEST_ID"] = request_id
        token = logs.request_id.set(request_id)
        metrics.IN_FLIGHT.inc()
        try:
            chain = self.with_origin if "HTTP_ORIGIN" in meta else self.get_response
            response: Any = chain(request)
            add_headers(request, response)
            if self.sts_seconds:
                self.process_response(request, response)
            seconds = time.perf_counter() - started
            metrics.count(request, response, seconds)
            log(request, response, seconds)
        finally:
            metrics.IN_FLIGHT.dec()
            logs.request_id.reset(token)
        return response


class GateMiddleware(  # type: ignore[misc]
    SessionMiddleware, CsrfViewMiddleware, AuthenticationMiddleware, MessageMiddleware
):
    """Who does not get to a view, and what only the admin and static files need.

    The admin's are one inside the other; the API knows no cookies. A subclass of them,
    because Django's checks look for one of each.
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        messages = MessageMiddleware(get_response)
        self.csrf = CsrfViewMiddleware(AuthenticationMiddleware(messages))
        self.admin: Any = SessionMiddleware(self.csrf)
        self.static = WhiteNoiseMiddleware(get_response)

    def __call__(self, request: Any) -> Any:
        if refused := request.META.get("taskapi.refusal"):
            return plain_response(*refused)  # by the server, such as what is not HTTP
        path = request.path
        # A load balancer names the address it asks, and no URL is made of it.
        if path not in PROBE_PATHS and not is_known(request.META.get("HTTP_HOST", "")):
            request.get_host()  # raises, unless there is none and none is needed
        if path.startswith("/api/"):
            return self.get_response(request)
        if path.startswith(self.static.static_prefix):
            return self.static(request)
        if path.startswith("/admin"):
            return self.administer(request)
        return self.get_response(request)

    def administer(self, request: HttpRequest) -> Any:
        # Planned each time: a plan for what many rows match, kept and used for what few
        # match, takes seconds.
        database: Any = connections["default"]
        database.is_preparing = False
        try:
            return self.admin(request)
        finally:
            database.is_preparing = True

    def process_view(self, request: HttpRequest, *view: Any) -> Any:
        # Here, so that what is refused is counted under its route.
        if refused := refusal(request):
            return refused
        if request.path.startswith("/admin"):
            return self.csrf.process_view(request, *view)
        return None


@lru_cache(256)
def is_known(host: str) -> bool:
    """Whether `get_host` would take it, which asks for many settings each time."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Refuse what Django would read wrongly or not at all."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    if charset != "utf-8" and charset.lower().strip("\"'") not in {"utf-8", "utf8"}:
        # Django would decode the query string with it too, whatever codec it names.
        request.encoding = "utf-8"
        return plain_response(415, "Send UTF-8; no other charset is read.")
    if "HTTP_TRANSFER_ENCODING" in request.META:
        return plain_response(400, "Send Content-Length; chunked bodies are not read.")
    return None


def add_headers(request: Any, response: Any) -> None:
    if request.path == "/" or request.path.startswith(PAGE_PATHS):
        response.setdefault("Content-Security-Policy", PAGES)
    # As `setdefault` one by one, at a fifth of the cost.
    store = response.headers._store = DEFAULTS | response.headers._store
    store["x-request-id"] = "X-Request-Id", logs.request_id.get()
    if usages := getattr(request, "rate_limits", None):
        store["ratelimit-policy"] = (
            "RateLimit-Policy",
            ", ".join(
                [f'"{u.name}";q={u.limit.requests};w={u.limit.seconds}' for u in usages]
            ),
        )
        store["ratelimit"] = (
            "RateLimit",
            ", ".join([f'"{u.name}";r={u.remaining};t={u.reset}' for u in usages]),
        )
    if response.status_code == 304:
        del response["Content-Type"], response["Content-Length"]
    elif not response.streaming and "content-length" not in store:
        store["content-length"] = "Content-Length", str(len(response.content))
    if store["vary"] is not DEFAULTS["vary"]:
        patch_vary_headers(response, ["Authorization", "Origin"])


def log(request: Any, response: HttpResponse, seconds: float) -> None:
    match = request.resolver_match
    logs.info(
        access,
        "request",
        method=request.method,
        path=request.path,
        route=match.route if match else None,
        status=response.status_code,
        durationMs=round(seconds * 1000, 2),
        userId=getattr(request, "user_id", None),
        address=client_address(request),
    )
