"""Where the workers of one server count for /metrics: files that each of them reads.

A file per process, as the library has it, would fill the disk: workers are replaced all
the time, and what the dead have counted still counts. So a worker has a seat, and goes
on counting where the one who sat there before left off.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable

from prometheus_client import values
from prometheus_client.multiprocess import mark_process_dead

master: int | None = None
seat = 0


def prepare() -> None:
    """In the master, before there is any metric; once, whoever asks again."""
    global master
    if master == os.getpid():
        return
    master = os.getpid()
    # Never one that the environment names: another server may be using it.
    folder = tempfile.mkdtemp(prefix="taskapi-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    values.ValueClass = values.MultiProcessValue(place)  # type: ignore[no-untyped-call]
    atexit.register(remove, folder, master)


def place() -> int | str:
    return "master" if os.getpid() == master else seat


def remove(folder: str, owner: int) -> None:
    # Workers inherit what is to be done at exit.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def take_seat(taken: Iterable[int]) -> int:
    """In the master, before a fork: the seat of the process to come."""
    global seat
    others = set(taken)
    seat = min(set(range(len(others) + 1)) - others)
    leave(seat)
    return seat


def leave(seat: int) -> None:
    """What was true of a process that is gone is no longer; what it counted is."""
    mark_process_dead(seat)  # type: ignore[no-untyped-call]
