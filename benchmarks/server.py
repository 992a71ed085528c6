"""The servers that are measured: this project's, others by their command, or a URL."""

import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import redis

from benchmarks.statements import Statements
from benchmarks.wire import Address, fetch
from tests.launcher import CannotStartError, Launcher, death_pact
from tests.live.wire import request
from tests.services import postgres_version, valkey_version

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60
# Workers that retire are replaced at a cost that comes at any time.
GUNICORN = "-m gunicorn --config gunicorn.conf.py taskapi.asgi"
MANY = "1000000000/1m"


class Server:
    """Serves at `address`; `pid` is its process, if that is known."""

    def __init__(self, name: str, address: Address, pid: int | None = None) -> None:
        self.name, self.address, self.pid = name, address, pid
        self.statements = Statements(None)

    def answers(self, path: str) -> bool:
        try:
            return fetch(self.address, request("GET", path)).status == 200
        except OSError:
            return False

    def forget_lists(self) -> None:
        """Have it keep no list; one that cannot be told may be asked for a new one."""


class Process(Server):
    """A server that is started by a shell command, and serves on $PORT."""

    def __init__(self, name: str, command: str, port: int, **environment: str) -> None:
        super().__init__(name, Address("127.0.0.1", port))
        # A file takes log lines at their usual cost, and tells why it did not start.
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command,
            shell=True,
            cwd=ROOT,
            env=os.environ | environment | {"PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            preexec_fn=death_pact(signal.SIGTERM),
        )
        self.pid = self.process.pid

    def wait(self, path: str = "/health") -> None:
        """Until it answers, or end with what it said when it does not."""
        while not self.answers(path):
            late = time.monotonic() - self.started > START_SECONDS
            if late or self.process.poll() is not None:
                self.log.seek(0)
                said = self.log.read()[-2000:].decode(errors="replace")
                raise SystemExit(f"{self.name} does not serve. It said:\n{said}")
            time.sleep(0.005)

    def close(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(15)
        except ProcessLookupError:
            pass
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()


class Ours(Process):
    """This project's, with its own configuration, every limit on but out of reach."""

    def __init__(self, port: int, processes: int, **environment: str) -> None:
        here = own_environment(processes) | environment
        command = f"exec {shlex.quote(sys.executable)} {GUNICORN}"
        super().__init__("taskapi", command, port, **here)
        self.statements = Statements(os.environ["DATABASE_URL"])

    def forget_lists(self) -> None:
        with closing(redis.Redis.from_url(os.environ["REDIS_URL"])) as client:
            for key in client.scan_iter("taskapi:list:*", count=1000):
                client.delete(key)


def own_environment(processes: int = 1) -> dict[str, str]:
    limits = {f"RATE_LIMIT_{n}": MANY for n in ("AUTH", "LOGIN", "REFRESH", "USER")}
    # For as long as anybody measures.
    lasting = {"HTTPS": "false", "ACCESS_TOKEN_SECONDS": "86400"}
    return limits | lasting | {"WEB_CONCURRENCY": str(processes)}


@contextmanager
def services() -> Iterator[str]:
    """Set DATABASE_URL and REDIS_URL, to throwaway servers where they are not given."""
    names = ("SECRET_KEY", "JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET")
    os.environ.update({name: secrets.token_urlsafe(48) for name in names})
    with closing(Launcher()) as launcher:
        try:
            start_what_is_missing(launcher)
        except CannotStartError as reason:
            raise SystemExit(
                f"{reason}: set DATABASE_URL and REDIS_URL, or run it by "
                "`python3 -m taskapi bench`, which installs what is missing"
            ) from None
        yield ", ".join(
            [
                postgres_version(os.environ["DATABASE_URL"]),
                valkey_version(os.environ["REDIS_URL"]),
                f"Python {sys.version.split()[0]}",
            ]
        )


def start_what_is_missing(launcher: Launcher) -> None:
    if not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = launcher.start_valkey(valkey_version)
    if not os.environ.get("DATABASE_URL"):
        counting = "--shared_preload_libraries=pg_stat_statements"
        url = launcher.start_postgres(postgres_version, counting)
        os.environ["DATABASE_URL"] = url
        manage("migrate")
        manage("seed", "--users=40", "--tasks=1000", "--force")


def manage(*arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments, "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, check=True)
