"""The worker under gunicorn: how it ends, and how it is ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from taskapi.server.worker import Worker
from tests.launcher import death_pact

ROOT = Path(__file__).resolve().parents[2]
THREADS = 2
TIMEOUT_SECONDS = 2
clients = ThreadPoolExecutor(8)


class Gunicorn:
    def __init__(self, log: Path, *options: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            self.log = log
            bind = f"fd://{listener.fileno()}"
            with log.open("wb") as output:
                self.process = subprocess.Popen(
                    [
                        *[sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"],
                        *["--bind", bind, "--threads", str(THREADS), *options],
                        "tests.server.application",
                    ],
                    cwd=ROOT,
                    env={**os.environ, "REDIS_URL": "", "WEB_CONCURRENCY": "1"},
                    stdout=output,
                    stderr=output,
                    pass_fds=[listener.fileno()],
                    preexec_fn=death_pact(signal.SIGQUIT),
                )

    def ask(self, milliseconds: int | str = 0) -> int:
        """The process that answered."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("GET", f"/{milliseconds}")
            return int(connection.getresponse().read())

    def close(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(10)


def ask_once(connection: HTTPConnection) -> int:
    connection.request("GET", "/")
    return int(connection.getresponse().read())


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Gunicorn]]:
    running: list[Gunicorn] = []

    def starter(*options: str) -> Gunicorn:
        running.append(Gunicorn(tmp_path / "log", *options))
        running[-1].ask()
        return running[-1]

    yield starter
    for each in running:
        each.close()


def test_running_request_is_answered_before_the_end(
    start: Callable[..., Gunicorn],
) -> None:
    server = start()
    pid = server.ask()
    answer = clients.submit(server.ask, 1000)
    time.sleep(0.2)

    server.process.send_signal(signal.SIGTERM)

    assert answer.result() == pid
    assert server.process.wait(5) == 0


def test_kept_connections_are_closed_with_an_answer(
    start: Callable[..., Gunicorn],
) -> None:
    """Whoever sends while the server stops is served, and told to go elsewhere."""
    server = start()
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as kept:
        kept.request("GET", "/")
        kept.getresponse().read()
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)

        kept.request("GET", "/")

        answer = kept.getresponse()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        answer.read()
    assert server.process.wait(5) == 0


def test_request_that_does_not_end_is_given_up(start: Callable[..., Gunicorn]) -> None:
    server = start("--graceful-timeout", "1")
    answer = clients.submit(server.ask, 15_000)
    time.sleep(0.2)
    started = time.monotonic()

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(5) == 0
    assert 0.8 < time.monotonic() - started < 4
    with pytest.raises(ConnectionError):
        answer.result()


def test_quick_stop_does_not_wait(start: Callable[..., Gunicorn]) -> None:
    server = start()
    answer = clients.submit(server.ask, 15_000)
    time.sleep(0.2)
    started = time.monotonic()

    server.process.send_signal(signal.SIGQUIT)

    assert server.process.wait(5) == 0
    assert time.monotonic() - started < 3
    with pytest.raises(ConnectionError):
        answer.result()


def test_worker_retires_without_losing_a_request(
    start: Callable[..., Gunicorn],
) -> None:
    server = start("--max-requests", "50", "--max-requests-jitter", "5")

    def keep_asking(number: int) -> set[int]:
        """On one connection for as long as the server does not say it closes it."""
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as kept:
            return {ask_once(kept) for _ in range(100)}

    pids = set.union(*clients.map(keep_asking, range(4)))

    assert 3 < len(pids) < 10


@pytest.mark.parametrize(
    ("busy_seconds", "requests", "pieces", "is_well"),
    [
        (None, 5, 5, True),  # nobody asks
        (0.1, 5, 5, True),
        (20, 5, 5, False),
        (20, 6, 5, True),  # a thread became free, and took the next request
        (20, 5, 6, True),  # a stream goes on
    ],
)
def test_master_is_told_that_all_is_well(
    busy_seconds: float | None, requests: int, pieces: int, is_well: bool
) -> None:
    told: list[bool] = []
    worker: Any = Worker.__new__(Worker)
    worker.ppid, worker.notify = os.getppid(), lambda: told.append(True)
    since = time.monotonic() - busy_seconds if busy_seconds else 0.0
    lead = SimpleNamespace(busy_since=since)
    worker.loop = SimpleNamespace(lead=lead, limits=SimpleNamespace(pieces_sent=pieces))
    worker.progress, worker.nr = (5, 5), requests

    worker.report()

    assert bool(told) is is_well


@pytest.mark.full
def test_worker_is_replaced_when_every_thread_is_stuck(
    start: Callable[..., Gunicorn],
) -> None:
    server = start("--timeout", str(TIMEOUT_SECONDS))
    pid = server.ask()
    stuck = [clients.submit(server.ask, 15_000)]
    # With a thread left it serves, however long this lasts.
    until = time.monotonic() + 2 * TIMEOUT_SECONDS
    while time.monotonic() < until:
        assert server.ask() == pid
        time.sleep(0.05)

    stuck.append(clients.submit(server.ask, 15_000))

    started = time.monotonic()
    for each in stuck:
        with pytest.raises(ConnectionError):
            each.result()
    assert server.ask() != pid
    assert time.monotonic() - started < 3 * TIMEOUT_SECONDS + 2


def test_worker_without_a_leader_is_replaced(start: Callable[..., Gunicorn]) -> None:
    server = start()
    pid = server.ask()

    with suppress(ConnectionError):  # the answer may come too late
        server.ask("break")

    assert server.ask() != pid
    assert "A thread of the server failed" in server.log.read_text()


def test_tls_is_refused(tmp_path: Path) -> None:
    """Told to serve it, it would serve in the clear."""
    server = Gunicorn(tmp_path / "log", "--certfile", "/dev/null")

    assert server.process.wait(10) != 0
    assert "TLS is for the proxy in front to end" in server.log.read_text()
