"""What the leading thread does: it waits for events and acts on them.

A connection is the leader's alone, or, while its request runs, that of the thread that
runs it. So connections need no lock; and nothing a client does or does not do takes a
thread, but for the answers that are streams.
"""

import os
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from time import monotonic
from typing import Any

from taskapi.server.connection import Connection, Limits
from taskapi.server.entrance import Entrance
from taskapi.server.lead import Lead
from taskapi.server.request import Environ, Refused, Request
from taskapi.server.response import Application, answer, log

SWEEP_SECONDS = 0.5
# Clients of a worker that stops may have sent already.
STOP_PATIENCE_SECONDS = 2


class Loop:
    """Serves the clients of `listeners`. `count` is called for each request, and tells
    whether it has to be the last of its connection; `call` wakes the supervisor.
    """

    def __init__(
        self,
        listeners: list[socket.socket],
        application: Application,
        limits: Limits,
        count: Callable[[], bool],
        call: Callable[[], None],
    ) -> None:
        self.application, self.limits = application, limits
        self.count, self.call = count, call
        self.lead = Lead(self.run, call, limits.threads)
        self.connections: set[Connection] = set()
        self.ready: deque[tuple[Callable[[Any], None], Any]] = deque()
        self.polled_at = self.swept_at = monotonic()
        self.stopped_at = 0.0
        self.poller = DefaultSelector()
        self.entrance = Entrance(listeners, self.poller, self.welcome)
        self.bell, self.rope = os.pipe()
        for end in self.bell, self.rope:
            os.set_blocking(end, False)
        self.poller.register(self.bell, EVENT_READ, (self.hush, None))

    def run(self, turn: int) -> None:
        """Lead, until another turn has begun."""
        while self.lead.turn == turn:
            if self.ready:
                self.act(*self.ready.popleft())
            elif self.polled_at - self.swept_at > SWEEP_SECONDS:
                self.sweep()
            else:
                events = self.poller.select(SWEEP_SECONDS)
                self.polled_at = monotonic()
                self.ready.extend([key.data for key, _ in events])

    def act(self, action: Callable[[Any], None], subject: Any) -> None:
        try:
            action(subject)
        except Exception:
            log.exception("The server failed over a connection")
            if isinstance(subject, Connection):
                self.close(subject)

    def ring(self) -> None:
        """Make the leader look at what is ready."""
        with suppress(BlockingIOError):
            os.write(self.rope, b".")

    def hush(self, nothing: None) -> None:
        with suppress(BlockingIOError):
            os.read(self.bell, 4096)

    def stop(self) -> None:
        """By the supervisor: let nobody in any more, and those go who are in."""
        self.entrance.close()
        self.stopped_at = monotonic()
        self.ring()

    def is_over(self) -> bool:
        """After `stop`: whether everybody is gone, and nobody was just let in."""
        return not self.connections and self.polled_at > self.stopped_at

    # What becomes of a connection. Each of these leaves it waiting for something.

    def welcome(self, sock: socket.socket, environ: Environ) -> None:
        connection = Connection(sock, environ, self.limits)
        self.connections.add(connection)
        if self.is_full():
            self.entrance.shut()
        self.go_on(connection)

    def is_full(self) -> bool:
        return len(self.connections) >= self.limits.connections

    def go_on(self, connection: Connection) -> None:
        """Something happened to it."""
        if connection.is_closed:
            return
        if connection.is_busy:
            self.watch(connection, 0)  # until the thread that has it gives it back
        elif connection.unsent or connection.goodbye:
            connection.proceed()
            self.settle(connection)
        elif connection.receive():
            self.advance(connection)
        elif connection.has_ended:
            self.end(connection)
        else:
            self.watch(connection, EVENT_READ)

    def end(self, connection: Connection) -> None:
        """The client sends no more; it may yet read."""
        if connection.is_broken or connection.is_silent():
            self.close(connection)
        else:
            sentence = "The request ended before it was complete."
            self.refuse(connection, Refused(400, sentence))

    def advance(self, connection: Connection) -> None:
        """There is something that was received."""
        try:
            request = connection.next_request()
        except Refused as refused:
            self.refuse(connection, refused)
            return
        if request:
            self.serve(connection, request)
        else:
            self.watch(connection, EVENT_READ)

    def refuse(self, connection: Connection, refused: Refused) -> None:
        connection.is_last = True
        self.serve(connection, connection.refuse(refused))

    def serve(self, connection: Connection, request: Request) -> None:
        turn = self.lead.turn
        connection.begin(request, is_last=self.count() or self.is_full())
        self.lead.begin(is_awaited=bool(self.ready))
        connection.is_broken = not answer(request, connection, self.application)
        if self.lead.end(turn):
            self.settle(connection)
        else:
            self.ready.append((self.settle, connection))
            self.ring()

    def settle(self, connection: Connection) -> None:
        """Something was said."""
        connection.is_busy = False
        if connection.is_broken:
            self.close(connection)
        elif connection.unsent:
            self.watch(connection, EVENT_WRITE)
        elif connection.goodbye:
            self.watch(connection, EVENT_READ)
        elif connection.is_last:
            connection.hang_up()
            self.settle(connection)
        elif connection.received:
            self.ready.append((self.advance, connection))
        else:
            connection.rest()
            self.watch(connection, EVENT_READ)

    def watch(self, connection: Connection, events: int) -> None:
        before, connection.events = connection.events, events
        if events == before:
            return
        if not events:
            self.poller.unregister(connection.sock)
        else:
            change = self.poller.modify if before else self.poller.register
            change(connection.sock, events, (self.go_on, connection))

    def close(self, connection: Connection) -> None:
        self.watch(connection, 0)
        connection.close()
        self.connections.discard(connection)
        self.entrance.open()
        if self.stopped_at and not self.connections:
            self.call()

    # Time

    def sweep(self) -> None:
        """Find out for whom nothing happened for too long.

        As of the latest poll, and after all was acted on that had happened then: if we
        are late ourselves, nobody else is blamed.
        """
        self.swept_at = self.polled_at
        for connection in self.connections:
            if self.stopped_at and connection.is_silent():
                last = self.stopped_at + STOP_PATIENCE_SECONDS
                connection.deadline = min(connection.deadline, last)
            if connection.deadline < self.swept_at:
                self.ready.append((self.expire, connection))
        if not self.is_full():
            self.entrance.open()

    def expire(self, connection: Connection) -> None:
        if connection.is_closed or connection.is_busy:
            return
        if connection.is_silent() or connection.unsent or connection.goodbye:
            self.close(connection)
        else:
            self.refuse(connection, Refused(408, "The request did not come in time."))
