"""The server with the application: what it refuses, and what it does under load."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest

from tests.live.conftest import environment
from tests.live.malformed import MALFORMED, get
from tests.live.people import register
from tests.live.race import threads
from tests.live.server import Server
from tests.live.test_metrics import told
from tests.live.wire import LIVEZ, Answer, request

pytestmark = pytest.mark.live
Record = Callable[[str], None]
THREADS = 8
PATIENCE_SECONDS = 5
CODES = {
    400: "BAD_REQUEST",
    408: "REQUEST_TIMEOUT",
    413: "PAYLOAD_TOO_LARGE",
    414: "URI_TOO_LONG",
    417: "EXPECTATION_FAILED",
    431: "REQUEST_HEADER_FIELDS_TOO_LARGE",
}
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Type": "application/json",
}


def answer_to(live: Server, message: bytes) -> Answer:
    """The only answer, after which the server closes the connection if it said so."""
    with socket.create_connection(("127.0.0.1", live.port), 20) as client:
        client.sendall(message)
        with HTTPResponse(client) as it:
            it.begin()
            answer = Answer(it.status, dict(it.headers.items()), it.read(), 0)
        if answer.headers.get("Connection") == "close":
            assert client.recv(100) == b""
        return answer


def log_lines(live: Server, answer: Answer) -> list[dict[str, Any]]:
    lines = [json.loads(x) for x in live.log.read_bytes().splitlines() if x[:1] == b"{"]
    request_id = answer.headers["X-Request-Id"]
    return [line for line in lines if line.get("requestId") == request_id]


def assert_refused(live: Server, answer: Answer, status: int) -> None:
    """In the one error shape, with the headers that all answers have, and logged."""
    request_id = answer.headers["X-Request-Id"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", request_id)
    error = answer.json["error"]
    assert answer.json == {"error": error, "requestId": request_id}
    assert error == {"code": CODES[status], "message": error["message"]}
    assert re.fullmatch(r"[A-Z][ -~]+\.", error["message"])
    assert answer.status == status
    assert answer.headers.items() >= SECURITY.items()
    [line] = log_lines(live, answer)
    assert (
        line.items()
        >= {
            "logger": "taskapi.access",
            "status": status,
            "address": "127.0.0.1",
            "route": None,
        }.items()
    )


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_malformed_is_answered_in_the_one_shape(
    live: Server, kind: str
) -> None:
    status, message = MALFORMED[kind]

    assert_refused(live, answer_to(live, message), status)


def test_refusal_has_the_clients_id(live: Server) -> None:
    message = get(b"X-Request-Id: mine.1", b"Expect: wonders")

    assert answer_to(live, message).headers["X-Request-Id"] == "mine.1"


@pytest.mark.parametrize("sent", [b"a" * 65, b"a b", b'"', b"\xe9"])
def test_refusal_has_no_id_that_is_malformed(live: Server, sent: bytes) -> None:
    answer = answer_to(live, get(b"Expect: wonders", b"X-Request-Id: " + sent))

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])


def test_refusals_are_counted(live: Server) -> None:
    name = 'taskapi_http_requests_total{method="other",route="unmatched",status="400"}'
    before = told(live, name)

    for _ in range(3):
        answer_to(live, b"nonsense\r\n\r\n")

    assert told(live, name) - before == 3


def test_body_over_the_limit_is_refused(live: Server) -> None:
    """However it is sent; a browser may read why (CORS)."""
    head = b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4194305\r\n"
    asking = head + b"Expect: 100-continue\r\n\r\n"

    for message in asking, head + b"\r\n" + bytes(4194305):
        answer = answer_to(live, message)
        assert_refused(live, answer, 413)
        [line] = log_lines(live, answer)
        assert (line["method"], line["path"]) == ("POST", "/api/tasks")


@pytest.mark.full
def test_half_a_request_is_refused_in_time(live: Server, record: Record) -> None:
    halves = [
        get()[:-2],
        b"GET /livez HTT",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"POST /api/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n{",
    ]
    started = monotonic()

    for answer in threads.map(lambda half: answer_to(live, half), halves):
        assert_refused(live, answer, 408)

    seconds = monotonic() - started
    assert PATIENCE_SECONDS <= seconds < PATIENCE_SECONDS + 2
    record(f"{len(halves)} refused after {seconds:.1f} s")


@contextmanager
def writes_held_up(live: Server, database: str, size: int) -> Iterator[list[Any]]:
    """So many requests wait in one worker for as long as this lasts."""
    owner = register(live)
    with psycopg.connect(database) as connection, ExitStack() as stack:
        lock = "SELECT 1 FROM accounts_user WHERE id = %s FOR UPDATE"
        connection.execute(lock, [owner.user_id])
        message = request("POST", "/api/tasks", {"title": "?"}, token=owner.access)
        clients = [
            stack.enter_context(closing(live.connection(0))) for _ in range(size)
        ]
        for client in clients:
            client.open()
        waiting = [threads.submit(client.ask, message) for client in clients]
        yield waiting
        connection.rollback()
        assert [each.result(10).status for each in waiting] == [201] * size


def test_slow_requests_hold_up_nobody(
    live: Server, record: Record, database: str
) -> None:
    with closing(live.connection(0)) as quick:
        quick.open()
        with writes_held_up(live, database, THREADS - 1):
            sleep(0.3)
            slowest = max(quick.ask(LIVEZ).seconds for _ in range(50))

    assert slowest < 0.1
    record(f"{THREADS - 1} of {THREADS} threads busy; another waited {slowest:.3f} s")


def test_requests_wait_while_every_thread_is_busy(live: Server, database: str) -> None:
    with closing(live.connection(0)) as quick:
        quick.open()
        with writes_held_up(live, database, THREADS):
            sleep(0.3)
            waiting = threads.submit(quick.ask, request("GET", "/"))
            sleep(0.3)
            assert not waiting.done()
        assert waiting.result(10).status == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
def test_probes_are_answered_while_every_thread_is_busy(
    live: Server, database: str, path: str
) -> None:
    with closing(live.connection(0)) as quick:
        quick.open()
        with writes_held_up(live, database, THREADS):
            sleep(0.3)
            assert quick.ask(request("GET", path)).status == 200


def wake_ups(pid: int) -> int:
    """How often threads of a process went to sleep, which is how often they woke.

    The time that these take is no measure: it depends on the machine.
    """
    statuses = Path(f"/proc/{pid}/task").glob("*/status")
    found = (
        re.search(r"^voluntary_\w+:\s+(\d+)", s.read_text(), re.M) for s in statuses
    )
    return sum(int(each[1]) for each in found if each)


@pytest.mark.full
def test_idle_workers_hardly_wake_up(
    database: str, folder: Path, record: Record
) -> None:
    # A server of its own: what other tests left at theirs may still end.
    with closing(Server(folder, environment(database))) as server:
        workers = server.workers()
        sleep(1)
        before, started = sum(map(wake_ups, workers)), monotonic()
        assert before > 0
        sleep(5)
        woken = sum(map(wake_ups, workers)) - before
        rate = woken / (monotonic() - started) / len(workers)
    assert rate < 15
    record(f"each worker woke {rate:.1f} times a second")
