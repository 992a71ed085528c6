"""Gunicorn with the project's configuration, before a few lines of WSGI."""

import os
import re
import signal
import socket
import subprocess
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPResponse
from io import BufferedReader
from pathlib import Path
from typing import Any

from tests.launcher import death_pact
from tests.live.server import BOOTED, GUNICORN, ROOT, is_alive

SECONDS = 20
THREADS = 2
BIG = 3_000_000  # bytes


class Gunicorn:
    application = "tests.live.application"

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
            self.port: int = listener.getsockname()[1]
            self.log = folder / f"gunicorn-{self.port}.log"
            self.process = self.start(listener.fileno(), options, variables)
        self.wait()

    def start(
        self, listener: int, options: tuple[str, ...], variables: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        usual = {"REDIS_URL": "", "WEB_CONCURRENCY": "1", "WEB_THREADS": str(THREADS)}
        bind = ["--bind", f"fd://{listener}"]
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*GUNICORN, *bind, *options, self.application],
                cwd=ROOT,
                env={**os.environ, **usual, **variables},
                stdout=log,
                stderr=log,
                pass_fds=[listener],
                preexec_fn=death_pact(signal.SIGQUIT),
            )

    def wait(self) -> None:
        """Until it answers, whatever that says."""
        with closing(self.client()) as client:
            client.request("GET", "/livez")
            client.getresponse().read()

    def ask(self, milliseconds: int = 0) -> int:
        """The process that answered, after so long."""
        with closing(self.client()) as client:
            return ask_on(client, milliseconds)

    def client(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def worker(self) -> int:
        """The youngest."""
        booted = [int(pid) for pid in BOOTED.findall(self.log.read_bytes())]
        return [pid for pid in booted if is_alive(pid)][-1]

    def connections(self) -> int:
        """How many its worker has open."""
        inodes = set()
        for each in Path(f"/proc/{self.worker()}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                inodes.add(os.readlink(each).removeprefix("socket:[")[:-1])
        table = Path("/proc/net/tcp").read_text().splitlines()[1:]
        here = re.compile(rf"\s*\d+: [0-9A-F]+:{self.port:04X} \S+ (?!0A)")
        return sum(line.split()[9] in inodes for line in table if here.match(line))

    def close(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        # The master waits for a worker up to its `graceful_timeout`.
        self.process.wait(SECONDS + 30)


def ask_on(client: HTTPConnection, milliseconds: int = 0) -> int:
    client.request("GET", f"/sleep/{milliseconds}")
    return int(client.getresponse().read())


class Unbuffered:
    """A socket of which http.client does not read ahead."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client

    def makefile(self, mode: str) -> Any:
        return BufferedReader(socket.SocketIO(self.client, "r"), 1)


def read_response(client: socket.socket, method: str = "GET") -> tuple[Any, bytes]:
    """The next response with its body, and not a byte of the one after it."""
    with HTTPResponse(Unbuffered(client), method=method) as response:  # type: ignore[arg-type]
        response.begin()
        return response, response.read()


def read_all(client: socket.socket) -> bytes:
    """Until the server closes the connection."""
    received = b""
    while data := client.recv(65536):
        received += data
    return received
