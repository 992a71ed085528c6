"""Lets one process at a time migrate a database."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

KEY = 7_461_736_461  # of the advisory lock; chosen once, by chance
POLL_SECONDS = 0.5


@contextmanager
def migration_lock(connection: Any, wait: Callable[[], object]) -> Iterator[None]:
    """Hold the lock; call `wait` once if another process holds it."""
    if connection.vendor == "postgresql":
        # On a connection that migrates, too: PostgreSQL drops the lock with it.
        with connection.cursor() as cursor:
            poll(lambda: try_advisory_lock(cursor), wait)
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [KEY])
        return
    # Beside the database: to close a descriptor of its own file would drop the locks
    # that SQLite has on it.
    name = f"{connection.settings_dict['NAME']}.migrating"
    file = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        poll(lambda: try_file_lock(file), wait)
        yield
    finally:
        os.close(file)


def poll(attempt: Callable[[], bool], wait: Callable[[], object]) -> None:
    # Waiting inside PostgreSQL would hold a snapshot, for which CREATE INDEX
    # CONCURRENTLY of the process that has the lock would wait in turn.
    if attempt():
        return
    wait()
    while not attempt():
        time.sleep(POLL_SECONDS)


def try_advisory_lock(cursor: Any) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [KEY])
    return bool(cursor.fetchone()[0])


def try_file_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
