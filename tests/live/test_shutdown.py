"""Servers that stop, reload and are replaced, under load, and nobody notices."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest

from tests.live.balancer import Balancer, Load, ask_once
from tests.live.conftest import environment
from tests.live.people import Tokens, register
from tests.live.race import threads
from tests.live.server import Server
from tests.live.wire import LIVEZ, Answer, Connection, request

pytestmark = [pytest.mark.live, pytest.mark.full]
Record = Callable[[str], None]
# 5000 for the record, fewer for every day.
REQUESTS = int(os.environ.get("TASKAPI_ROLLING_REQUESTS") or 1500)
CLIENTS = 4
DRAIN_SECONDS = 1
WAIT_SECONDS = 120
TOLD_SECONDS = 0.1
READYZ = request("GET", "/readyz")
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
COUNT = "SELECT count(*), count(DISTINCT title) FROM tasks_task WHERE user_id = %s"


@pytest.fixture
def start(database: str, folder: Path) -> Iterator[Callable[..., Server]]:
    with ExitStack() as stack:

        def start(seconds: str = str(DRAIN_SECONDS)) -> Server:
            variables = environment(database)
            variables["DRAIN_SECONDS"] = seconds
            return stack.enter_context(closing(Server(folder, variables)))

        yield start


@contextmanager
def held_up(database: str, owner: Tokens) -> Iterator[None]:
    """Nothing of this owner can be written for as long as this lasts."""
    with psycopg.connect(database) as connection:
        lock = "SELECT 1 FROM accounts_user WHERE id = %s FOR UPDATE"
        connection.execute(lock, [owner.user_id])
        yield
        connection.rollback()


def create_request(owner: Tokens, title: str) -> bytes:
    task = {"title": title}
    headers = {"token": owner.access, "Idempotency_Key": title}
    return request("POST", "/api/tasks", task, **headers)


def terminate(server: Server) -> float:
    server.process.send_signal(signal.SIGTERM)
    return monotonic()


def ask(server: Server, message: bytes) -> Answer:
    """On a connection of its own."""
    with closing(Connection(server.port)) as connection:
        return ask_once(connection, message)


def seconds_until_told(server: Server, signalled: float) -> float:
    """How long `/readyz` went on saying yes."""
    told, asked = None, 0.0
    while asked < 3 * TOLD_SECONDS:
        asked = monotonic() - signalled
        answer = ask(server, READYZ)
        if answer.status == 200:
            assert asked < TOLD_SECONDS
            continue
        assert (answer.status, answer.json) == (503, {"status": "draining"})
        assert answer.headers["Retry-After"] == "1"
        told = told or monotonic() - signalled
    assert told
    return told


def write_until(server: Server, owner: Tokens, until: float) -> int:
    written = 0
    while monotonic() < until:
        assert ask(server, create_request(owner, f"task {written}")).status == 201
        written += 1
    return written


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = monotonic() + WAIT_SECONDS
    while not is_so():
        assert monotonic() < deadline
        sleep(0.02)


def wait_until_closed(port: int) -> None:
    with suppress(ConnectionRefusedError):
        while True:
            socket.create_connection(("127.0.0.1", port)).close()
            sleep(0.02)


def test_server_told_to_stop_says_so_and_serves_on(
    start: Callable[..., Server], record: Record, sql: Any, database: str
) -> None:
    server = start()
    held, owner = register(server), register(server)
    slow, kept = server.connection(0), server.connection(0)
    with closing(slow), closing(kept), held_up(database, held):
        kept.open()
        in_flight = threads.submit(slow.ask, create_request(held, "in flight"))
        wait_for(lambda: sql(WAITING) == [(1,)])
        signalled = terminate(server)

        told = seconds_until_told(server, signalled)
        assert ask(server, LIVEZ).status == 200
        assert kept.ask(LIVEZ).headers["Connection"] == "close"
        written = write_until(server, owner, signalled + DRAIN_SECONDS - TOLD_SECONDS)
        wait_until_closed(server.port)
        closed = monotonic() - signalled
        assert not in_flight.done()
    assert in_flight.result(10).status == 201
    assert server.process.wait(10) == 0
    assert DRAIN_SECONDS <= closed < DRAIN_SECONDS + 1
    assert sql(COUNT, held.user_id) == [(1, 1)]
    assert sql(COUNT, owner.user_id) == [(written, written)]
    assert {each["path"] for each in server.failures()} == {"/readyz"}
    record(
        f"not ready after {told:.3f} s; {written} writes; closed after {closed:.2f} s"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_while_it_drains_stops_it_at_once(
    start: Callable[..., Server], number: signal.Signals
) -> None:
    server = start("60")
    signalled = terminate(server)
    wait_for(lambda: ask(server, READYZ).status == 503)

    server.process.send_signal(number)

    assert server.process.wait(10) == 0
    assert monotonic() - signalled < 10


def test_reload_fails_no_request(
    start: Callable[..., Server], record: Record, sql: Any
) -> None:
    server = start()
    load, reloads = Load(server.port, register(server)), max(1, REQUESTS // 1500)
    with load.by(CLIENTS):
        for _ in range(reloads):
            old = server.workers()
            server.process.send_signal(signal.SIGHUP)
            wait_for(lambda: not set(old) & set(server.workers()))  # noqa: B023

    made = load.total["201"]
    assert load.total.keys() == {"200", "201"}
    assert sql(COUNT, load.owner.user_id) == [(made, made)]
    record(f"{reloads} reloads under {load.total.total()} requests: {dict(load.total)}")


def test_rolling_restart_fails_no_request(
    start: Callable[..., Server], record: Record, sql: Any
) -> None:
    pair = list(threads.map(lambda _: start(), range(2)))
    started = monotonic()
    with closing(Balancer(*(server.port for server in pair))) as balancer:
        load = Load(balancer.port, register(pair[0]))
        with load.by(CLIENTS):
            for number in range(2):
                terminate(pair[number])
                assert pair[number].process.wait(20) == 0
                pair[number] = start()
                balancer.ports = tuple(server.port for server in pair)
                wait_for(lambda: len(balancer.ready) == 2)
            wait_for(lambda: load.total.total() >= REQUESTS)
    seconds = monotonic() - started

    made = load.total["201"]
    assert load.total.keys() == {"200", "201"}
    assert sql(COUNT, load.owner.user_id) == [(made, made)]
    record(f"{dict(load.total)} in {seconds:.1f} s, 2 servers replaced")
