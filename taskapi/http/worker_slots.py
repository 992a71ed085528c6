"""Where the workers of one server count for /metrics: files that each of them reads.

A file per process, as the library has it, would fill the disk: workers are replaced all
the time, and what the dead have counted still counts. So a worker has a seat, and goes
on counting where the one who sat there before left off.
"""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from functools import partial

from prometheus_client import values
from prometheus_client.multiprocess import mark_process_dead

master: int | None = None
seat = 0  # of the process to come
place: int | str = "master"


def prepare() -> None:
    """In the master, before there is any metric; once, whoever asks again."""
    global master, place
    if master == os.getpid():
        return
    master, place = os.getpid(), "master"
    # Never one that the environment names: another server may be using it.
    folder = tempfile.mkdtemp(prefix="taskapi-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    # Asked with whatever is counted, so it is not a function of Python.
    told = partial(getattr, sys.modules[__name__], "place")
    values.ValueClass = values.MultiProcessValue(told)  # type: ignore[no-untyped-call]
    atexit.register(remove, folder, master)


def sit_down() -> None:
    global place
    place = seat


os.register_at_fork(after_in_child=sit_down)


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
