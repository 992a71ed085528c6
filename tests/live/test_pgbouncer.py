"""The server behind PgBouncer, which hands out connections for one transaction each."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.launcher import _account, death_pact
from tests.live.conftest import environment
from tests.live.people import make_task, patch_request, refresh_request, register
from tests.live.server import Server
from tests.live.wire import request

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed"),
]
LIMITS = {
    "statement_timeout": "5s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}
# Fewer connections than the server's threads want, so that they change hands.
CONFIGURATION = """
[databases]
{database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
ignore_startup_parameters = options
"""


@pytest.fixture
def limited(database: str) -> Iterator[str]:
    """The servers' database, which limits statements by itself."""
    name = sql.Identifier(urlsplit(database).path[1:])
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        for setting, value in LIMITS.items():
            change = sql.SQL("ALTER DATABASE {} SET {} = {}")
            words = name, sql.Identifier(setting), sql.Literal(value)
            connection.execute(change.format(*words))
        yield database
        connection.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(name))


@pytest.fixture
def bouncer(limited: str) -> Iterator[str]:
    """The URL of the same database through PgBouncer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    name = urlsplit(limited).path[1:]
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        process = start(Path(folder), name, conninfo_to_dict(limited), port)
        url = f"postgres://anybody@127.0.0.1:{port}/{name}"
        try:
            wait_until_it_answers(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def start(
    folder: Path, name: str, target: dict[str, Any], port: int
) -> subprocess.Popen[bytes]:
    account = _account()
    if account:
        os.chown(folder, account["user"], account["group"])
    words = " ".join(f"{key}={value}" for key, value in target.items())
    text = CONFIGURATION.format(database=f"{name} = {words}", port=port)
    path = folder / "pgbouncer.ini"
    path.write_text(text)
    path.chmod(0o644)  # of root's, for the account
    return subprocess.Popen(
        [str(PGBOUNCER), path],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=death_pact(signal.SIGTERM),
        **account,
    )


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = monotonic() + 10
    while monotonic() < deadline:
        assert process.poll() is None
        with suppress(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=2).close()
            return
        sleep(0.02)
    raise TimeoutError


def test_api_works_through_pgbouncer(bouncer: str, folder: Path) -> None:
    about = environment(bouncer) | {
        "DATABASE_PREPARE": "false",
        "MAX_STREAMS_PER_USER": "16",
    }
    with closing(Server(folder, about)) as server:
        owner = register(server)
        token = owner.access

        made = [make_task(server, owner, title=f"task {n}") for n in range(5)]
        path = "/api/tasks?limit=2&sort=title"
        first = server.ask(request("GET", path, token=token)).json
        more = f"{path}&cursor={first['nextCursor']}"
        second = server.ask(request("GET", more, token=token)).json
        change = patch_request(
            owner, made[0]["id"], {"status": "DONE"}, If_Match='"v1"'
        )
        changed, stale = server.ask(change), server.ask(change)
        batch = request(
            "POST",
            "/api/tasks/batch",
            {"operations": [{"op": "create", "data": {"title": "task 5"}}] * 2},
            token=token,
            Idempotency_Key="batch",
        )
        done, again = server.ask(batch), server.ask(batch)
        lower = [
            {"op": "update", "id": task["id"], "data": {"priority": "LOW"}}
            for task in made[1:]
        ]
        lower_all = {"operations": lower}
        lowered = server.ask(
            request("POST", "/api/tasks/batch", lower_all, token=token)
        ).json["results"]
        stats = server.ask(request("GET", "/api/tasks/stats", token=token))
        renewed = server.ask(refresh_request(owner.refresh))
        everything = request("GET", "/api/auth/me/export", token=token)
        # Often enough that each thread would prepare what it asks.
        exports = [e for _ in range(10) for e in server.race(*[everything] * 16)]
        file = request("GET", "/api/tasks/export?format=jsonl", token=token)
        files = [f for _ in range(3) for f in server.race(*[file] * 16)]

        titles = [task["title"] for task in first["items"] + second["items"]]
        assert titles == ["task 0", "task 1", "task 2", "task 3"]
        assert (changed.status, stale.status) == (200, 412)
        assert (done.status, again.status) == (200, 200)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert [each["task"]["priority"] for each in lowered] == ["LOW"] * 4
        assert stats.status == renewed.status == 200
        assert {each.status for each in [*exports, *files]} == {200}
        assert {len(each.json["tasks"]) for each in exports} == {7}
        assert {len(each.body.splitlines()) for each in files} == {7}
        assert server.failures() == []


def test_prepared_by_mistake_statements_fail_and_write_nothing(
    bouncer: str, folder: Path, database: str, record: Callable[[str], None]
) -> None:
    about = environment(bouncer) | {"DATABASE_PREPARE": "true"}
    answers = {}
    with closing(Server(folder, about)) as server:
        owner = register(server)
        for number in range(20):
            titles = [f"{number} of {lane}" for lane in range(16)]
            asked = [
                request("POST", "/api/tasks", {"title": title}, token=owner.access)
                for title in titles
            ]
            answers |= dict(zip(titles, server.race(*asked), strict=True))

    with closing(psycopg.connect(database)) as connection:
        mine = "SELECT title FROM tasks_task WHERE user_id = %s"
        rows = connection.execute(mine, [owner.user_id]).fetchall()
    statuses = Counter(answer.status for answer in answers.values())
    made = {title for title, answer in answers.items() if answer.status == 201}
    assert statuses[500]
    assert statuses.keys() <= {201, 500, 503}
    assert sorted(title for (title,) in rows) == sorted(made)
    record(f"{dict(statuses)}, {len(rows)} tasks")


def test_limits_of_the_database_hold_through_pgbouncer(bouncer: str) -> None:
    with closing(psycopg.connect(bouncer, autocommit=True)) as connection:
        for setting, value in LIMITS.items():
            query = sql.SQL("SHOW {}").format(sql.Identifier(setting))
            assert connection.execute(query).fetchone() == (value,)
