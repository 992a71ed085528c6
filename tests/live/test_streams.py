"""Exports that are read slowly, by many, and while workers are replaced."""

import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest

from tests.live.conftest import environment
from tests.live.people import Tokens, register
from tests.live.race import threads
from tests.live.server import Server
from tests.live.wire import LIVEZ, request

pytestmark = [pytest.mark.live, pytest.mark.full]
Record = Callable[[str], None]
SMALL_BUFFER = 64 * 1024
PROBE_SECONDS = 1.0
RESET = struct.pack("ii", 1, 0)  # of SO_LINGER, socket(7)
FILL = """
INSERT INTO tasks_task (id, user_id, title, description, status, priority, version,
                        revision, created_at, updated_at)
SELECT gen_random_uuid(), %s, 'x', repeat('ж', 5000), 'TODO', 2, 1, 1, now(), now()
FROM generate_series(1, %s)
"""


@pytest.fixture
def server(database: str, folder: Path) -> Iterator[Server]:
    """What waits longer than two seconds for the end of its responses is cut off."""
    variables = environment(database) | {
        "GUNICORN_CMD_ARGS": "--graceful-timeout 2",
        "MAX_STREAMS": "20",
        "MAX_STREAMS_PER_USER": "20",
    }
    with closing(Server(folder, variables)) as server:
        yield server


def owner_of(server: Server, sql: Any, tasks: int) -> Tokens:
    """An account whose tasks have 10 KB each."""
    owner = register(server)
    sql(FILL, owner.user_id, tasks)
    return owner


def export_request(owner: Tokens) -> bytes:
    return request("GET", "/api/tasks/export?format=jsonl", token=owner.access)


def start_export(server: Server, owner: Tokens, buffer: int) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.settimeout(40)
    client.connect(("127.0.0.1", server.port))
    client.sendall(export_request(owner))
    return client


