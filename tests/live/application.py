"""What gunicorn serves in the tests of its worker: a few lines of WSGI."""

import os
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

from django.conf import settings

from taskapi import asgi
from taskapi.http import gunicorn_worker, request_body
from tests.live.gunicorn import BIG

is_open = Event()
if seconds := os.environ.get("TEST_TIMEOUT_SECONDS"):
    request_body.TIMEOUT_SECONDS = float(seconds)
    gunicorn_worker.HEAD_TIMEOUT_SECONDS = float(seconds)  # type: ignore[assignment]
if seconds := os.environ.get("TEST_UNREAD_SECONDS"):
    gunicorn_worker.MAX_UNREAD_SECONDS = float(seconds)  # type: ignore[assignment]
Start = Callable[..., Any]


def text(start: Start, body: bytes, status: str = "200 OK") -> list[bytes]:
    start(status, [("Content-Length", str(len(body)))])
    return [body]


class Stream:
    """As a StreamingHttpResponse."""

    streaming = True

    def __init__(self, start: Start, pieces: Iterator[bytes]) -> None:
        start("200 OK", [])
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        print("stream closed", flush=True)


def gated() -> Iterator[bytes]:
    yield b"now"
    is_open.wait(20)
    yield b"then"


def endless() -> Iterator[bytes]:
    while True:
        yield bytes(100_000)


def broken() -> Iterator[bytes]:
    yield b"hello"
    raise IndexError


def other_length(start: Start, length: str) -> list[bytes]:
    start("200 OK", [("Content-Length", length)])
    return [b"hello"]


def with_header(start: Start, name: str, value: str) -> list[bytes]:
    start("200 OK", [("Content-Length", "5"), (name, value)])
    return [b"hello"]


def fail(error: BaseException) -> list[bytes]:
    raise error


def sleep(start: Start, milliseconds: str) -> list[bytes]:
    time.sleep(int(milliseconds) / 1000)
    return text(start, str(os.getpid()).encode())


def open_gate(start: Start) -> list[bytes]:
    is_open.set()
    return text(start, b"open")


VIEWS: dict[str, Callable[[Start, str], Any]] = {
    "big": lambda start, _: text(start, bytes(BIG)),
    "sleep": sleep,
    "stream": lambda start, _: Stream(start, iter([b"he", b"", b"llo"])),
    "gated": lambda start, _: Stream(start, gated()),
    "open": lambda start, _: open_gate(start),
    "endless": lambda start, _: Stream(start, endless()),
    "broken": lambda start, _: Stream(start, broken()),
    "length": other_length,
    "status": lambda start, status: text(start, b"hello", f"{status} Some"),
    "bare": lambda start, status: start(f"{status} Some", []) or [b"hello"],
    "location": lambda start, value: with_header(start, "Location", value),
    "framing": lambda start, _: with_header(start, "Connection", "close"),
    "error": lambda start, _: fail(RuntimeError()),
    "exit": lambda start, _: fail(SystemExit()),
}


def wsgi(environ: dict[str, Any], start: Start) -> Any:
    """A view by the first part of the path; else the path and the body come back."""
    if refusal := environ.get("taskapi.refusal"):
        return text(start, refusal[1].encode(), f"{refusal[0]} Refused")
    _, name, argument = (*environ["PATH_INFO"].split("/", 2), "")[:3]
    if view := VIEWS.get(name):
        return view(start, argument)
    return text(start, environ["PATH_INFO"].encode() + environ["wsgi.input"].read())


settings.MAX_BODY_BYTES = BIG
application = asgi.Application(wsgi, int(os.environ["WEB_THREADS"]))
