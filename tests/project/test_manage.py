"""`manage.py` where a command cannot do its work: one line, and never a traceback."""

import os
import shlex
import signal
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


def manage(
    command: str,
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
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
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
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


def test_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db.sqlite3"
    assert manage("migrate", DATABASE_URL=url).returncode == 0
    read, write = os.pipe()
    os.close(read)
    done = manage("list_users --json", DATABASE_URL=url, stdout=write)
    os.close(write)

    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_input_that_ends_is_told_in_one_line(tmp_path: Path) -> None:
    terminal, stdin = os.openpty()
    os.write(terminal, b"\x04")  # Ctrl-D
    url = f"sqlite:///{tmp_path}/db.sqlite3"
    done = manage("createsuperuser", DATABASE_URL=url, stdin=stdin)
    os.close(terminal)
    os.close(stdin)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith("the input ended before the question was answered\n")


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
