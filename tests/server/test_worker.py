"""The worker under gunicorn: how it ends, and how it is ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

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

    pids = list(clients.map(lambda _: server.ask(), range(400)))

    assert 3 < len(set(pids)) < 10


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

    assert server.ask("break") == pid

    assert server.ask() != pid
    assert "A thread of the server failed" in server.log.read_text()


def test_tls_is_refused(tmp_path: Path) -> None:
    """Told to serve it, it would serve in the clear."""
    server = Gunicorn(tmp_path / "log", "--certfile", "/dev/null")

    assert server.process.wait(10) != 0
    assert "TLS is for the proxy in front to end" in server.log.read_text()
