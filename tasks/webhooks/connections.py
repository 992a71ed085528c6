"""Connections to receivers, who may be anybody: to checked addresses, for 10 s in all.

The name is resolved once, every address is checked, and the connection is made to one
of those. What else a library would do by itself (redirects, proxies of the environment)
is not there: this is httpcore without httpx.
"""

import ssl
import threading
import time
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from socket import SOCK_STREAM, getaddrinfo
from typing import Any

import httpcore

from tasks.webhooks.addresses import Network, is_allowed


class AddressRefused(httpcore.ConnectError):
    """The host leads to an address that webhooks may not be sent to."""


class Deadline:
    """The time that is left of a whole delivery, whatever it is doing."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self, error: type[Exception]) -> float:
        """Seconds; `error` when there are none."""
        seconds = self.end - time.monotonic()
        if seconds <= 0:
            raise error("The receiver took too long.")
        return seconds


class GuardedStream(httpcore.NetworkStream):
    """Each operation gets what is left of the whole time."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self.stream, self.deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, self.deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, self.deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self.deadline.left(httpcore.ConnectTimeout)
        secured = self.stream.start_tls(ssl_context, server_hostname, left)
        return GuardedStream(secured, self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


class GuardedBackend(httpcore.NetworkBackend):
    """Resolves, checks, and connects to what was checked."""

    def __init__(self, allowed: Iterable[Network], deadline: Deadline) -> None:
        self.allowed, self.deadline = list(allowed), deadline
        self.sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        addresses = self.check(host, port)
        for address in addresses[:-1]:
            try:
                return self.connect(address, port)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self.connect(addresses[-1], port)

    def check(self, host: str, port: int) -> list[str]:
        """All addresses of the host; AddressRefused if one of them is not allowed."""
        addresses = resolve(host, port, self.deadline)
        if not all(is_allowed(address, self.allowed) for address in addresses):
            raise AddressRefused("The host leads to an address that is not public.")
        return addresses

    def connect(self, address: str, port: int) -> httpcore.NetworkStream:
        left = self.deadline.left(httpcore.ConnectTimeout)
        stream = self.sockets.connect_tcp(address, port, timeout=left)
        return GuardedStream(stream, self.deadline)


def resolve(host: str, port: int, deadline: Deadline) -> list[str]:
    """The addresses of a host; ConnectError, ConnectTimeout."""
    found: SimpleQueue[list[str] | OSError] = SimpleQueue()
    # The resolver knows no time limit, so it is left behind when that is over.
    threading.Thread(target=look_up, args=(host, port, found), daemon=True).start()
    try:
        answer = found.get(timeout=deadline.left(httpcore.ConnectTimeout))
    except Empty:
        raise httpcore.ConnectTimeout("The host was not resolved in time.") from None
    if isinstance(answer, OSError) or not answer:
        raise httpcore.ConnectError("The host cannot be resolved.")
    return answer


def look_up(host: str, port: int, found: SimpleQueue[list[str] | OSError]) -> None:
    try:
        rows = getaddrinfo(host, port, type=SOCK_STREAM)
        found.put([str(row[4][0]) for row in rows])
    except (OSError, UnicodeError) as error:
        found.put(OSError(str(error)))
