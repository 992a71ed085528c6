"""Imports that die or meet other writers, exports whose database or reader is gone."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.live.faults import FaultProxy
from tests.live.people import Tokens, make_task, register
from tests.live.server import ROOT, Server
from tests.live.test_crash import WAITING, held_up, wait_for
from tests.live.wire import Connection, request

pytestmark = [pytest.mark.live, pytest.mark.full]
Record = Callable[[str], None]
ROWS = 300
COUNT = "SELECT count(*), count(DISTINCT title) FROM tasks_task WHERE user_id = %s"


def start_import(database: str, file: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", "import_tasks", str(file), *options]
    about = {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | about,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.splitlines()[-1]


def write_rows(file: Path, owner: Tokens, count: int = ROWS) -> None:
    rows = [{"title": f"row {n}", "email": owner.email} for n in range(count)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def test_killed_import_run_again_makes_each_task_once(
    live: Server, sql: Any, database: str, tmp_path: Path, record: Record
) -> None:
    rows, kills = 2000, 3
    owner, file = register(live), tmp_path / "tasks.csv"
    lines = "".join(f"row {n}\n" for n in range(rows))
    file.write_text(f"title\n{lines}")
    options = ("--user", owner.email, "--batch-size", "10")
    written = 0
    for _ in range(kills):
        there = written
        process = start_import(database, file, *options)
        wait_for(partial(has_more, sql, owner, there), 60)
        with held_up(database, "tasks_change"):
            # Now the tasks of a batch are written, and their history is not.
            wait_for(lambda: sql(WAITING, "tasks_change") == [(1,)])
            process.kill()
            process.communicate()
            assert process.returncode < 0
        [(written, distinct)] = sql(COUNT, owner.user_id)
        assert there < written == distinct < rows
        assert written % 10 == 0

    said = finished(start_import(database, file, *options))

    assert sql(COUNT, owner.user_id) == [(rows, rows)]
    assert said.startswith(f"created {rows - written}, unchanged {written}, ")
    history = "SELECT count(*) FROM tasks_change c JOIN tasks_task t ON t.id = task_id"
    assert sql(f"{history} WHERE user_id = %s", owner.user_id) == [(rows,)]
    record(f"{kills} kills, {rows} rows, {rows} tasks")


def has_more(sql: Any, owner: Tokens, than: int) -> bool:
    return bool(sql(COUNT, owner.user_id)[0][0] > than)


def test_import_and_requests_at_once_lose_nothing(
    live: Server, sql: Any, database: str, tmp_path: Path, record: Record
) -> None:
    owner, file = register(live), tmp_path / "tasks.jsonl"
    write_rows(file, owner)
    process = start_import(database, file, "--batch-size", "5")
    twin = start_import(database, file, "--batch-size", "7")
    made = 0
    while process.poll() is None or twin.poll() is None:
        make_task(live, owner, title=f"request {made}")
        made += 1
    said = [finished(process), finished(twin)]

    assert sql(COUNT, owner.user_id) == [(ROWS + made, ROWS + made)]
    created = [int(each.split(",")[0].removeprefix("created ")) for each in said]
    assert sum(created) == ROWS
    top = "SELECT max(t.revision), u.revision FROM tasks_task t JOIN accounts_user u"
    [(highest, revision)] = sql(
        f"{top} ON u.id = user_id WHERE user_id = %s GROUP BY 2", owner.user_id
    )
    # Batches that found everything there advance it, too.
    assert made < highest <= revision
    shared = (
        "SELECT count(*) FROM (SELECT 1 FROM tasks_task WHERE user_id = %s"
        " GROUP BY revision HAVING count(*) > 7) AS shared"
    )
    assert sql(shared, owner.user_id) == [(0,)]
    record(f"{made} requests, created by the two imports: {created}")


def fill(sql: Any, owner: Tokens, count: int, length: int) -> None:
    sql(
        "INSERT INTO tasks_task (id, user_id, title, description, status, priority,"
        " version, revision, created_at, updated_at)"
        " SELECT gen_random_uuid(), %s, 'task ' || n, repeat('x', %s), 'TODO', 1,"
        " 1, 0, now(), now() FROM generate_series(1, %s) AS n",
        owner.user_id,
        length,
        count,
    )


@pytest.mark.parametrize("format", ["jsonl", "csv", "ics"])
def test_export_that_fails_in_the_middle_does_not_look_whole(
    fragile: Server, sql: Any, postgres_proxy: FaultProxy, format: str
) -> None:
    owner = register(fragile)
    fill(sql, owner, 20_000, 5000)
    message = request("GET", f"/api/tasks/export?format={format}", token=owner.access)
    with closing(Connection(fragile.port)) as connection:
        connection.open()
        assert connection.socket
        connection.socket.sendall(message)
        body = head = connection.socket.recv(65536)
        assert head.startswith(b"HTTP/1.1 200")
        postgres_proxy.become("refuse")
        while data := connection.socket.recv(1 << 20):
            body += data
    postgres_proxy.become("ok")

    assert b"\r\ntransfer-encoding: chunked\r\n" in head.lower()
    assert not body.endswith(b"\r\n0\r\n\r\n")
    assert b"END:VCALENDAR" not in body
    assert [entry["logger"] for entry in fragile.failures()][-1:] == ["gunicorn.error"]


# Of this server only, and not what is between two statements of other work.
HELD = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle in transaction'
AND state_change < now() - interval '0.5 s'
"""


def test_reader_who_stalls_holds_no_transaction(live: Server, sql: Any) -> None:
    owner = register(live)
    fill(sql, owner, 20_000, 5000)
    message = request("GET", "/api/tasks/export?format=csv", token=owner.access)
    with closing(Connection(live.port)) as connection:
        connection.open()
        assert connection.socket
        connection.socket.sendall(message)
        assert connection.socket.recv(8) == b"HTTP/1.1"
        deadline = monotonic() + 3
        while monotonic() < deadline:
            assert sql(HELD) == [(0,)]
            sleep(0.05)


def test_export_ends_with_the_last_chunk(live: Server, sql: Any) -> None:
    owner = register(live)
    fill(sql, owner, 1200, 10)
    path = "/api/tasks/export?format=jsonl"
    answer = live.ask(request("GET", path, token=owner.access))

    assert answer.status == 200
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len({json.loads(line)["id"] for line in answer.body.splitlines()}) == 1200
