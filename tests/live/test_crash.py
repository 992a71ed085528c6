"""Workers that die in the middle of a write, by SIGKILL."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from threading import Event
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest

from tests.live.people import Tokens, register
from tests.live.race import rounds, threads
from tests.live.server import Server
from tests.live.wire import Answer, Connection, request

pytestmark = [pytest.mark.live, pytest.mark.full]
Record = Callable[[str], None]

WAITING = """
SELECT count(*) FROM pg_locks
WHERE NOT granted AND relation = %s::regclass
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def held_up(database: str, table: str) -> Iterator[None]:
    """Nobody can write to the table for as long as this lasts."""
    with psycopg.connect(database) as connection:
        connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield
        connection.rollback()


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline
        sleep(0.005)


def create_request(owner: Tokens, key: str) -> bytes:
    return request(
        "POST",
        "/api/tasks",
        {"title": key},
        token=owner.access,
        Idempotency_Key=key,
    )


def attempt(connection: Connection, message: bytes) -> Answer | None:
    """The answer, or None where the worker died over it."""
    with suppress(OSError, HTTPException):
        return connection.ask(message)
    return None


# Where in the transaction the worker dies: before the task and its history are written,
# after that, when the answer is about to be stored.
@pytest.mark.parametrize("table", ["tasks_change", "tasks_storedanswer"])
def test_retry_after_a_killed_worker_makes_one_task(
    live: Server, record: Record, sql: Any, database: str, table: str
) -> None:
    owner = register(live)
    done = 0
    for number in rounds(0.2, most=20):
        key = f"{table} {number}"
        message = create_request(owner, key)
        victim = live.connection(number)
        victim.open()
        with held_up(database, table):
            writing = threads.submit(attempt, victim, message)
            wait_for(lambda: sql(WAITING, table) == [(1,)])
            live.kill(number)
            assert writing.result(10) is None
        rows = "SELECT count(*) FROM tasks_task WHERE title = %s"

        first, second = live.ask(message), live.ask(message)

        assert sql(rows, key) == [(1,)]
        assert (first.status, second.status) == (201, 201)
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert first.body == second.body
        live.wait_for_workers()
        done += 1
    record(f"{done} workers killed, 1 task for each key")


def test_nothing_is_lost_or_doubled_while_workers_are_killed(
    live: Server, record: Record, sql: Any
) -> None:
    owner, done = register(live), Event()
    outcomes = Counter[str]()

    def keep_creating(number: int) -> int:
        connection, made = Connection(live.port), 0
        while not done.is_set():
            key = f"crash {number}.{made}"
            while not (answer := attempt(connection, create_request(owner, key))):
                outcomes["died and was sent again"] += 1
            assert answer.status == 201
            replayed = "Idempotency-Replayed" in answer.headers
            outcomes["had been written" if replayed else "written"] += 1
            made += 1
        connection.close()
        return made

    clients = [threads.submit(keep_creating, number) for number in range(8)]
    kills = 0
    try:
        for number in rounds(0.2, most=40):
            sleep(0.2)
            live.kill(number)
            live.wait_for_workers()
            kills += 1
    finally:
        done.set()
    made = sum(client.result(30) for client in clients)

    count = "SELECT count(*), count(DISTINCT title) FROM tasks_task WHERE user_id = %s"
    assert sql(count, owner.user_id) == [(made, made)]
    record(f"{kills} workers killed, {made} keys, {made} tasks; {dict(outcomes)}")


HALF_WRITTEN = """
SELECT u.revision, count(t.id), count(DISTINCT t.revision), count(c.id)
FROM accounts_user u
LEFT JOIN tasks_task t ON t.user_id = u.id
LEFT JOIN tasks_change c ON c.task_id = t.id
WHERE u.id = %s GROUP BY u.id
"""


def test_creation_without_a_key_is_whole_or_not_there_when_its_worker_is_killed(
    live: Server, record: Record, sql: Any
) -> None:
    owner, done = register(live), Event()
    message = request("POST", "/api/tasks", {"title": "A"}, token=owner.access)

    def keep_creating() -> set[str]:
        connection, made = Connection(live.port), set()
        while not done.is_set():
            if answer := attempt(connection, message):
                made.add(answer.json["id"])
        connection.close()
        return made

    clients = [threads.submit(keep_creating) for _ in range(8)]
    try:
        for number in rounds(0.2, most=40):
            sleep(0.2)
            live.kill(number)
            live.wait_for_workers()
    finally:
        done.set()
    made = set[str]().union(*[client.result(30) for client in clients])

    found = sql("SELECT id FROM tasks_task WHERE user_id = %s", owner.user_id)
    ids = {str(pk) for (pk,) in found}
    assert made <= ids
    assert sql(HALF_WRITTEN, owner.user_id) == [(len(ids),) * 4]
    record(f"{len(made)} answered, {len(ids)} there, each with revision and history")
