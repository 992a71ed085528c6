"""Answers: what the application says, framed as RFC 9112 wants it."""

import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from logging import getLogger
from types import TracebackType
from typing import Any, Protocol

from taskapi.server.request import Request

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType]
# Of those that tell their length; any other is sent as it comes about.
WHOLE_BYTES = 4 * 1024 * 1024
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding"}
CRASH = 500, "Something went wrong"

log = getLogger("gunicorn.error")


class GoneError(Exception):
    """The client hung up, or takes nothing any more."""


class Outlet(Protocol):
    """Where an answer goes to."""

    is_last: bool

    def send(self, data: bytes) -> None:
        """Send without waiting; what the client does not take yet is kept for it."""

    def send_patiently(self, data: bytes) -> None:
        """Send, and wait for the client to take it; GoneError if it does not."""


def answer(request: Request, outlet: Outlet, application: Application) -> bool:
    """Let the application answer; whether it came to a proper end."""
    response = Response(request, outlet)
    try:
        response.run(application)
        return True
    except GoneError:
        return False
    except BaseException:  # SystemExit, too: it would end the thread, not the process
        log.exception("The application failed outside of its own error handling")
        if response.is_sent or "taskapi.refusal" in request.environ:
            return False
    request.environ["taskapi.refusal"] = CRASH
    outlet.is_last = True
    return answer(request, outlet, application)


class Response:
    """One answer of a PEP 3333 application, which may not use the old `write`."""

    def __init__(self, request: Request, outlet: Outlet) -> None:
        self.request, self.outlet = request, outlet
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.left: int | None = None  # of the length that the application told
        self.is_chunked = self.is_sent = False

    def start(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | None = None,
    ) -> None:
        """PEP 3333's start_response."""
        if exc_info and self.is_sent:
            raise exc_info[1]
        if self.status and not exc_info:
            raise AssertionError("start_response was called twice")
        self.status, self.headers = status, headers

    def run(self, application: Application) -> None:
        chunks = application(self.request.environ, self.start)
        try:
            self.send(iter(chunks))
        finally:
            if close := getattr(chunks, "close", None):
                close()

    def send(self, chunks: Iterator[bytes]) -> None:
        first = next(chunks, b"")  # not before this must start_response be called
        head = self.head()
        self.is_sent = True
        if self.omits_body():
            self.outlet.send(head)
        elif self.left is not None and self.left <= WHOLE_BYTES:
            self.outlet.send(head + self.framed(first + b"".join(chunks)))
            self.finish()
        else:
            self.outlet.send_patiently(head + self.framed(first))
            for chunk in chunks:
                self.outlet.send_patiently(self.framed(chunk))
            self.finish()

    def omits_body(self) -> bool:
        is_head = self.request.environ["REQUEST_METHOD"] == "HEAD"
        return is_head or self.status[:3] in {"204", "304"}

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status}", date_line()]
        for name, value in self.headers:
            kind = name.lower()
            if kind == "content-length":
                self.left = int(value)
            if kind not in HOP_BY_HOP:
                lines.append(f"{name}: {value}")
        lines += self.framing()
        return encoded(lines)

    def framing(self) -> Iterator[str]:
        if self.left is None and not self.omits_body():
            self.is_chunked = self.request.is_new
            # Only the end of the connection can be the end of the answer.
            self.outlet.is_last |= not self.is_chunked
        if self.is_chunked:
            yield "Transfer-Encoding: chunked"
        if self.outlet.is_last:
            yield "Connection: close"
        elif not self.request.is_new:
            yield "Connection: keep-alive"

    def framed(self, data: bytes) -> bytes:
        if self.is_chunked:
            # An empty chunk would be the end.
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        if self.left is not None:
            data = data[: self.left]
            self.left -= len(data)
        return data

    def finish(self) -> None:
        if self.is_chunked:
            self.outlet.send_patiently(b"0\r\n\r\n")
        elif self.left:
            log.error("An answer lacks %d bytes of the length it tells", self.left)
            self.outlet.is_last = True


def encoded(lines: list[str]) -> bytes:
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks:
        raise ValueError("a header of the answer has a line break in it")
    return f"{text}\r\n\r\n".encode("latin-1")


class Clock:
    """The Date header, made once a second."""

    second, line = 0, ""

    def date_line(self) -> str:
        now = int(time.time())
        if now != self.second:
            self.line = f"Date: {formatdate(now, usegmt=True)}"
            self.second = now
        return self.line


date_line = Clock().date_line
