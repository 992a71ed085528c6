"""The load generator of `python -m benchmarks` tells what happened."""

import json
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import repeat
from pathlib import Path

import pytest
from django.conf import settings

from benchmarks import processes
from benchmarks.load import Client, Measured, Script, closed, opened
from benchmarks.operations import OPERATIONS
from benchmarks.wire import Address
from tests.deploy.image import free_port

ASKED = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
PIECES = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
NOTHING = b"HTTP/1.1 304 Not Modified\r\n\r\n"

Serve = Callable[[Iterator[bytes]], Address]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server whose answers are these, in order; b"" hangs up."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def run(answers: Iterator[bytes]) -> None:
            for connection in iter(lambda: accepted(listener), None):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with connection:
                    while connection.recv(65536) and (answer := next(answers, b"")):
                        # In two pieces: an answer is not whole when it begins.
                        connection.sendall(answer[:-1])
                        time.sleep(0.001)
                        connection.sendall(answer[-1:])
                        if answer == LAST:
                            break

        def start(answers: Iterator[bytes]) -> Address:
            threading.Thread(target=run, args=[answers], daemon=True).start()
            return Address(*listener.getsockname())

        yield start
        listener.shutdown(socket.SHUT_RDWR)


def accepted(listener: socket.socket) -> socket.socket | None:
    try:
        return listener.accept()[0]
    except OSError:
        return None


def script(times: int) -> Script:
    for _ in range(times):
        yield ASKED


@contextmanager
def client(
    address: Address, times: int = 10**9, expects: int = 200
) -> Iterator[Client]:
    client = Client(address, script(times), expects)
    with closing(client.connection):
        yield client


def load(address: Address, times: int, expects: int = 200) -> Measured:
    with client(address, times, expects) as only:
        return closed([only], 5)


@pytest.mark.parametrize(
    "answer", [FINE, PIECES, LAST], ids=["whole", "chunked", "last"]
)
def test_every_answer_counts(serve: Serve, answer: bytes) -> None:
    measured = load(serve(repeat(answer)), 20)

    assert (len(measured.times), measured.errors) == (20, 0)
    assert measured.received == 20 * len(answer)
    assert 0 < measured.rate == 20 / measured.elapsed


def test_answer_without_body_needs_no_length(serve: Serve) -> None:
    assert len(load(serve(repeat(NOTHING)), 3, expects=304).times) == 3


@pytest.mark.parametrize(
    ("bad", "said"), [(BUSY, "503 "), (b"", "hung up")], ids=["503", "end"]
)
def test_what_fails_is_told_and_asked_again(
    serve: Serve, bad: bytes, said: str
) -> None:
    measured = load(serve(iter([FINE, bad, FINE, FINE])), 3)

    assert (len(measured.times), measured.errors) == (3, 1)
    assert said in measured.first_error


def test_closed_load_ends_in_time(serve: Serve) -> None:
    with client(serve(repeat(FINE))) as only:
        assert 0.2 <= closed([only], 0.2).elapsed < 2


def test_open_load_comes_at_its_rate(serve: Serve) -> None:
    with client(serve(repeat(FINE))) as only:
        measured = opened([only], 0.5, 200)

    assert len(measured.times) == 100
    assert 0.4 < measured.elapsed < 2


def test_open_load_counts_the_wait_for_a_stalled_server(serve: Serve) -> None:
    def stalling() -> Iterator[bytes]:
        time.sleep(0.4)
        yield from repeat(FINE)

    with client(serve(stalling())) as only:
        measured = opened([only], 0.4, 100)

    # Each was due when the first one was still waited for.
    assert len(measured.times) == 40
    assert measured.percentile(0.5) > 0.1


def test_percentile_is_the_nearest_rank() -> None:
    measured = Measured(times=[float(n) for n in range(100, 0, -1)])

    assert [measured.percentile(p) for p in (0.5, 0.99, 1)] == [50, 99, 100]
    assert Measured().percentile(0.5) == 0


def test_benchmark_measures_every_operation_without_an_error(tmp_path: Path) -> None:
    kept = {
        k: v for k, v in os.environ.items() if not k.endswith(("BASE_URL", "IS_URL"))
    }
    short = ["--rounds=1", "--seconds=0.3", "--connections=4"]
    short += [f"--port={free_port()}"]
    target = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", *short, f"--json={target}"]
    ran = subprocess.run(command, cwd=settings.BASE_DIR, env=kept, capture_output=True)

    assert ran.returncode == 0, ran.stderr
    figures = json.loads(target.read_text())["figures"]
    assert figures.keys() == OPERATIONS.keys()
    for name, servers in figures.items():
        found = servers["taskapi"]
        assert (found["errors"], found["rate"] > 0) == (0, True), f"{name}: {found}"
    # The session and, for the lists that are not cached yet, page and count.
    assert 1 <= figures["list_fresh"]["taskapi"]["sql"] <= 3


@pytest.mark.skipif(not processes.PROC.is_dir(), reason="there is no /proc")
def test_processor_time_is_that_of_all_processes_that_ever_ran() -> None:
    burn = (
        "import time; s = time.process_time()\nwhile time.process_time() < s + 0.3: 0"
    )
    python = shlex.quote(sys.executable)
    shell = f'{python} -c "{burn}"; {python} -c "{burn}" & wait; read x'
    with subprocess.Popen(shell, shell=True, stdin=subprocess.PIPE) as process:
        deadline = time.monotonic() + 20
        while (used := processes.cpu_seconds(process.pid) or 0) < 0.6:
            assert time.monotonic() < deadline, used
            time.sleep(0.05)
        process.communicate(b"\n")

    assert used < 2
    assert processes.cpu_seconds(None) is None