def read_steadily(client: socket.socket, bytes_per_second: int) -> int:
    """How many tasks arrive; IncompleteRead where the response is cut off."""
    tasks, received, started = 0, 0, monotonic()
    with HTTPResponse(client) as response:
        response.begin()
        assert response.status == 200
        while data := response.read1(min(bytes_per_second // 10, 1 << 20)):
            tasks += data.count(b"\n")
            received += len(data)
            sleep(max(0, started + received / bytes_per_second - monotonic()))
        assert response.isclosed() or not response.chunk_left
    return tasks


def replace_workers(server: Server) -> None:
    before = set(server.workers())
    server.process.send_signal(signal.SIGHUP)
    deadline = monotonic() + 20
    while len(set(server.workers()) - before) < 2 and monotonic() < deadline:
        sleep(0.1)


@pytest.mark.parametrize(
    ("kilobytes", "tasks"), [(50, 150), (1000, 800), (100_000, 5000)]
)
def test_steady_reader_gets_a_whole_export_while_workers_are_replaced_twice(
    server: Server, sql: Any, record: Record, kilobytes: int, tasks: int
) -> None:
    owner = owner_of(server, sql, tasks)
    buffer = SMALL_BUFFER if kilobytes < 100_000 else 1 << 20
    with closing(start_export(server, owner, buffer)) as client:
        started = monotonic()
        reading = threads.submit(read_steadily, client, kilobytes * 1000)
        for _ in range(2):
            sleep(0.5)
            replace_workers(server)

        assert reading.result(90) == tasks
        record(f"{kilobytes} KB/s: {tasks * 10} KB in {monotonic() - started:.1f} s")


def test_nobody_is_refused_while_workers_are_replaced(server: Server) -> None:
    """The old ones accept connections until the new ones do."""
    slowest = 0.0
    replacing = threads.submit(replace_workers, server)
    until = monotonic() + 6
    while monotonic() < until:
        started = monotonic()
        with closing(socket.create_connection(("127.0.0.1", server.port))) as client:
            client.settimeout(10)
            client.sendall(LIVEZ.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        slowest = max(slowest, monotonic() - started)
        sleep(0.01)
    replacing.result(20)

    assert slowest < 0.8


def test_probes_are_answered_while_exports_are_not_read(
    server: Server, sql: Any, record: Record
) -> None:
    owner = owner_of(server, sql, 1000)
    slowest, statuses = 0.0, []
    with ExitStack() as stack:
        for _ in range(64):
            client = start_export(server, owner, SMALL_BUFFER)
            stack.enter_context(closing(client))
            with HTTPResponse(client) as response:
                response.begin()
                statuses.append(response.status)
        for path in ["/livez", "/readyz", "/health"] * 10:
            answer = server.ask(request("GET", path))
            assert answer.status == 200
            slowest = max(slowest, answer.seconds)

    assert {200, 429} == set(statuses)
    assert statuses.count(200) <= 2 * 20
    assert slowest < PROBE_SECONDS
    record(f"{statuses.count(200)} streams, {statuses.count(429)} refused")
    record(f"the slowest probe took {slowest:.3f} s")


@pytest.fixture
def narrow_server(database: str, folder: Path) -> Iterator[Server]:
    """It sends two exports a worker, and asks a second after a client has left."""
    variables = environment(database) | {
        "GUNICORN_CMD_ARGS": "--asgi-disconnect-grace-period 1",
        "MAX_STREAMS": "2",
        "MAX_STREAMS_PER_USER": "1",
    }
    with closing(Server(folder, variables)) as server:
        yield server


@pytest.mark.parametrize("linger", [None, RESET], ids=["closes", "resets"])
def test_client_who_leaves_before_the_first_piece_gives_its_place_back(
    narrow_server: Server, database: str, sql: Any, linger: bytes | None
) -> None:
    owners = [owner_of(narrow_server, sql, 20) for _ in range(3)]

    def export(owner: Tokens) -> int:
        with closing(narrow_server.connection(0)) as connection:
            return connection.ask(export_request(owner)).status

    with psycopg.connect(database) as locking:
        locking.execute("LOCK TABLE tasks_task IN ACCESS EXCLUSIVE MODE")
        leaving = [narrow_server.connection(0) for _ in owners[:2]]
        for owner, connection in zip(owners[:2], leaving, strict=True):
            connection.open()
            assert connection.socket
            if linger:
                connection.socket.setsockopt(SOL_SOCKET, SO_LINGER, linger)
            connection.socket.sendall(export_request(owner))
        sleep(0.3)
        # One for the user, and one for the worker.
        assert [export(owners[0]), export(owners[2])] == [429, 429]
        for connection in leaving:
            connection.close()
        sleep(1.5)

    deadline = monotonic() + 5
    while (found := [export(owner) for owner in owners]) != [200] * 3:
        assert monotonic() < deadline, found
        sleep(0.1)


def test_memory_of_many_large_exports_is_bounded(
    server: Server, sql: Any, record: Record
) -> None:
    """16 of 30 MB at once, of which each reads a little, and then all of it."""
    owner = owner_of(server, sql, 3000)
    with closing(start_export(server, owner, 1 << 20)) as client:
        read_steadily(client, 10**9)
    before = memory(server)
    with ExitStack() as stack:
        clients = [start_export(server, owner, SMALL_BUFFER) for _ in range(16)]
        for client in clients:
            stack.enter_context(closing(client))
        reading = [threads.submit(read_steadily, each, 10**9) for each in clients]
        most = before
        while not all(each.done() for each in reading):
            most = max(most, memory(server))
            sleep(0.1)
        assert [each.result() for each in reading] == [3000] * 16

    assert most - before < 100
    record(f"16 exports of 30 MB: both workers grew by {most - before:.0f} MiB")


def memory(server: Server) -> float:
    """MiB of all workers."""
    pages = 0
    for pid in server.workers():
        pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def test_cut_export_is_told_apart_from_a_whole_one(server: Server, sql: Any) -> None:
    owner = owner_of(server, sql, 1500)
    client = start_export(server, owner, SMALL_BUFFER)
    with closing(client), HTTPResponse(client) as response:
        response.begin()
        response.read(1000)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
        with pytest.raises((IncompleteRead, ConnectionError)):
            response.read()
