"""The server without gunicorn and Django: its loop, before a few lines of WSGI."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPResponse
from io import BufferedReader
from typing import Any

import pytest

from taskapi.server.connection import Limits
from taskapi.server.loop import Loop

THREADS = 3
SECONDS = 10
View = Callable[[dict[str, Any]], Iterable[bytes]]


def text(start: Callable[..., Any], body: bytes, status: str = "200 OK") -> list[bytes]:
    start(status, [("Content-Length", str(len(body)))])
    return [body]


class Served:
    """A loop that runs, and is watched as the worker does."""

    def __init__(
        self,
        application: Any,
        kind: type[socket.socket] = socket.socket,
        **limits: Any,
    ) -> None:
        self.is_last = False
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.listener = kind(fileno=listener.detach())
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()
        terms = {"threads": THREADS, "connections": 100, "keepalive": 5.0}
        self.limits = Limits(**{**terms, "body_bytes": 1000, **limits})
        self.emptied = threading.Event()
        self.loop = Loop(
            [self.listener],
            application,
            self.limits,
            lambda: self.is_last,
            self.emptied.set,
        )
        self.over = threading.Event()
        self.supervisor = threading.Thread(target=self.supervise)

    def supervise(self) -> None:
        while not self.over.wait(0.005):
            self.loop.lead.relieve()

    def start(self) -> None:
        self.loop.entrance.open()
        self.loop.lead.pass_on()
        self.supervisor.start()

    def close(self) -> None:
        self.over.set()
        self.supervisor.join()
        with self.loop.lead.lock:
            self.loop.lead.turn += 1  # nobody's
        self.loop.ring()
        self.listener.close()
        for connection in list(self.loop.connections):
            connection.sock.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, SECONDS)


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serve an application until the end of the test."""
    with ExitStack() as stack:

        def start(*application: Any, **limits: Any) -> Served:
            served = stack.enter_context(closing(Served(*application, **limits)))
            served.start()
            return served

        yield start


class Unbuffered:
    """A socket of which http.client does not read ahead."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client

    def makefile(self, mode: str) -> Any:
        return BufferedReader(socket.SocketIO(self.client, "r"), 1)


def read_answer(client: socket.socket, method: str = "GET") -> tuple[Any, bytes]:
    """The next answer, its body with it, and not a byte of the one after it."""
    with HTTPResponse(Unbuffered(client), method=method) as answer:
        answer.begin()
        return answer, answer.read()


def read_all(client: socket.socket) -> bytes:
    """Until the server hangs up."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received
