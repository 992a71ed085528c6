"""A receiver of webhooks on a loopback port, which behaves as it is told."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from email.parser import BytesParser
from pathlib import Path
from typing import Any

Received = tuple[dict[str, str], bytes]
Behaviour = Callable[[socket.socket], None]


def answers(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    more = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return lambda client: client.sendall(head.encode() + body)


def stalls(client: socket.socket) -> None:
    client.recv(1)  # until the sender hangs up


def drips(client: socket.socket) -> None:
    """Never pauses for long, and never ends."""
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        client.sendall(b"X-Padding: x\r\n")
        time.sleep(0.05)


def drips_a_body(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while True:
        client.sendall(b"x")
        time.sleep(0.05)


def floods(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        client.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")


def resets(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Receiver:
    """Each request is kept in `received`; then `behaviour` gets the connection."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or answers(204)
        self.received: list[Received] = []
        self.tls: ssl.SSLContext | None = None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def secure(self, certificate: Path) -> None:
        """Speak TLS from now on."""
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate)

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
        with closing(client), suppress(OSError):
            self.received.append(read(client))
            self.behaviour(client)

    def bodies(self) -> list[Any]:
        return [body for _, body in self.received]


def read(client: socket.socket) -> Received:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := client.recv(65536)):
            raise ConnectionError
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    headers = BytesParser().parsebytes(head.partition(b"\r\n")[2])
    while len(body) < int(headers["content-length"]):
        body += client.recv(65536)
    return {name.lower(): value for name, value in headers.items()}, body
