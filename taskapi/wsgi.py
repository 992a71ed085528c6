"""Django's WSGI application, for any WSGI server."""

import os
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


class Request(WSGIRequest):
    """A request whose Content-Type does not choose the codec of its query string.

    Django would use any codec that a client names. Some fail while the request is
    constructed or while its query string is decoded, outside of all middleware. The
    middleware answers 415 to all but UTF-8.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        header = meta.get("CONTENT_TYPE", "")
        try:
            self.content_type, self.content_params = parse_header_parameters(header)
        except ValueError:
            self.content_type, self.content_params = "", {"charset": "unknown"}


class Handler(WSGIHandler):
    request_class = Request


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskapi.settings")
django.setup(set_prefix=False)
application = Handler()
if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    from taskapi.http import tracing

    tracing.start()
