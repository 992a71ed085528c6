"""A worker for gunicorn in which a request changes threads only if it takes its time.

One thread leads: it does everything for every client, requests included. The main
thread supervises: it takes signals, tells gunicorn's master that all is well, and makes
another thread the leader while a request holds up the one that was.
"""

import os
import select
import sys
from contextlib import suppress
from time import monotonic
from typing import Any

from django.conf import settings
from gunicorn.workers import base

from taskapi.http import graceful_shutdown
from taskapi.server.connection import Limits
from taskapi.server.loop import Loop

# How often the supervisor looks: more often when requests were slow of late, seldom
# when there are none.
TICK_MS, SHORT_TICK_MS, LONG_TICK_MS = 5, 1, 1000
TICKS_OF_LATE = 20
REPORT_SECONDS = 1.0
BODY_BYTES = 4 * 1024 * 1024


class Worker(base.Worker):  # type: ignore[misc]
    alive: bool

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        if cfg.is_ssl:
            sys.exit("taskapi: TLS is for the proxy in front to end")

    def run(self) -> None:
        """Until told to stop, and then until the last client is served."""
        self.open()
        while self.alive:
            self.supervise()
        self.loop.stop()
        end = monotonic() + self.cfg.graceful_timeout
        while not self.loop.is_over() and monotonic() < end:
            self.supervise()

    def open(self) -> None:
        limits = Limits(
            threads=self.cfg.threads,
            connections=self.cfg.worker_connections,
            keepalive=self.cfg.keepalive,
            body_bytes=settings.MAX_BODY_BYTES if settings.configured else BODY_BYTES,
        )
        listeners = [each.sock for each in self.sockets]
        self.loop = Loop(listeners, self.wsgi, limits, self.count, self.wake)
        self.alarm = select.poll()
        self.alarm.register(self.PIPE[0], select.POLLIN)
        self.quiet = self.unrelieved = 0
        self.counted = 0
        self.progress = 0, 0
        self.report_at = 0.0
        self.loop.entrance.open()
        self.loop.lead.pass_on()

    def count(self) -> bool:
        """Count a request; whether its connection is to end with it."""
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
            self.wake()
        return (
            not self.alive or not self.cfg.keepalive or graceful_shutdown.is_draining()
        )

    def wake(self) -> None:
        # The pipe that signals are written to, too.
        with suppress(BlockingIOError):
            os.write(self.PIPE[1], b".")

    def supervise(self) -> None:
        """Sleep a little, then see whether all goes on."""
        self.sleep()
        lead = self.loop.lead
        self.quiet = 0 if lead.busy_since or self.nr != self.counted else self.quiet + 1
        self.counted = self.nr
        if lead.is_lost:
            sys.exit(1)
        self.unrelieved = 0 if lead.relieve() else self.unrelieved + 1
        if monotonic() >= self.report_at:
            self.report()

    def sleep(self) -> None:
        lead = self.loop.lead
        lead.is_unwatched = self.alive and self.quiet > TICKS_OF_LATE
        if lead.is_unwatched and not lead.busy_since:
            pause = LONG_TICK_MS
        else:
            pause = TICK_MS if self.unrelieved > TICKS_OF_LATE else SHORT_TICK_MS
        if self.alarm.poll(pause):
            os.read(self.PIPE[0], 4096)

    def report(self) -> None:
        """Tell the master that all is well, unless every thread is stuck."""
        self.report_at = monotonic() + REPORT_SECONDS
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self.alive = False
        # The leader of a worker with a free thread is not busy for so long.
        since, before = self.loop.lead.busy_since, self.progress
        self.progress = self.nr, self.loop.limits.pieces_sent
        is_late = since and monotonic() - since > REPORT_SECONDS
        if not is_late or self.progress != before:
            self.notify()
