"""A handler that notes what it does, in a file that many processes may share.

A line is `begin NAME PID ATTEMPT` or `end NAME PID ATTEMPT`. The payload says what
else happens: `seconds` it takes, `fails` of its first attempts, and `dies` the attempt
at which its process ends at once.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from taskapi.outbox.handlers import Handler, Job, Undeliverable
from taskapi.outbox.models import OutboxMessage


class Probe(Handler):
    delays = (0.2,)

    def prepare(self, message: OutboxMessage) -> Job:
        payload, attempt = dict(message.payload), message.attempts
        return lambda: deliver(payload, attempt)


def deliver(payload: dict[str, Any], attempt: int) -> None:
    note("begin", payload, attempt)
    if payload.get("dies") == attempt:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(payload.get("seconds", 0))
    if payload.get("hopeless"):
        raise Undeliverable
    if attempt <= payload.get("fails", 0):
        raise OSError("the receiver is away")
    note("end", payload, attempt)


def note(what: str, payload: dict[str, Any], attempt: int) -> None:
    line = f"{what} {payload['name']} {os.getpid()} {attempt}\n"
    # One write of a short line to a file opened to append is not torn.
    with Path(os.environ["PROBE_FILE"]).open("ab", buffering=0) as file:
        file.write(line.encode())


PROBE = Probe()
