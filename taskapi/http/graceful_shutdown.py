"""Graceful shutdown: report that the server stops, and serve for a while longer.

Load balancers poll `/readyz`. Until they have seen its 503 they send new requests,
which a server that closed its port at once would reject.
"""

import mmap
import os
import signal
from types import FrameType

# What the workers, forked from the master, see change: one byte, and the number of the
# youngest worker that accepts connections.
draining = mmap.mmap(-1, 1)
youngest = memoryview(mmap.mmap(-1, 8)).cast("Q")


def is_draining() -> bool:
    return draining[0] == 1


def announce_accepting(age: int) -> None:
    """In a worker, while it accepts connections; `age` is gunicorn's, which grows."""
    youngest[0] = max(youngest[0], age)


def has_successor(age: int) -> bool:
    return youngest[0] > age


def drain_before_stop(seconds: int) -> None:
    """In the master: let SIGTERM stop it only so many seconds later.

    A second SIGTERM stops it at once, and so do SIGINT and SIGQUIT.
    """
    stop = signal.getsignal(signal.SIGTERM)
    master = os.getpid()

    def drain(number: int, frame: FrameType | None) -> None:
        # A worker has this handler too until it sets its own, and may get the signal.
        if os.getpid() == master and not is_draining():
            draining[0] = 1
            if seconds:
                signal.alarm(seconds)
                return
        if callable(stop):
            stop(signal.SIGTERM, frame)

    signal.signal(signal.SIGTERM, drain)
    # An alarm, not a thread: forks do not take it with them.
    signal.signal(signal.SIGALRM, drain)
