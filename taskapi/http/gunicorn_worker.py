"""Gunicorn's asgi worker, with time limits and announcements for its connections.

Gunicorn 27.0 waits for a request head for as long as a client likes, closes a
connection whose client still sends (which resets it and may lose the response), keeps
idle connections until `graceful_timeout` when it stops, and describes its own errors as
plain text. Each method here overrides one of gunicorn's; tests/live/test_connections.py
has a test for each.
"""

import asyncio
import os
from array import array
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from http import HTTPStatus
from termios import TIOCOUTQ
from typing import Any

from gunicorn.asgi import protocol
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from taskapi.http import graceful_shutdown
from taskapi.http.server_errors import error_response

HEAD_TIMEOUT_SECONDS = 5
MAX_HEAD_BYTES = 64 * 1024
LINGER_SECONDS = 5
MAX_DISCARDED_BYTES = 16 * 1024 * 1024
# Longer than announced, for requests that are on their way then.
KEEPALIVE_MARGIN_SECONDS = 5
MAX_UNREAD_SECONDS = 30
ANNOUNCE_SECONDS = 0.5
STOP_IDLE_SECONDS = 2
# How long a worker that is replaced goes on: until the next one accepts connections,
# and until its responses are read.
SUCCESSOR_SECONDS = 15
MAX_REPLACED_SECONDS = 3600
STOP_STEP_SECONDS = 0.1

# What each worker calls once, as soon as it accepts connections.
on_accepting: Callable[[], None] | None = None


class Protocol(ASGIProtocol):  # type: ignore[misc]
    """One connection."""

    head_bytes = 0  # received of a head that is incomplete
    discarded_bytes = 0
    has_ended = False  # the client sends no more
    _closed: bool
    last_request: Any = None  # for which it is decided whether the connection ends
    is_last = False
    unread_bytes = 0  # of what was sent, at the latest look
    read_at = 0.0

    # Time

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        connections = self.worker.connections
        connections.add(self)
        if len(connections) > self.worker.worker_connections:
            transport.abort()
        self._arm_keepalive_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.worker.connections.discard(self)

    @property
    def is_idle(self) -> bool:
        return not (self.head_bytes or self._request_ready.is_set())

    def _arm_keepalive_timer(self) -> None:
        """Limit the time until the next head is complete."""
        self._cancel_keepalive_timer()
        if self.has_ended:
            seconds = 0
        elif self.req_count > 1 and not self.head_bytes:
            seconds = self.cfg.keepalive + KEEPALIVE_MARGIN_SECONDS
        else:
            seconds = HEAD_TIMEOUT_SECONDS
        self._keepalive_handle = self.worker.loop.call_later(
            seconds, self._keepalive_timeout
        )

    def _keepalive_timeout(self) -> None:
        if self.head_bytes:
            self._send_error_response(408, "")
        super()._keepalive_timeout()

    def _feed_callback_parser(self, data: bytes) -> bool:
        """Start the time of a head with its first byte, and bound its size."""
        is_first = not self.head_bytes
        # Empty lines may precede a request (RFC 9112 section 2.2).
        if not self._request_ready.is_set() and data.strip(b"\r\n"):
            self.head_bytes += len(data)
        try:
            is_open: bool = super()._feed_callback_parser(data)
        except ValueError:  # a Content-Length of more digits than Python reads
            return self.reject(400)
        if is_open and self.head_bytes > MAX_HEAD_BYTES:
            return self.reject(431)
        if is_open and is_first and self.head_bytes:
            self._arm_keepalive_timer()
        return is_open

    def _on_headers_complete(self) -> Any:
        skips_body = super()._on_headers_complete()
        self.head_bytes = 0
        return skips_body

    # The end of a connection

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        """Decide once, so that what is announced is done."""
        if request is not self.last_request:
            self.last_request = request
            announced = super()._will_close(request, response_requires_close)
            self.is_last = announced or self.has_reason_to_close(request)
        return self.is_last

    def has_reason_to_close(self, request: Any) -> bool:
        return (
            self.worker.is_stopping
            or graceful_shutdown.is_draining()
            or request.version < (1, 1)
            or not self._body_receiver._complete
            or (self.has_ended and not self._callback_parser.remaining())
        )

    def _close_transport(self) -> None:
        """Let the client read the response: a close while it sends would reset the
        connection (RFC 9112 section 9.6).
        """
        if self._closed:
            return
        is_idle, self._closed = self.is_idle, True
        if is_idle or self.has_ended:
            self.transport.close()
            return
        if self._body_receiver is not None:
            self._body_receiver.signal_disconnect()
        self._resume_reading()
        with suppress(OSError, RuntimeError):
            self.transport.write_eof()
        self.worker.loop.call_later(LINGER_SECONDS, self.transport.close)

    def data_received(self, data: bytes) -> None:
        if not self._closed:
            super().data_received(data)
            return
        self.discarded_bytes += len(data)
        if self.discarded_bytes > MAX_DISCARDED_BYTES:
            self.transport.abort()

    def eof_received(self) -> bool:
        """Whether the transport stays open: a client that sends no more may read."""
        self.has_ended = True
        if self._closed or self.is_idle:
            return False
        if self.head_bytes:
            return self.reject(400)
        if not self._body_receiver._complete:
            self._body_receiver.signal_disconnect()
        return True

    def drop_if_unread(self, now: float) -> None:
        """End a connection whose client has taken nothing for long.

        What the kernel holds counts: it makes room in large steps, and a slow client
        may take minutes for one.
        """
        buffered = self.transport.get_write_buffer_size()
        if not buffered:
            return
        unread_bytes = buffered + kernel_buffer_size(self.transport)
        if unread_bytes != self.unread_bytes:
            self.unread_bytes, self.read_at = unread_bytes, now
        elif now - self.read_at > MAX_UNREAD_SECONDS:
            self.transport.abort()

    # What is sent

    def reject(self, status: int) -> bool:
        """Send an error response and close; False, for what reads on if it may."""
        self._send_error_response(status, "")
        self._close_transport()
        return False

    def _send_error_response(
        self, status: int, message: str, extra_headers: Any = ()
    ) -> None:
        if self._closed:
            return  # the client has disconnected
        peer = self.transport.get_extra_info("peername")
        self._safe_write(error_response(self.app.wsgi, status, peer))

    def _send_response_start(
        self, status: int, headers: Any, request: Any, close: bool = False
    ) -> None:
        if not close:
            keep_alive = f"timeout={self.cfg.keepalive}".encode()
            headers = [*headers, (b"Keep-Alive", keep_alive)]
        super()._send_response_start(status, headers, request, close)

    def _is_websocket_upgrade(self, request: Any) -> bool:
        """None is: a server may ignore Upgrade (RFC 9110 section 7.8)."""
        return False


