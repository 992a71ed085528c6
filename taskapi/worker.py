"""Gunicorn's threaded worker, but a request takes a thread only when it is there.

Gunicorn's own waits in a thread for the rest of a request, and in its main loop for
clients to hang up, so that a few clients who stall stop all others. It is asked to wait
in its poller instead, where a connection costs nothing.
"""

import re
import socket
import time
from concurrent.futures import Future
from functools import partial
from selectors import EVENT_READ
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

LATER = object()
PATIENCE_SECONDS = 5
HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\nContent-Length:[ \t]*(\d{1,9})", re.IGNORECASE)
EXPECT = re.compile(rb"\r\nExpect:", re.IGNORECASE)
# What is longer is read from a thread, as it arrives.
LONGEST_BYTES = 16 * 1024
LONGEST_GOODBYE_BYTES = 64 * 1024


class Worker(ThreadWorker):  # type: ignore[misc]
    def handle(self, conn: Any) -> Any:
        """In a thread: whether the connection is kept, or for what it has to wait."""
        if self.cfg.is_ssl:
            return super().handle(conn)
        if hasattr(conn, "goodbye"):
            return listen_out(conn)
        if self.alive and is_incomplete(conn):
            return LATER
        conn.seen, conn.data_ready = 0, True
        listen_for(conn, 1)
        return super().handle(conn) or hang_up(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            # Gunicorn's own would let clients connect, whom nobody serves, for as long
            # as the last request takes.
            for listener in self.sockets:
                listener.close()

    def handle_quit(self, number: int, frame: FrameType | None) -> None:
        # Without ThreadWorker's own, which waits for ever for a lock of the threads
        # if what the signal interrupts holds it.
        super(ThreadWorker, self).handle_quit(number, frame)

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        """In the main loop, when a thread is done with a connection."""
        if fs.cancelled() or fs.exception() or fs.result() is not LATER:
            super().finish_request(conn, fs)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + PATIENCE_SECONDS
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, EVENT_READ, readable)


def listen_for(conn: Any, size: int) -> None:
    """Let the poller tell of the connection when it has as many bytes, or an end."""
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)


def is_incomplete(conn: Any) -> bool:
    """Whether to come back when more of the request has arrived."""
    try:
        flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
        arrived = conn.sock.recv(LONGEST_BYTES, flags)
    except BlockingIOError:
        arrived = b""
    else:
        # The client hung up, or the poller told of nothing new.
        if len(arrived) == getattr(conn, "seen", 0):
            return False
    conn.seen = len(arrived)
    left_over = conn.parser.unreader.buf.getvalue() if conn.parser else b""
    if is_whole(left_over + arrived):
        return False
    listen_for(conn, len(arrived) + 1)
    return True


def is_whole(data: bytes) -> bool:
    """Whether a request, or as much of it as is waited for, is there."""
    head, end, body = data.partition(HEAD_END)
    if len(data) >= LONGEST_BYTES or (end and EXPECT.search(head)):
        return True
    length = LENGTH.search(head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def hang_up(conn: Any) -> Any:
    """Say that nothing more comes, and wait for the client's end.

    Closing at once would take the answer from a client that still sends (RFC 9112 9.6).
    """
    try:
        conn.sock.shutdown(socket.SHUT_WR)
    except OSError:
        return False
    conn.goodbye = LONGEST_GOODBYE_BYTES
    return LATER


def listen_out(conn: Any) -> Any:
    data = conn.sock.recv(4096)
    conn.goodbye -= len(data)
    if data and conn.goodbye > 0:
        return LATER
    # Returning would let gunicorn wait again.
    raise ConnectionAbortedError
