"""`manage.py serve` and `gunicorn.conf.py`, in processes and on ports of their own."""

import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from urllib.request import Request, urlopen

import pytest
from gunicorn.config import Config

from tests.deploy.image import free_port

pytestmark = pytest.mark.full
ROOT = Path(__file__).resolve().parent.parent.parent


SERVE = ("manage.py", "serve")
GUNICORN = ("-m", "gunicorn", "--config", "gunicorn.conf.py", "taskapi.asgi")


def start_server(
    database: Path,
    *options: str,
    command: tuple[str, ...] = SERVE,
    stdout: int = subprocess.PIPE,
    **variables: str,
) -> subprocess.Popen[str]:
    """The command on SQLite and local memory."""
    inherited = {n: v for n, v in os.environ.items() if not n.startswith("WEB_")}
    default = {"DATABASE_URL": f"sqlite:///{database}", "REDIS_URL": "", "HOST": ""}
    return subprocess.Popen(
        [sys.executable, *command, *options],
        cwd=ROOT,
        env=inherited
        | default
        | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
        | variables,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def refusal(database: Path, **variables: str) -> tuple[int, str]:
    with start_server(database, **variables) as process:
        _, errors = process.communicate(timeout=30)
    return process.returncode, errors


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "db.sqlite3"


@pytest.fixture
def server(database: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server that answers, and its port."""
    port = free_port()
    with start_server(database, PORT=str(port)) as process:
        assert process.stdout is not None
        while process.poll() is None and "/health" not in process.stdout.readline():
            pass
        yield process, port
        process.kill()
        process.communicate()


def test_taken_port_is_refused_at_once(database: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]

        status, errors = refusal(database, PORT=str(port))

    assert status == 1
    remedy = f"port {port} is taken; choose another: --port {port + 1}"
    assert errors == f"CommandError: {remedy}\n"


def lines_until_stopped(process: subprocess.Popen[str]) -> list[str]:
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=30)[0].splitlines()


def test_banner_is_the_last_thing_about_the_start(database: Path) -> None:
    """Then the server accepts connections, and nothing scrolls the URLs away."""
    with start_server(database, "--port", str(port := free_port())) as process:
        assert process.stdout
        started = []
        while not started or "/health" not in started[-1]:
            assert process.poll() is None
            started.append(process.stdout.readline())
        socket.create_connection(("127.0.0.1", port)).close()
        more = lines_until_stopped(process)

    text = "".join(started)
    assert text.index("ASGI server listening") < text.index(
        f"Task API  http://127.0.0.1:{port}\n"
    )
    assert "Handling signal: term" in more[0]
    assert text.count("applied") == 1


def test_lines_on_a_terminal_are_for_people(database: Path) -> None:
    master, slave = os.openpty()
    with start_server(database, PORT=str(free_port()), stdout=slave) as process:
        os.close(slave)
        shown = b""
        while b"/health" not in shown:
            shown += os.read(master, 4096)
        process.kill()
    os.close(master)

    assert re.search(rb"^\d\d:\d\d:\d\d INFO +gunicorn.error Booting", shown, re.M)
    assert b"{" not in shown


def test_database_that_does_not_answer_is_named(database: Path) -> None:
    status, errors = refusal(database / "missing", PORT=str(free_port()))

    assert status == 1
    assert errors == (
        "CommandError: the database does not answer: unable to open database file\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "http", "PORT must be a whole number from 1 to 65535, not 'http'"),
        (
            "KEEPALIVE_SECONDS",
            "0",
            "KEEPALIVE_SECONDS must be a whole number from 1 to 3600, not '0'",
        ),
        ("WEB_CONCURRENCY", "2", "WEB_CONCURRENCY=2 needs REDIS_URL: without it each"),
    ],
)
def test_bad_setting_is_refused_in_one_line(
    database: Path, name: str, value: str, sentence: str
) -> None:
    status, errors = refusal(database, **{name: value})

    assert status == 1
    assert errors.startswith(f"taskapi: {sentence}")
    assert errors.count("\n") == 1


def wait_until_caught(pid: int) -> None:
    """Before its first line a program can do nothing about SIGTERM."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():  # not Linux
        time.sleep(1)
        return
    bit, deadline = 1 << signal.SIGTERM - 1, time.monotonic() + 10
    while time.monotonic() < deadline:
        caught = status.read_text().partition("SigCgt:")[2].split()[0]
        if int(caught, 16) & bit:
            return
        time.sleep(0.001)
    raise AssertionError("it catches no signal")


@pytest.mark.parametrize("command", [SERVE, ("manage.py", "worker")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_told_to_stop_while_starting_is_no_failure(
    database: Path, number: signal.Signals, command: tuple[str, ...]
) -> None:
    port = str(free_port())
    with start_server(database, PORT=port, command=command) as process:
        wait_until_caught(process.pid)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)

    assert process.returncode == 0
    assert errors == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_told_to_stop_while_serving_is_no_failure(
    server: tuple[subprocess.Popen[str], int], number: signal.Signals
) -> None:
    process, _ = server

    process.send_signal(number)
    process.communicate(timeout=30)

    assert process.returncode == 0


def until_served(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    while "/health" not in process.stdout.readline():
        assert process.poll() is None


def post(port: int, path: str, body: dict[str, str]) -> int:
    headers = {"Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}/api/auth/{path}"
    request = Request(url, json.dumps(body).encode(), headers)
    with urlopen(request, timeout=30) as response:
        return int(response.status)


def test_worker_beside_the_server_sends_mail_and_ends_with_it(database: Path) -> None:
    about = {
        "DJANGO_SETTINGS_MODULE": "tests.live.settings",
        "LIVE_EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend",
    }
    account = {"name": "Al", "email": "al@example.com", "password": "correct horse 1"}
    with start_server(database, PORT=str(port := free_port()), **about) as process:
        assert process.stdout is not None
        until_served(process)
        assert post(port, "register", account) == 201
        assert post(port, "password/forgot", {"email": account["email"]}) == 202
        while "Subject: Reset your password" not in process.stdout.readline():
            assert process.poll() is None
        process.kill()
        # Not before the worker has closed its end, too.
        process.communicate(timeout=30)


@pytest.mark.parametrize("runs", [True, False])
def test_worker_can_be_left_to_others(database: Path, runs: bool) -> None:
    port, worker = str(free_port()), str(runs).lower()
    with start_server(database, PORT=port, WORKER=worker) as process:
        until_served(process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            pytest.skip("only Linux tells the children of a process")
        commands = [
            Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            for pid in children.read_text().split()
        ]
        process.terminate()
        process.communicate(timeout=30)

    assert any(b"worker" in command for command in commands) is runs


def test_clients_that_never_hang_up_keep_nobody_waiting(
    server: tuple[subprocess.Popen[str], int],
) -> None:
    _, port = server
    with ExitStack() as open_ends:
        for _ in range(8):
            client = open_ends.enter_context(
                socket.create_connection(("127.0.0.1", port))
            )
            client.sendall(
                b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        started = time.monotonic()

        with urlopen(f"http://127.0.0.1:{port}/livez", timeout=30) as response:
            assert response.status == 200

    assert time.monotonic() - started < 10


def test_worker_told_to_stop_before_it_listens_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hook = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["post_fork"]
    inherited: SimpleQueue[int] = SimpleQueue()
    inherited.put(signal.SIGTERM)
    reset: list[int] = []
    monkeypatch.setattr(signal, "signal", lambda number, _: reset.append(number))

    with pytest.raises(SystemExit):
        hook(SimpleNamespace(SIG_QUEUE=inherited), None)

    assert signal.SIGTERM in reset


def test_gunicorn_makes_no_access_log_beside_the_one_of_the_application() -> None:
    names = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    configuration = Config()
    for name in configuration.settings.keys() & names.keys():
        configuration.set(name, names[name])
    # Without its constructor, which would replace the logging of this process.
    logger = object.__new__(configuration.logger_class)
    logger.cfg = configuration

    assert logger.access_log_enabled is False


@pytest.mark.parametrize("name", ["REDIS_URL", "REDIS_URL_FILE"])
def test_workers_are_two_where_redis_is_shared(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for each in ("REDIS_URL", "WEB_CONCURRENCY"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "redis://localhost")

    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))["workers"] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_worker_that_starts_is_not_waited_for(
    database: Path, number: signal.Signals
) -> None:
    """A signal before its event loop runs must not be lost: the wait would be 30 s."""
    port = str(free_port())
    with start_server(database, command=GUNICORN, PORT=port) as process:
        assert process.stdout
        while "Booting worker" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(0.2)  # the worker imports the application now
        process.send_signal(number)
        process.communicate(timeout=25)

    assert process.returncode == 0
