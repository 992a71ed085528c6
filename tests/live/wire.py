"""HTTP with as little of a client as possible: what is slow here hides races there."""

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from time import monotonic
from typing import Any

# Well below KEEPALIVE_SECONDS.
IDLE_SECONDS = 30.0
# Every request that was answered, with its answer; judged when the test is over.
EXCHANGES: list[tuple[bytes, "Answer"]] = []
ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def worker(self) -> int:
        return int(self.headers["X-Worker"])


def request(
    method: str,
    path: str,
    data: Any = None,
    *,
    token: str | None = None,
    **headers: str,
) -> bytes:
    """A request ready to be sent; `If_Match='"v1"'` makes the header If-Match."""
    body = b"" if data is None else json.dumps(data).encode()
    fields = {"Host": "localhost", "Content-Length": str(len(body))}
    if data is not None:
        fields["Content-Type"] = "application/json"
    if token is not None:
        fields["Authorization"] = f"Bearer {token}"
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


LIVEZ = request("GET", "/livez")


class Connection:
    """A keep-alive connection to one worker; for one thread at a time."""

    def __init__(
        self,
        port: int,
        is_wanted: Callable[[int | None], bool] = lambda worker: worker is not None,
        source: str = "127.0.0.1",
    ) -> None:
        self.port, self.is_wanted, self.source = port, is_wanted, source
        self.socket: socket.socket | None = None
        self.used_at = 0.0

    def ask(self, message: bytes) -> Answer:
        """Send once and read the answer; never sends again by itself."""
        self.open()
        try:
            return self.exchange(message)
        except BaseException:
            self.close()
            raise

    def open(self) -> None:
        """Be connected, to a worker that is wanted, which takes some tries."""
        if self.socket and monotonic() - self.used_at < IDLE_SECONDS:
            return
        deadline = monotonic() + ANSWER_SECONDS
        while monotonic() < deadline:
            if self.is_wanted(self.connect()):
                return
        raise TimeoutError("No worker of the wanted ones answers.")

    def connect(self) -> int | None:
        """Which worker holds the connection; None if it was just killed."""
        self.close()
        ends = ("127.0.0.1", self.port), ANSWER_SECONDS, (self.source, 0)
        try:
            self.socket = socket.create_connection(*ends)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self.exchange(LIVEZ).worker
        except (OSError, HTTPException):
            self.close()
            return None

    def exchange(self, message: bytes) -> Answer:
        assert self.socket
        started = monotonic()
        self.socket.sendall(message)
        with HTTPResponse(self.socket, method=message.split(b" ", 1)[0].decode()) as it:
            it.begin()
            body = it.read()
            headers, is_last = dict(it.headers.items()), it.will_close
        self.used_at = monotonic()
        if is_last:
            self.close()
        answer = Answer(it.status, headers, body, self.used_at - started)
        EXCHANGES.append((message, answer))
        return answer

    def close(self) -> None:
        if self.socket:
            self.socket.close()
            self.socket = None
