"""Proves that housekeeping takes little memory and no long statement.

Fills the tables of DATABASE_URL with many expired rows and as many live ones, runs
the command, and prints how far memory grew and how long the slowest statement took:

    DATABASE_URL=postgres://... python -m tests.project.prove_housekeeping [ROWS]

The database must be empty and migrated; it is left with the live rows.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.contrib.sessions.models import Session as AdminSession  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework_simplejwt.token_blacklist.models import (  # noqa: E402
    BlacklistedToken,
    OutstandingToken,
)

from accounts.models import Session, User  # noqa: E402
from tasks.models import IdempotencyRecord, Task, TaskChange  # noqa: E402
from tests.factories import space  # noqa: E402

MOST_MIB, MOST_SECONDS = 20, 1.0
BATCH = 5000
NOW = timezone.now()
YEAR = timedelta(days=365)
TIMES = {"expired": NOW - YEAR, "live": NOW + YEAR}
Insert = Callable[[int, Any, User], list[Any]]


class Stopwatch:
    """The slowest statement, and all of them counted."""

    def __init__(self) -> None:
        self.slowest, self.sql, self.count = 0.0, "", 0

    def __call__(self, execute: Any, sql: str, params: Any, *more: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, params, *more)
        finally:
            seconds = time.perf_counter() - started
            self.count += 1
            if seconds > self.slowest:
                self.slowest, self.sql = seconds, sql


def sessions(count: int, at: Any, user: User) -> list[Any]:
    times = {"rotated_at": NOW, "created_at": NOW, "last_used_at": NOW}
    ends = {"idle_until": at, "expires_at": at}
    return [Session(user=user, **times, **ends) for _ in range(count)]


def admin_sessions(count: int, at: Any, user: User) -> list[Any]:
    rows = ({"session_key": uuid4().hex, "expire_date": at} for _ in range(count))
    return [AdminSession(**row) for row in rows]


def tokens(count: int, at: Any, user: User) -> list[Any]:
    rows = range(count)
    return [OutstandingToken(user=user, jti=uuid4().hex, expires_at=at) for _ in rows]


def answers(count: int, at: Any, user: User) -> list[Any]:
    body = {"status": 201, "headers": {}, "body": "x" * 300, "created_at": at}
    return [IdempotencyRecord(user=user, key=uuid4().hex, **body) for _ in range(count)]


def tasks(count: int, at: Any, user: User) -> list[Any]:
    times = {"created_at": NOW, "updated_at": NOW}
    deleted = at if at < NOW else None
    row = {**space(user), "title": "x", "deleted_at": deleted} | times
    return [Task(**row) for _ in range(count)]


def dependents(rows: list[Any]) -> list[Any]:
    if isinstance(rows[0], OutstandingToken):
        return [BlacklistedToken(token=row) for row in rows]
    if isinstance(rows[0], Task):
        change = {"version": 1, "changed_at": NOW, "fields": []}
        return [TaskChange(task=row, **change) for row in rows]
    return []


def batches(rows: int) -> Iterator[int]:
    for start in range(0, rows, BATCH):
        yield min(BATCH, rows - start)


def fill(rows: int) -> None:
    user = User.objects.create_user("prove@example.com", "prove a horse 1", name="P")
    makers: list[Insert] = [sessions, admin_sessions, tokens, answers, tasks]
    for make in makers:
        for at in TIMES.values():
            for count in batches(rows):
                insert(make(count, at, user))


def insert(rows: list[Any]) -> None:
    type(rows[0])._default_manager.bulk_create(rows)
    if more := dependents(rows):
        type(more[0])._default_manager.bulk_create(more)


def peak_mib() -> float:
    """The most memory this process has ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def fill_in_a_child(rows: int) -> None:
    """Elsewhere, so that the memory it takes does not hide what housekeeping takes."""
    command = [sys.executable, "-m", "tests.project.prove_housekeeping"]
    subprocess.run([*command, "fill", str(rows)], check=True)


def prove(rows: int) -> bool:
    fill_in_a_child(rows)
    watch, before, started = Stopwatch(), peak_mib(), time.perf_counter()
    with connection.execute_wrapper(watch):
        call_command("housekeeping")
    seconds, growth = time.perf_counter() - started, peak_mib() - before
    left = [m._default_manager.count() for m in (Session, OutstandingToken, Task)]
    print(f"{watch.count} statements in {seconds:.1f} s; left {left} live rows")
    print(f"memory grew by {growth:.1f} MiB (at most {MOST_MIB})")
    print(f"slowest statement {watch.slowest:.3f} s (at most {MOST_SECONDS})")
    print(f"  {watch.sql[:160]}")
    return left == [rows] * 3 and growth < MOST_MIB and watch.slowest < MOST_SECONDS


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fill", rows]:
            fill(int(rows))
        case [*rows]:
            sys.exit(0 if prove(int(rows[0]) if rows else 200_000) else 1)
