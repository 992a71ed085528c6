"""Numbers the workers of one server, to name the files that hold their metrics.

prometheus_client names them by process id. New workers would then add files for as long
as the server runs, because the counters of dead workers still count. A slot is free
again when its worker ends, and the next worker goes on with its counters.
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
worker_slot = 0  # of the next worker
process_id: int | str = "master"  # of this process, in the names of its files


def prepare() -> None:
    """In the master, before there is any metric; further calls do nothing."""
    global master, process_id
    if master == os.getpid():
        return
    master, process_id = os.getpid(), "master"
    # Never one that the environment names: another server may be using it.
    folder = tempfile.mkdtemp(prefix="taskapi-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    # Called for each number that is counted, so it is not a function of Python.
    get_process_id = partial(getattr, sys.modules[__name__], "process_id")
    values.ValueClass = values.MultiProcessValue(get_process_id)  # type: ignore[no-untyped-call]
    atexit.register(remove, folder, master)


def bind_slot() -> None:
    global process_id
    process_id = worker_slot


os.register_at_fork(after_in_child=bind_slot)


def remove(folder: str, owner: int) -> None:
    # Workers inherit what is to be done at exit.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def allocate_slot(taken: Iterable[int]) -> int:
    """In the master, before a fork: the lowest free slot, for the next worker."""
    global worker_slot
    others = set(taken)
    worker_slot = min(set(range(len(others) + 1)) - others)
    release_slot(worker_slot)
    return worker_slot


def release_slot(slot: int) -> None:
    """Drops a dead worker's gauges; keeps its counters."""
    mark_process_dead(slot)  # type: ignore[no-untyped-call]
