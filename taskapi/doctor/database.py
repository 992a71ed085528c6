"""The database: its connection, version, locale, extensions, limits, clock, schema."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from taskapi.doctor.findings import Finding
from taskapi.management.hints import runnable

MIN_POSTGRESQL = 14  # of Django 5.2
MIN_SQLITE = "3.31"
EXTENSIONS = {"pg_trgm"}
# The threads of probes and mail in each worker, beside those of requests.
OTHER_THREADS = 3
RESERVED_CONNECTIONS = 5  # for superusers and commands
MAX_CLOCK_SECONDS = 1.0
# Tokens of one replica are accepted by another whose clock differs by so much.
MAX_TOLERATED_SECONDS = 30.0


def query(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def check_server() -> Iterator[Finding]:
    version = query(
        "SHOW server_version"
        if connection.vendor == "postgresql"
        else "SELECT sqlite_version()"
    )
    name = f"{connection.display_name} {version.split()[0]} at {address()}"
    if connection.vendor != "postgresql":
        yield Finding("database", "ok", name)
    elif int(version.split(".")[0].split()[0]) < MIN_POSTGRESQL:
        hint = f"Upgrade it to version {MIN_POSTGRESQL} or newer."
        yield Finding("database", "failed", name, hint)
    else:
        yield Finding("database", "ok", name)
        yield from check_encoding()
        yield from check_extensions()
        yield from check_timeouts()
        yield from check_connections()
        yield from check_clock()


def address() -> str:
    """Where the database is, without the password."""
    found = connection.settings_dict
    if connection.vendor != "postgresql":
        return str(found["NAME"])
    return f"{found['HOST'] or 'localhost'}:{found['PORT'] or 5432}/{found['NAME']}"


def check_encoding() -> Iterator[Finding]:
    encoding = query("SHOW server_encoding")
    ctype = query("SELECT datctype FROM pg_database WHERE datname = current_database()")
    message = f"encoding {encoding}, LC_CTYPE {ctype}"
    if encoding != "UTF8":
        hint = "Create the database with: createdb -T template0 -E UTF8 NAME"
        yield Finding("locale", "failed", message, hint)
    elif ctype in {"C", "POSIX"}:
        hint = (
            "Letters beyond ASCII have no case in it. Create the database with:"
            " createdb -T template0 -E UTF8 -l C.UTF-8 NAME"
        )
        yield Finding("locale", "warning", message, hint)
    else:
        yield Finding("locale", "ok", message)


def check_extensions() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension")
        missing = EXTENSIONS - {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT name FROM pg_available_extensions")
        unavailable = missing - {name for (name,) in cursor.fetchall()}
    if unavailable:
        hint = "Install PostgreSQL's contrib package on the server."
        yield Finding("extensions", "failed", f"not available: {unavailable}", hint)
    elif missing:
        hint = f"Run: {runnable('migrate')}"
        yield Finding("extensions", "failed", f"not created: {missing}", hint)
    else:
        yield Finding("extensions", "ok", ", ".join(sorted(EXTENSIONS)))


def check_timeouts() -> Iterator[Finding]:
    timeout = query("SHOW statement_timeout")
    if timeout == "0":
        hint = "Set it for the role: docs/operations.md, PgBouncer."
        yield Finding("timeouts", "warning", "statements have no time limit", hint)
    else:
        yield Finding("timeouts", "ok", f"statement_timeout {timeout}")


def check_connections() -> Iterator[Finding]:
    most = int(query("SHOW max_connections"))
    usual = "2" if settings.REDIS_URL else "1"
    workers = int(os.environ.get("WEB_CONCURRENCY") or usual)
    needed = workers * (settings.WEB_THREADS + OTHER_THREADS)
    message = f"one replica opens up to {needed}; max_connections is {most}"
    if needed > most - RESERVED_CONNECTIONS:
        hint = "Lower WEB_CONCURRENCY or WEB_THREADS, or raise max_connections."
        yield Finding("connections", "failed", message, hint)
    else:
        yield Finding("connections", "ok", message)


def check_clock() -> Iterator[Finding]:
    started = time.time()
    there: datetime = query("SELECT clock_timestamp()")
    here = datetime.fromtimestamp((started + time.time()) / 2, UTC)
    yield judge_clock((here - there).total_seconds())


def judge_clock(seconds: float) -> Finding:
    """`seconds`: how far this machine's clock is ahead of the database's."""
    direction = "ahead of" if seconds > 0 else "behind"
    message = f"{abs(seconds):.2f} s {direction} the database"
    hint = "Synchronise the clocks: systemctl enable --now systemd-timesyncd"
    if abs(seconds) > MAX_TOLERATED_SECONDS:
        return Finding("clock", "failed", message, hint)
    if abs(seconds) > MAX_CLOCK_SECONDS:
        return Finding("clock", "warning", message, hint)
    return Finding("clock", "ok", message)


def check_migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    applied, known = executor.loader.applied_migrations, executor.loader.disk_migrations
    newer = [f"{app}.{name}" for app, name in applied if (app, name) not in known]
    if plan:
        names = ", ".join(f"{each.app_label}.{each.name}" for each, _ in plan[:5])
        more = f" and {len(plan) - 5} more" if len(plan) > 5 else ""
        hint = f"Run: {runnable('migrate')}"
        yield Finding("migrations", "failed", f"pending: {names}{more}", hint)
    elif newer:
        hint = "A newer release migrated this database: run that release."
        yield Finding("migrations", "warning", ", ".join(newer), hint)
    else:
        yield Finding("migrations", "ok", f"all {len(applied)} applied")
