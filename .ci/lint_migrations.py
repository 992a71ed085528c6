#!/usr/bin/env python3
"""Lint what our own migrations do to PostgreSQL: django-migration-linter and squawk.

`sqlmigrate` shows nothing of RunPython, which is what builds our indexes. So every
migration is run on a database of its own, which is dropped again, and its statements
are listened to. Uses the server of DATABASE_URL, else a throwaway one.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
APPS = {"accounts", "outbox", "tasks"}
SQUAWK = Path(sys.executable).with_name("squawk")
EXCLUDED = {
    # Every connection sets lock_timeout; `migrate` lifts statement_timeout on purpose.
    "require-lock-timeout",
    "require-statement-timeout",
    # The lengths are rules of the contract, and Django writes what the models say.
    "prefer-text-field",
    # A migration runs in one transaction or, without one, drops what is half built.
    "prefer-robust-stmts",
}
# Versions of one task, refreshes of one session, four priorities and roles, statuses of
# HTTP: no id is among them. The next migration is asked again.
SMALL = {"prefer-bigint-over-int", "prefer-bigint-over-smallint"}
EXCLUDED_IN = {
    ("accounts", "0001_initial"): SMALL,
    ("outbox", "0001_initial"): SMALL,
    ("tasks", "0001_initial"): SMALL,
    ("tasks", "0008_projects"): SMALL,
    # Depths of a tree, and kinds of things.
    ("tasks", "0014_sync"): SMALL,
    # Its own check, which makes NOT NULL one step of the catalogue.
    ("tasks", "0010_project_indexes"): {"ban-drop-constraint"},
    # Of idempotency keys: it locked the user's row before the key was claimed.
    ("tasks", "0005_rename_history_and_idempotency"): {"ban-drop-constraint"},
}
# It says NOT NULL of a column that the previous release does not write. A trigger of
# the migration before it does, and previous_release.py runs that release on the result.
NOT_BY_LINTER = ["0010_project_indexes"]


@contextmanager
def server() -> Iterator[str]:
    from tests.launcher import Launcher
    from tests.services import postgres_version

    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with closing(Launcher()) as launcher:
        yield launcher.start_postgres(postgres_version)


@contextmanager
def database(url: str) -> Iterator[str]:
    name = f"lint_{uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Listener:
    """The statements of each migration while an executor runs it."""

    def __init__(self) -> None:
        self.heard: dict[tuple[str, str], list[str]] = {}
        self.current: list[str] | None = None

    def progress(self, action: str, migration: Any = None, fake: bool = False) -> None:
        if action == "apply_start":
            key = (migration.app_label, migration.name)
            self.current = self.heard[key] = ["BEGIN;"] if migration.atomic else []
        elif action == "apply_success":
            if migration.atomic:
                self.current.append("COMMIT;")
            self.current = None

    def __call__(self, execute: Any, sql: Any, params: Any, *more: Any) -> Any:
        if self.current is not None and "django_migrations" not in str(sql):
            from django.db import connection

            text = connection.ops.compose_sql(str(sql), params) if params else str(sql)
            self.current.append(f"{text.rstrip(';')};")
        return execute(sql, params, *more)


def listen() -> dict[tuple[str, str], list[str]]:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    listener = Listener()
    executor = MigrationExecutor(connection, listener.progress)
    with connection.execute_wrapper(listener):
        executor.migrate(executor.loader.graph.leaf_nodes())
    return {key: heard for key, heard in listener.heard.items() if key[0] in APPS}


def squawk(key: tuple[str, str], statements: list[str], version: str) -> bool:
    rules = ",".join(sorted(EXCLUDED | EXCLUDED_IN.get(key, set())))
    name = f"--stdin-filepath={'.'.join(key)}.sql"
    command = [SQUAWK, f"--exclude={rules}", f"--pg-version={version}", name]
    text = "\n".join(statements)
    return subprocess.run(command, input=text, text=True).returncode == 0


def migration_linter(heard: dict[tuple[str, str], list[str]]) -> bool:
    from django_migration_linter import MigrationLinter

    class Linter(MigrationLinter):
        def get_sql(self, app_label: str, migration_name: str) -> list[str]:
            return heard[app_label, migration_name]

    linter = Linter(
        include_apps=sorted(APPS),
        ignore_name=NOT_BY_LINTER,
        all_warnings_as_errors=True,
    )
    linter.lint_all_migrations()
    return linter.nb_valid + len(NOT_BY_LINTER) == len(heard)


def main() -> int:
    with server() as url, database(url) as own:
        os.environ.update(DATABASE_URL=own, DJANGO_SETTINGS_MODULE="tests.settings")
        import django
        from django.db import connection

        django.setup()
        heard = listen()
        version = connection.pg_version // 10000
        passed = [squawk(key, heard[key], f"{version}.0") for key in heard]
        passed.append(migration_linter(heard))
        connection.close()
    print(f"linted {len(heard)} migrations on PostgreSQL {version}")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
