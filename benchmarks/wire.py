"""HTTP/1.1 with as little of a client as a load generator can do with."""

import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\nContent-Length:[ \t]*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\nTransfer-Encoding:[ \t]*chunked", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nConnection:[ \t]*close", re.IGNORECASE)
ANSWER_SECONDS = 30.0


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Address":
        """The host and port of a plain http:// URL."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise SystemExit(f"{url!r} is not like http://127.0.0.1:8000")
        return cls(parts.hostname, parts.port or 80)


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    @property
    def size(self) -> int:
        return len(self.head) + 4 + len(self.body)

    def header(self, name: str) -> str:
        found = re.search(rf"\r\n{name}:[ \t]*([^\r]*)".encode(), self.head, re.I)
        return found[1].decode() if found else ""


class Connection:
    """Keeps one connection alive, and has one request under way at most."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.open()

    def open(self) -> None:
        where = (self.address.host, self.address.port)
        self.socket = socket.create_connection(where, ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.is_last = False

    def close(self) -> None:
        self.socket.close()

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def receive(self) -> Answer | None:
        """Take what has arrived; the answer once it is whole."""
        arrived = self.socket.recv(262_144)
        if not arrived:
            raise ConnectionResetError("The server hung up.")
        self.buffer += arrived
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end or not is_whole(head, body):
            return None
        self.buffer = b""
        # What a server wants to close is no connection of ours any more.
        self.is_last = bool(CLOSE.search(head))
        return Answer(int(head[9:12]), head, body)

    def ask(self, request: bytes) -> Answer:
        """Send and wait."""
        self.send(request)
        while not (answer := self.receive()):
            pass
        return answer


def is_whole(head: bytes, body: bytes) -> bool:
    if length := LENGTH.search(head):
        return len(body) >= int(length[1])
    if CHUNKED.search(head):
        return body.endswith(b"0\r\n\r\n")
    return True  # 204, 304


def fetch(address: Address, request: bytes) -> Answer:
    """Ask on a connection of its own."""
    connection = Connection(address)
    try:
        return connection.ask(request)
    finally:
        connection.close()
