"""Writes of another thread that wait for what this thread's transaction holds."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from time import monotonic, sleep
from typing import TypeVar

from django.db import connection

T = TypeVar("T")
SECONDS = 30


def start_blocked(threads: ThreadPoolExecutor, work: Callable[[], T]) -> Future[T]:
    """Start `work` on a connection of its own; return when that waits for a lock.

    PostgreSQL is asked about that connection only: others may wait for what they like.
    """
    pids: SimpleQueue[int] = SimpleQueue()

    def run() -> T:
        try:
            connection.ensure_connection()
            pids.put(connection.connection.info.backend_pid)
            return work()
        finally:
            connection.close()

    started = threads.submit(run)
    pid, deadline = pids.get(timeout=SECONDS), monotonic() + SECONDS
    while not is_blocked(pid):
        assert not started.done(), "it waited for nothing"
        assert monotonic() < deadline
        sleep(0.005)
    return started


def is_blocked(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_blocking_pids(%s)", [pid])
        [blockers] = cursor.fetchone()
    return bool(blockers)
