"""Migrations, on a PostgreSQL database of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

ROOT: Path = settings.BASE_DIR
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        "sqlite" in settings.DATABASES["default"]["ENGINE"],
        reason="PostgreSQL's own: locks, CONCURRENTLY, time limits",
    ),
]
# Of tasks 0002; 0006 replaces the last two.
FIRST_ONLINE = {"task_due_desc", "task_title_trigram", "task_description_trigram"}
ONLINE = {
    "accounts_token_expiry",
    "task_due_desc",
    "task_title_folded",
    "task_text_trigram",
}
SCHEMA = """
SELECT table_name, column_name, data_type, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes
WHERE schemaname = 'public'
UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', ''
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""
INDEXES = """
SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = 'public'
"""
Query = Callable[[str], list[Any]]


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of an empty database."""
    name = f"migrations_{uuid4().hex[:12]}"
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def query(url: str, django_db_blocker: Any) -> Iterator[Query]:
    """Ask the new database, which Django's own connection leads to meanwhile."""
    usual = connection.settings_dict["NAME"]

    def lead_to(name: str) -> None:
        connection.close()
        connection.settings_dict["NAME"] = name

    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        other = stack.enter_context(psycopg.connect(url, autocommit=True))
        lead_to(urlsplit(url).path[1:])
        stack.callback(lead_to, usual)
        yield lambda sql: other.execute(sql).fetchall()


def migrate(*target: str) -> None:
    call_command("migrate", *target, interactive=False, verbosity=0)


def test_forwards_backwards_and_forwards_again(query: Query) -> None:
    migrate()
    schema = set(query(SCHEMA))
    for app in ("tasks", "accounts"):
        migrate(app, "zero")
    left = {table for table, *_ in query(SCHEMA)}
    migrate()

    assert {"tasks_task", "accounts_user"} < {table for table, *_ in schema}
    assert not {name for name in left if name.startswith(("tasks_", "accounts_"))}
    assert set(query(SCHEMA)) == schema


def test_one_step_back_and_forwards_again(query: Query) -> None:
    migrate()
    schema = set(query(SCHEMA))
    migrate("tasks", "0001")
    migrate("accounts", "0001")
    names = {name for name, _ in query(INDEXES)}
    migrate()

    assert not names & (ONLINE | FIRST_ONLINE)
    assert "task_created" in names
    assert set(query(SCHEMA)) == schema


def test_every_index_is_valid(query: Query) -> None:
    migrate()
    valid = dict(query(INDEXES))

    assert set(valid) > ONLINE
    assert all(valid.values()), valid


def limits(cursor: Any) -> tuple[str, str]:
    cursor.execute("SELECT current_setting('statement_timeout')")
    (statement,) = cursor.fetchone()
    cursor.execute("SELECT current_setting('lock_timeout')")
    return statement, cursor.fetchone()[0]


def test_a_migration_may_take_its_time_but_not_wait_for_a_lock(query: Query) -> None:
    seen = set()

    def watch(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        if "CONCURRENTLY" in str(sql):
            with connection.connection.cursor() as cursor:
                seen.add(limits(cursor))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        migrate()
    with connection.cursor() as cursor:
        after = limits(cursor)

    assert seen == {("0", "3s")}
    assert after == ("5s", "3s")


def test_a_table_in_use_stops_the_migration_not_the_requests(
    query: Query, url: str
) -> None:
    migrate("tasks", "0001")
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE tasks_task IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate("tasks", "0002")
    migrate("tasks", "0002")

    assert all(dict(query(INDEXES))[name] for name in FIRST_ONLINE)


def test_an_interrupted_build_is_repaired_by_running_again(
    query: Query, url: str
) -> None:
    migrate("tasks", "0001")
    with psycopg.connect(url) as other:
        # As a pg_dump does: it reads old versions of rows, and the build waits for it.
        other.execute("SET default_transaction_isolation = 'repeatable read'")
        other.commit()
        other.execute("SELECT count(*) FROM tasks_task")
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate("tasks", "0002")
        left = dict(query(INDEXES))
    migrate()

    assert left["task_due_desc"] is False
    valid = dict(query(INDEXES))
    assert set(valid) > ONLINE
    assert all(valid.values()), valid


# 0006 of tasks

FOLDED = import_module("tasks.migrations.0006_folded_text")


@pytest.fixture
def locale_c(url: str, query: Query) -> None:
    """Make the database once more, with a locale that knows ASCII only."""
    name = urlsplit(url).path[1:]
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C' LOCALE_PROVIDER libc"
        )


@pytest.mark.usefixtures("locale_c", "query")
def test_server_that_cannot_fold_is_refused_before_anything_is_changed(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(FOLDED, "FOLDINGS", {"default": FOLDED.FOLDINGS["default"]})
        with pytest.raises(CommandError, match=r"ICU.*LC_CTYPE.*again"):
            migrate()
    with psycopg.connect(url) as other:
        indexes = {name for name, _ in other.execute(INDEXES).fetchall()}
        assert indexes > FIRST_ONLINE
        assert not indexes & {"task_title_folded", "task_text_trigram"}
    migrate()

    with psycopg.connect(url) as other:
        found = other.execute("SELECT tasks_fold('\u041c\u041e\u0406')").fetchone()
        assert found == ("\u043c\u043e\u0456",)


# The linters of .ci/lint_migrations.py

FAULTS = {
    "index": (
        'migrations.AddIndex("task", models.Index(fields=["title"], name="planted"))',
        ["require-concurrent-index-creation", "CREATE INDEX locks table"],
    ),
    "not-null": (
        'migrations.AddField("task", "color", models.TextField())',
        ["adding-required-field", "NOT NULL constraint on columns"],
    ),
    "drop": (
        'migrations.RemoveField("task", "description")',
        ["ban-drop-column", "DROPPING columns"],
    ),
    "type": (
        'migrations.AlterField("task", "priority", models.BigIntegerField())',
        ["changing-column-type", "ALTERING columns"],
    ),
    "run-python": (
        "migrations.RunPython(lambda apps, editor: editor.execute("
        '"CREATE INDEX planted ON tasks_task (title)"))',
        ["require-concurrent-index-creation", "not reversible"],
    ),
}
FAULT = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("tasks", "{}")]
    operations = [{}]
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout in which faults can be planted."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("accounts", "tasks", "taskapi", "tests", ".ci"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    return tmp_path


def lint(checkout: Path) -> subprocess.CompletedProcess[str]:
    if not Path(sys.executable).with_name("squawk").exists():
        pytest.skip("squawk is not installed; requirements-lint.txt has it")
    return subprocess.run(
        [sys.executable, ".ci/lint_migrations.py"],
        cwd=checkout,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )


def test_linters_pass_ours() -> None:
    done = lint(ROOT)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("fault", FAULTS)
def test_both_linters_find_a_planted_fault(copy: Path, fault: str) -> None:
    operation, words = FAULTS[fault]
    migrations = copy / "tasks" / "migrations"
    last = max(path.stem for path in migrations.glob("0*.py"))
    (migrations / "9999_planted.py").write_text(FAULT.format(last, operation))
    done = lint(copy)
    output = done.stdout + done.stderr

    assert done.returncode == 1, output
    assert [word for word in words if word not in output] == [], output