def kernel_buffer_size(transport: Any) -> int:
    """Bytes that the client has not acknowledged (SIOCOUTQ of tcp(7))."""
    size = array("i", [0])
    with suppress(OSError):
        ioctl(transport.get_extra_info("socket").fileno(), TIOCOUTQ, size)
    return size[0]


# Gunicorn's own table has no phrase for 412, 428 and others.
protocol._REASON_PHRASES.update({each.value: each.phrase for each in HTTPStatus})
# The worker takes the class from its module.
gasgi.ASGIProtocol = Protocol


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.connections: set[Protocol] = set()
        self.heartbeat: Any = None
        self.finished_calls = 0
        self.is_accepting = self.is_stopping = False
        self.stopping: asyncio.Task[None] | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Without the warning about `threads`, which are the application's."""

    def init_signals(self) -> None:
        """Nothing before the loop runs: uvloop forgets signals that come earlier, and
        the worker would be waited for until `graceful_timeout`. Until then a stop
        signal ends the process (gunicorn.conf.py, take_signals).
        """

    async def _serve(self) -> None:
        super().init_signals()
        await super()._serve()

    def notify(self) -> None:
        """Once a second, from when the worker accepts connections."""
        if on_accepting and not self.is_accepting:
            on_accepting()
        self.is_accepting = True
        if not self.is_stopping:
            graceful_shutdown.announce_accepting(self.age)
        for connection in list(self.connections):
            connection.drop_if_unread(self.loop.time())
        self.tell_arbiter()

    def tell_arbiter(self) -> None:
        """That the worker lives, unless all its threads are stuck."""
        is_free = not self.heartbeat or self.heartbeat.done()
        if is_free or self.asgi.finished_calls != self.finished_calls:
            super().notify()
        if is_free:
            self.heartbeat = self.asgi.pool.submit(int)
        self.finished_calls = self.asgi.finished_calls

    def handle_exit_signal(self) -> None:
        """The arbiter repeats the signal once a second."""
        if not self.is_stopping:
            self.is_stopping = True
            self.stopping = self.loop.create_task(self.stop_accepting())

    async def stop_accepting(self) -> None:
        """Accept no more connections, and announce the end on the others first.

        Gunicorn would close those whose response was just sent without announcement. A
        worker that is replaced accepts until the next one does: that takes a second or
        two to start, in which nobody would be served.
        """
        deadline = self.loop.time() + SUCCESSOR_SECONDS
        while not self.has_to_stop() and self.loop.time() < deadline:
            await asyncio.sleep(STOP_STEP_SECONDS)
        for server in self.servers:
            server.close()
        await asyncio.sleep(ANNOUNCE_SECONDS)
        super().handle_exit_signal()

    def has_to_stop(self) -> bool:
        has_successor = graceful_shutdown.has_successor(self.age)
        return has_successor or graceful_shutdown.is_draining() or not self.alive

    async def _shutdown(self) -> None:
        self.loop.call_later(STOP_IDLE_SECONDS, self.close_idle_connections)
        await self.finish_responses()
        await super()._shutdown()

    async def finish_responses(self) -> None:
        """Once replaced, send what is being read, for longer than `graceful_timeout`:
        an export may take a slow client minutes. The arbiter kills a worker that is not
        replaced but stopped.
        """
        deadline = self.loop.time() + MAX_REPLACED_SECONDS
        while (
            graceful_shutdown.has_successor(self.age)
            and any(not connection.is_idle for connection in self.connections)
            and not self._quick_shutdown
            and self.ppid == os.getppid()
            and self.loop.time() < deadline
        ):
            self.notify()
            await asyncio.sleep(STOP_STEP_SECONDS)

    def close_idle_connections(self) -> None:
        for connection in list(self.connections):
            if not connection._request_ready.is_set():
                connection._keepalive_timeout()

    def run(self) -> None:
        super().run()
        if self._quick_shutdown:
            # Interpreters wait for the threads of a pool at exit.
            os._exit(0)
