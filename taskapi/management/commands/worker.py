"""`manage.py worker`: delivers mails and events."""

import os
import signal
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from taskapi.outbox.heartbeat import beat
from taskapi.outbox.worker import Worker


class Command(BaseCommand):
    help = "Deliver mails and events until SIGTERM. Several workers may run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--heartbeat",
            metavar="FILE",
            help="touch it while alive, for: python -m taskapi.outbox.heartbeat FILE",
        )
        parser.add_argument(
            "--parent", type=int, metavar="PID", help="also stop when it has ended"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        worker = Worker(settings.WORKER_THREADS, lambda: None)
        worker.on_turn = partial(
            on_turn, worker, options["heartbeat"], options["parent"]
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        if not options["parent"]:
            self.stdout.write(f"taskapi: worker {worker.name} delivers")
            self.stdout.flush()
        worker.run()


def on_turn(worker: Worker, heartbeat: str | None, parent: int | None) -> None:
    if heartbeat:
        beat(heartbeat)
    if parent and os.getppid() != parent:
        worker.stop()
