"""One response of a WSGI application, made by threads and sent by an event loop."""

import logging
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Any

from django.db import close_old_connections

from taskapi.http.environ import Environ

WSGIApplication = Callable[..., Iterable[bytes]]
NO_BODY = {204, 304}
log = logging.getLogger("gunicorn.error")


class Response:
    """The head, and the body as far as it is made: whole, or one piece of a stream."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.source: Any = None  # of the pieces of a stream
        self.pieces: Iterator[bytes] = iter(())
        self.has_more = False
        self.lock = Lock()  # a stream may be closed while a thread makes a piece

    def start(self, status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        """PEP 3333's start_response."""
        self.status = int(status[:3])
        self.headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers]

    def take(self, source: Any, *, is_head: bool) -> None:
        """Make the body, or the first piece of a stream."""
        has_length = any(name.lower() == b"content-length" for name, _ in self.headers)
        if getattr(source, "streaming", False) and not is_head and not has_length:
            self.source, self.pieces = source, iter(source)
            self.make_next_piece()
            return
        try:
            if not is_head and self.status not in NO_BODY:
                self.body = b"".join(source)
        finally:
            if close := getattr(source, "close", None):
                close()

    @property
    def is_stream(self) -> bool:
        return self.source is not None

    def make_next_piece(self) -> None:
        """In any thread: a stream keeps none while its client reads."""
        with self.lock:
            # This thread's connection may have failed since its last request.
            close_old_connections()
            piece = next(self.pieces, None)
            self.has_more = piece is not None
            self.body = piece or b""

    def close(self) -> None:
        with self.lock:
            self.source.close()

    def head(self) -> dict[str, Any]:
        head = {"status": self.status, "headers": self.headers}
        return {"type": "http.response.start", **head}

    def piece(self) -> dict[str, Any]:
        piece = {"body": self.body, "more_body": self.has_more}
        return {"type": "http.response.body", **piece}


def respond(application: WSGIApplication, environ: Environ) -> Response:
    """Call the application, and again for an error response if it fails."""
    try:
        return call(application, environ)
    except BaseException:  # SystemExit would end the event loop, and with it the worker
        log.exception("The application failed outside of its own error handling.")
    environ["taskapi.refusal"] = 500, "Something went wrong"
    return call(application, environ)


def call(application: WSGIApplication, environ: Environ) -> Response:
    response = Response()
    source = application(environ, response.start)
    response.take(source, is_head=environ["REQUEST_METHOD"] == "HEAD")
    return response
