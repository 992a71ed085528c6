"""The real server: gunicorn with the project's configuration, on a free port."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.launcher import death_pact
from tests.live.race import race
from tests.live.wire import Answer, Connection

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
START_SECONDS = 30
GUNICORN = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py"]
BOOTED = re.compile(rb"Booting worker with pid: (\d+)")


class Server:
    """A master process, its two workers, and connections spread evenly over them."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        with socket.socket() as listener:
            # Given to gunicorn as it is, so that nobody else can take the port.
            listener.bind(("127.0.0.1", 0))
            self.port: int = listener.getsockname()[1]
            self.log = folder / f"server-{self.port}.log"
            self.process = self.start(listener.fileno(), environment)
        self.connections: list[Connection] = []
        self.turns = count()
        self.read_to = 0
        try:
            self.wait_for_workers()
        except BaseException:
            self.close()
            raise

    def start(
        self, listener: int, environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*GUNICORN, "--bind", f"fd://{listener}", "taskapi.asgi"],
                cwd=ROOT,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[listener],
                start_new_session=True,
                preexec_fn=death_pact(signal.SIGQUIT),
            )

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.process.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            for worker in self.workers():
                os.kill(worker, signal.SIGKILL)
            self.process.kill()
            self.process.wait()

    def workers(self) -> list[int]:
        """The processes that serve now, the eldest first."""
        booted = [int(pid) for pid in BOOTED.findall(self.log.read_bytes())]
        return [pid for pid in booted if is_alive(pid)]

    def kill(self, index: int) -> None:
        """End one worker, by its number, without giving it a chance."""
        os.kill(self.workers()[index % WORKERS], signal.SIGKILL)
        for connection in self.connections:
            connection.close()

    def wait_for_workers(self) -> None:
        """Until as many workers as there should be answer requests."""
        deadline = monotonic() + START_SECONDS
        while not self.is_ready():
            assert self.process.poll() is None, self.last_words()
            assert monotonic() < deadline, self.last_words()
            sleep(0.02)

    def is_ready(self) -> bool:
        with closing(Connection(self.port)) as connection:
            answering = {connection.connect() for _ in range(8)}
        return len(answering - {None}) == WORKERS

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def is_of(self, index: int, pid: int | None) -> bool:
        workers = self.workers()
        return len(workers) >= WORKERS and pid == workers[index % WORKERS]

    def connection(self, index: int, **more: Any) -> Connection:
        """A new connection to one of the workers, by its number."""
        return Connection(self.port, partial(self.is_of, index), **more)

    def crowd(self, size: int) -> list[Connection]:
        """So many connections, each to another worker than its neighbours, beginning
        with a different worker each time.
        """
        while len(self.connections) < size + 1:
            self.connections.append(self.connection(len(self.connections)))
        first = next(self.turns) % 2
        return self.connections[first : first + size]

    def lanes(self, *requests: bytes) -> list[Callable[[], Answer]]:
        """One call per request, each over a connection that is open already."""
        connections = self.crowd(len(requests))
        for connection in connections:
            connection.open()
        return [
            partial(connection.ask, each)
            for connection, each in zip(connections, requests, strict=True)
        ]

    def race(self, *requests: bytes, stagger: float = 0.0) -> list[Answer]:
        """Send all requests at once; their answers, in order."""
        return race(*self.lanes(*requests), stagger=stagger)

    def ask(self, message: bytes) -> Answer:
        """Send one request, to the workers in turn."""
        return self.crowd(1)[0].ask(message)

    def failures(self) -> list[dict[str, Any]]:
        """What the log says of answers 5xx and of exceptions, since the last look."""
        with self.log.open("rb") as log:
            log.seek(self.read_to)
            written = b"".join(log.read().rpartition(b"\n")[:2])
        # A line that is being written is read with the next look.
        self.read_to += len(written)
        entries = [json.loads(x) for x in written.splitlines() if x.startswith(b"{")]
        return [e for e in entries if e.get("status", 0) >= 500 or "exception" in e]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
