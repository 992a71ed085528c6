"""Django's WSGI handler without what no request of ours needs.

Not served: script names, transactions around views (ATOMIC_REQUESTS), asynchronous
views and middleware, middleware's process_exception and process_template_response, and
URLconfs that differ by request; nor a second database.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.cache import close_caches
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.base import reset_urlconf
from django.core.handlers.wsgi import (
    LimitedStream,
    WSGIHandler,
    WSGIRequest,
    get_path_info,
)
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections, reset_queries
from django.http import HttpRequest
from django.urls import ResolverMatch, get_resolver
from django.utils.http import parse_header_parameters
from django.utils.log import log_response

Environ = dict[str, Any]
# Beyond that length there are only paths of the admin, which takes any.
LONGEST_KEPT = 100


@lru_cache(1024)
def route(path: str) -> ResolverMatch:
    return get_resolver().resolve(path)


@lru_cache(64)
def media_type(header: str) -> tuple[str, dict[str, str]]:
    try:
        return parse_header_parameters(header)
    except ValueError:
        return "", {"charset": "unknown"}


class Request(WSGIRequest):
    """A request whose Content-Type has no say in how its query string is decoded.

    Django would use whatever codec it names, and fail with some in the request's
    constructor, where no middleware can answer; the middleware's `refusal` answers
    instead.
    """

    def __init__(self, environ: Environ) -> None:
        environ["PATH_INFO"] = path = get_path_info(environ) or "/"
        self.environ = self.META = environ
        self.path_info = path
        # Of the slashes that it begins with, the first is the root.
        self.path = path if path[0] == "/" else f"/{path.replace('/', '', 1)}"
        self.method = environ["REQUEST_METHOD"].upper()
        self._set_content_type_params(environ)
        try:
            size = int(environ.get("CONTENT_LENGTH") or 0)
        except ValueError:
            size = 0
        self._stream: Any = LimitedStream(environ["wsgi.input"], size)
        self._read_started = False
        self.resolver_match = None

    def _set_content_type_params(self, meta: Environ) -> None:
        header = meta.get("CONTENT_TYPE", "")
        self.content_type, self.content_params = media_type(header)


class Handler(WSGIHandler):
    request_class = Request
    _middleware_chain: Any
    _view_middleware: Any
    _exception_middleware: Any
    _template_response_middleware: Any

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async)
        if self._exception_middleware or self._template_response_middleware:
            raise ImproperlyConfigured("Only process_view is called of middleware.")
        if len(settings.DATABASES) > 1:
            raise ImproperlyConfigured("Only the default connection is looked after.")

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Any:
        connections["default"].close_if_unusable_or_obsolete()
        request_started.send(sender=Handler, environ=environ)
        response: Any = self.get_response(self.request_class(environ))
        response._handler_class = Handler
        headers = list(response.headers._store.values())
        if response.cookies:
            cookies = response.cookies.values()
            headers += [("Set-Cookie", each.output(header="")) for each in cookies]
        start_response(f"{response.status_code} {response.reason_phrase}", headers)
        return response

    def get_response(self, request: HttpRequest) -> Any:
        response = self._middleware_chain(request)
        response._resource_closers.append(request.close)
        if response.status_code >= 500:
            log_response(
                "%s: %s",
                response.reason_phrase,
                request.path,
                response=response,
                request=request,
            )
        return response

    def _get_response(self, request: HttpRequest) -> Any:
        path = request.path_info
        find = route if len(path) <= LONGEST_KEPT else route.__wrapped__
        request.resolver_match = match = find(path)
        view, args, kwargs = match.func, match.args, match.kwargs
        for process_view in self._view_middleware:
            if response := process_view(request, view, args, kwargs):
                return response
        response = view(request, *args, **kwargs)
        # Those of templates and of DRF.
        return response.render() if hasattr(response, "render") else response


def disconnect_receivers() -> None:
    """Take Django's own receivers from the signals of a request.

    `Handler` looks after the connection itself, once, before each request: one that a
    fault has broken is closed before it is used again, whether or not the server came
    to say that the request is finished.
    """
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    request_finished.disconnect(reset_urlconf)
    # Redis keeps its connections, and local memory has none.
    request_finished.disconnect(close_caches)
    if not settings.DEBUG:
        request_started.disconnect(reset_queries)
