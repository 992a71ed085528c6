"""Delivers the messages of the outbox, several at once."""

import logging
import os
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from django.db import Error, connection

from taskapi.outbox import messages
from taskapi.outbox.handlers import Job, Result, get_handler
from taskapi.outbox.models import OutboxMessage
from taskapi.outbox.settle import Attempt, settle

POLL_SECONDS = 1.0
RENEW_SECONDS = 15.0
# Less than what a container or systemd waits for before it kills.
STOP_SECONDS = 25.0
MAX_BACKOFF_SECONDS = 30.0

logger = logging.getLogger(__name__)


class Worker:
    """Claims, delivers and settles until it is told to stop.

    Only the thread that calls `run` uses the database, on one connection; the others
    run the jobs that handlers prepared.
    """

    def __init__(self, threads: int, on_turn: Callable[[], object]) -> None:
        """`on_turn` is called at least every few seconds, while the worker lives."""
        random = secrets.token_hex(4)  # two containers may share a name and a number
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{random}"
        self.threads = threads
        self.on_turn = on_turn
        self.is_stopping = False
        self.in_hand: dict[int, OutboxMessage] = {}
        self.settled_not: list[Attempt] = []
        self.jobs: SimpleQueue[tuple[OutboxMessage, Job]] = SimpleQueue()
        self.done: SimpleQueue[Attempt | None] = SimpleQueue()
        self.renewed_at = time.monotonic()
        self.failures = 0

    def stop(self) -> None:
        """Claim nothing more, and end with what is in hand. Safe in signal handlers."""
        self.is_stopping = True
        self.done.put(None)

    def run(self) -> None:
        for _ in range(self.threads):
            threading.Thread(target=self.deliver, daemon=True).start()
        while not self.is_stopping:
            self.turn(claims=True)
        deadline = time.monotonic() + STOP_SECONDS
        while self.in_hand and time.monotonic() < deadline:
            self.turn(claims=False)

    def run_until_empty(self) -> None:
        """Deliver what is due, in this thread."""
        while self.claim():
            while not self.jobs.empty():
                self.done.put(attempt(*self.jobs.get()))
            self.wait(0)
            self.settle()

    def turn(self, *, claims: bool) -> None:
        self.on_turn()
        try:
            self.settle()
            self.renew()
            if claims:
                self.claim()
            self.failures = 0
        except Error:
            self.back_off()
            return
        if self.in_hand or claims:
            self.wait(POLL_SECONDS)

    def settle(self) -> None:
        if self.settled_not:
            settle(self.name, self.settled_not)
            for message, _ in self.settled_not:
                self.in_hand.pop(message.pk, None)
            self.settled_not = []

    def renew(self) -> None:
        if self.in_hand and time.monotonic() - self.renewed_at > RENEW_SECONDS:
            messages.renew(self.name, self.in_hand)
            self.renewed_at = time.monotonic()

    def claim(self) -> bool:
        """Whether anything was due."""
        busy = Counter(message.channel for message in self.in_hand.values())
        room = self.threads - len(self.in_hand)
        claimed = messages.claim(self.name, room, busy) if room else []
        for message in claimed:
            self.start(message)
        return bool(claimed)

    def start(self, message: OutboxMessage) -> None:
        try:
            job = get_handler(message.handler).prepare(message)
        except Error:  # not in hand, so its lease ends
            raise
        except Exception as error:
            self.in_hand[message.pk] = message
            self.done.put((message, Result(error=error)))
            return
        self.in_hand[message.pk] = message
        if job is None:
            self.done.put((message, Result()))
        else:
            self.jobs.put((message, job))

    def wait(self, seconds: float) -> None:
        """Until a job is done or the worker is to stop; collect all that are done."""
        with suppress(Empty):
            first = self.done.get(timeout=seconds) if seconds else None
            self.settled_not += [first] if first else []
            while attempted := self.done.get_nowait():
                self.settled_not.append(attempted)

    def deliver(self) -> None:
        while True:
            self.done.put(attempt(*self.jobs.get()))

    def back_off(self) -> None:
        """The database is away: keep what is done, and try again."""
        self.failures += 1
        seconds = min(POLL_SECONDS * 2 ** (self.failures - 1), MAX_BACKOFF_SECONDS)
        logger.warning(
            "The outbox cannot be read; trying again in %.0f s.", seconds, exc_info=True
        )
        connection.close()
        self.wait(seconds)


def attempt(message: OutboxMessage, job: Job) -> Attempt:
    try:
        return message, Result(job())
    except Exception as error:
        return message, Result(error=error)
