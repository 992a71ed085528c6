"""`manage.py` where a command cannot do its work: one line, and never a traceback."""

import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings

from taskapi.management import hints

pytestmark = pytest.mark.full
ROOT: Path = settings.BASE_DIR
NOWHERE = "postgres://taskapi:hunter2@127.0.0.1:1/taskapi"
ALICE = "alice@example.com"
COMMANDS = [
    *("demo", "export_tasks", f"import_tasks {os.devnull} --format csv --user {ALICE}"),
    *("housekeeping", "seed --force --users 0 --tasks 1", f"set_role {ALICE} ADMIN"),
    *(f"revoke_sessions {ALICE}", "createsuperuser --noinput", "migrate", "serve"),
    *(f"changepassword {ALICE}", "showmigrations", "clearsessions", "flush --noinput"),
    *("inspectdb", "list_users", f"deactivate {ALICE}", f"activate {ALICE}"),
    *(f"create_user {ALICE} --name Alice --link", f"erase_user {ALICE} --noinput"),
    *("flushexpiredtokens", "migrate --check", "doctor"),
]


def manage(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    default = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DJANGO_SUPERUSER_EMAIL": ALICE,
        "DJANGO_SUPERUSER_NAME": "Alice",
        "DJANGO_SUPERUSER_PASSWORD": "correct horse 1",
        "REDIS_URL": "",
        "PORT": "0",
    }
    return subprocess.run(
        [sys.executable, "manage.py", *shlex.split(command)],
        cwd=ROOT,
        env=os.environ | default | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_command_without_a_database_ends_in_one_line(command: str) -> None:
    done = manage(command, DATABASE_URL=NOWHERE, PORT="23456")

    told = done.stderr + done.stdout
    assert done.returncode == 1, told
    assert "Traceback" not in told
    assert "onnection" in told or "no migrations" in told, told
    assert "hunter2" not in told
    if command != "doctor":
        assert len(done.stderr.splitlines()) == 1, told


@pytest.mark.parametrize(
    "command", ["housekeeping", f"set_role {ALICE} ADMIN", "export_tasks", "demo"]
)
def test_command_without_tables_names_the_command_that_makes_them(
    command: str, tmp_path: Path
) -> None:
    done = manage(command, DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3")

    assert done.returncode == 1
    assert done.stderr.startswith("taskapi: the database lacks a table (no such table")
    assert done.stderr.endswith(f"; run: {hints.runnable('migrate')}\n")


def test_commands_do_their_work_without_redis(tmp_path: Path) -> None:
    away = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    commands = [
        *("migrate", "createsuperuser --noinput", "demo", f"set_role {ALICE} USER"),
        *(f"revoke_sessions {ALICE}", "housekeeping", "export_tasks"),
    ]
    for command in commands:
        done = manage(command, **away)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr + done.stdout


def test_traceback_is_shown_when_asked_for() -> None:
    done = manage("housekeeping --traceback", DATABASE_URL=NOWHERE)

    assert "Traceback" in done.stderr


def test_hint_runs_as_it_is_printed() -> None:
    done = subprocess.run(
        hints.runnable("version"), shell=True, cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout[0].isdigit()


def test_two_migrations_at_once_both_succeed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db.sqlite3"
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: manage("migrate", DATABASE_URL=url), range(2)))

    assert [done.returncode for done in both] == [0, 0], [d.stderr for d in both]
