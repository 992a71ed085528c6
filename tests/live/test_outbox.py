"""Real workers that die, stop, and lose their database."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from taskapi.outbox import heartbeat
from tests.launcher import death_pact
from tests.live.conftest import Sql
from tests.live.faults import FaultProxy
from tests.live.race import ROUNDS
from tests.live.server import ROOT

pytestmark = [pytest.mark.live, pytest.mark.full]

INSERT = """
INSERT INTO outbox_outboxmessage
    (handler, channel, ordering_key, payload, created_at, next_attempt_at, attempts)
VALUES ('probe', %s, %s, %s, now(), now(), 0)
"""
EXPIRE = "UPDATE outbox_outboxmessage SET next_attempt_at = now() WHERE id > 0"


class Workers:
    """Workers of one database, and the file in which they note what they do."""

    def __init__(self, file: Path, sql: Sql, stack: ExitStack) -> None:
        self.file, self.sql, self.stack = file, sql, stack
        file.touch()

    def start(
        self, database: str, *options: str, **variables: str
    ) -> subprocess.Popen[bytes]:
        about = {
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "tests.live.outbox_settings",
            "PROBE_FILE": str(self.file),
        }
        process = subprocess.Popen(
            [sys.executable, "manage.py", "worker", *options],
            cwd=ROOT,
            env=os.environ | about | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            preexec_fn=death_pact(signal.SIGKILL),
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def send(self, name: str, channel: str = "a", key: Any = None, **more: Any) -> None:
        self.sql(INSERT, channel, key, json.dumps({"name": name} | more))

    def noted(self) -> list[list[str]]:
        return [line.split() for line in self.file.read_text().splitlines()]

    def ended(self) -> list[str]:
        return [name for what, name, *_ in self.noted() if what == "end"]

    def wait_for(self, condition: Callable[[], Any], seconds: float = 30) -> None:
        deadline = monotonic() + seconds
        while not condition():
            assert monotonic() < deadline, self.file.read_text()
            sleep(0.02)

    def wait_until_empty(self, seconds: float = 60) -> None:
        left = "SELECT 1 FROM outbox_outboxmessage WHERE finished_at IS NULL LIMIT 1"
        self.wait_for(lambda: not self.sql(left), seconds)


@pytest.fixture
def workers(tmp_path: Path, sql: Sql) -> Iterator[Workers]:
    # What other tests had the servers write.
    sql("DELETE FROM outbox_outboxmessage")
    with ExitStack() as stack:
        yield Workers(tmp_path / "probe", sql, stack)


def test_delivery_of_a_worker_that_dies_is_made_again(
    workers: Workers, database: str, sql: Sql
) -> None:
    first = workers.start(database)
    workers.send("x", dies=1)
    assert first.wait(30) == -signal.SIGKILL
    assert sql("SELECT claimed_by IS NULL, finished_at FROM outbox_outboxmessage") == [
        (False, None)
    ]
    sql(EXPIRE)  # as a minute does
    second = workers.start(database)
    workers.wait_until_empty()

    assert workers.noted() == [
        ["begin", "x", str(first.pid), "1"],
        ["begin", "x", str(second.pid), "2"],
        ["end", "x", str(second.pid), "2"],
    ]


def test_delivery_in_hand_is_finished_when_the_worker_is_told_to_stop(
    workers: Workers, database: str, sql: Sql
) -> None:
    worker = workers.start(database, WORKER_THREADS="1")
    workers.send("slow", seconds=1.5)
    workers.wait_for(workers.noted)
    workers.send("next")
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(30) == 0
    assert [line[:2] for line in workers.noted()] == [
        ["begin", "slow"],
        ["end", "slow"],
    ]
    outcomes = "SELECT outcome FROM outbox_outboxmessage ORDER BY id"
    assert sql(outcomes) == [("delivered",), (None,)]


def test_worker_with_nothing_to_do_stops_at_once(
    workers: Workers, database: str, tmp_path: Path
) -> None:
    file = str(tmp_path / "heartbeat")
    worker = workers.start(database, "--heartbeat", file)
    workers.wait_for(lambda: heartbeat.is_fresh(file))
    worker.send_signal(signal.SIGINT)

    assert worker.wait(10) == 0


def test_worker_ends_with_the_server_that_it_was_started_beside(
    workers: Workers, database: str
) -> None:
    worker = workers.start(database, "--parent", "1")

    assert worker.wait(30) == 0


def test_two_workers_make_each_delivery_once(workers: Workers, database: str) -> None:
    for number in range(200):
        workers.send(f"m{number}", f"c{number % 10}", seconds=0.01)
    pids = {str(workers.start(database).pid) for _ in range(2)}
    workers.wait_until_empty()

    assert Counter(workers.ended()) == {f"m{n}": 1 for n in range(200)}
    assert {pid for _, _, pid, _ in workers.noted()} == pids


def test_worker_outlives_its_database(
    workers: Workers, database: str, sql: Sql, proxied: tuple[str, FaultProxy]
) -> None:
    url, proxy = proxied
    workers.start(url)
    workers.send("before")
    workers.wait_for(lambda: workers.ended() == ["before"])
    workers.wait_until_empty()
    workers.send("meanwhile", seconds=1)
    workers.wait_for(lambda: len(workers.noted()) == 3)
    proxy.become("refuse")
    workers.send("later")
    workers.wait_for(lambda: "meanwhile" in workers.ended())
    sleep(2)
    assert workers.ended() == ["before", "meanwhile"]
    proxy.become("ok")
    workers.wait_until_empty()

    # What was done while the database was away is stored, and not done again.
    assert workers.ended() == ["before", "meanwhile", "later"]


@pytest.fixture
def proxied(database: str) -> Iterator[tuple[str, FaultProxy]]:
    """A way to the database that can be closed."""
    import psycopg

    with psycopg.connect(database) as connection:
        info = connection.info
        socket = f"{info.host}/.s.PGSQL.{info.port}"
        target: Any = socket if info.host.startswith("/") else (info.host, info.port)
        user, name = info.user, info.dbname
        password = f":{info.password}" if info.password else ""
    with closing(FaultProxy(target)) as proxy:
        yield f"postgres://{user}{password}@127.0.0.1:{proxy.port}/{name}", proxy


def test_nothing_is_lost_and_order_is_kept_while_workers_are_killed(
    workers: Workers, database: str, sql: Sql
) -> None:
    """Keys with many messages, some of which fail, by two workers of which one or the
    other is killed now and then.
    """
    messages = 30 * ROUNDS
    for number in range(messages):
        key, fails = f"k{number % 7}", int(number % 11 == 0)
        workers.send(f"{key}-{number}", f"c{number % 3}", key, fails=fails)
    running = [workers.start(database) for _ in range(2)]
    for number in range(4):
        goal = messages * (number + 1) // 6
        workers.wait_for(lambda goal=goal: len(workers.ended()) >= goal)  # type: ignore[misc]
        running[number % 2].kill()
        running[number % 2].wait()
        sql(f"{EXPIRE} AND claimed_by LIKE %s", f"%:{running[number % 2].pid}:%")
        running[number % 2] = workers.start(database)
    workers.wait_until_empty(120)

    ended = workers.ended()
    assert len(set(ended)) == messages
    order: dict[str, list[int]] = defaultdict(list)
    for name in dict.fromkeys(ended):  # the first time that each was delivered
        key, number = name.split("-")
        order[f"{key} c{int(number) % 3}"].append(int(number))
    assert all(numbers == sorted(numbers) for numbers in order.values())
