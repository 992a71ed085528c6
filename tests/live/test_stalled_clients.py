"""Clients who stop in the middle: the others must not notice."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPResponse
from time import monotonic, sleep

import pytest

from tests.live.people import register
from tests.live.server import WORKERS, Server
from tests.live.wire import LIVEZ, Connection, request

pytestmark = pytest.mark.live
Record = Callable[[str], None]
THREADS = 8
ANSWER_SECONDS = 1.0
HEAD = b"POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\n"
BODY = HEAD + b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


@pytest.fixture
def long_answer(live: Server) -> bytes:
    """A request whose answer has some 400 KB."""
    owner = register(live)
    task = {"title": "Water the plants", "description": "x" * 4000}
    batch = {"operations": [{"op": "create", "data": task}] * 100}
    made = live.ask(request("POST", "/api/tasks/batch", batch, token=owner.access))
    assert made.status == 200, made.body
    return request("GET", "/api/tasks?limit=100", token=owner.access)


@contextmanager
def connected(live: Server, size: int, message: bytes) -> Iterator[None]:
    """So many clients who have sent this and send no more."""
    with ExitStack() as stack:
        for _ in range(size):
            client = socket.create_connection(("127.0.0.1", live.port))
            stack.callback(client.close)
            client.sendall(message)
        sleep(0.2)  # for the server to see them all
        yield


@pytest.mark.parametrize(
    "message",
    [b"", HEAD, BODY + b"{", LIVEZ + HEAD],
    ids=["silent", "headers", "body", "second request"],
)
def test_stalled_clients_keep_nobody_waiting(
    live: Server, record: Record, message: bytes
) -> None:
    size = 4 * WORKERS * THREADS
    seconds = []
    with connected(live, size, message):
        for _ in range(20):
            started = monotonic()
            with closing(Connection(live.port)) as healthy:
                assert healthy.ask(LIVEZ).status == 200
            seconds.append(monotonic() - started)

    assert max(seconds) < ANSWER_SECONDS
    record(f"{size} stalled; the slowest of 20 others {max(seconds):.3f} s")


@pytest.mark.full
@pytest.mark.parametrize("how", ["long body", "unread answers"])
def test_clients_who_stall_take_no_thread(
    live: Server, record: Record, long_answer: bytes, how: str
) -> None:
    """More of them than there are threads, all in one worker."""
    message = BODY + bytes(50_000) if how == "long body" else long_answer * 20
    slowest = 0.0
    with ExitStack() as stack:
        connections = [live.connection(0) for _ in range(2 * THREADS + 1)]
        for connection in connections:
            stack.enter_context(closing(connection)).open()
        healthy = connections.pop()
        for connection in connections:
            assert connection.socket
            # So that the kernel does not take all that the server has to say.
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.socket.sendall(message)
        sleep(2)  # for the answers, which are made before anybody stalls
        until = monotonic() + 1.5
        while monotonic() < until:
            slowest = max(slowest, healthy.ask(LIVEZ).seconds)

    assert slowest < ANSWER_SECONDS
    record(f"{2 * THREADS} stalled, {THREADS} threads; another waited {slowest:.2f} s")


def test_request_may_arrive_in_pieces(live: Server) -> None:
    """With long and short ones in turn on one connection."""
    token = register(live).access
    with closing(live.connection(0)) as connection:
        connection.open()
        assert connection.socket
        for size in [3000, 1, 4000, 1]:
            data = {"title": "Water the plants", "description": "x" * size}
            message = request("POST", "/api/tasks", data, token=token)
            quarter = len(message) // 4 + 1
            for start in range(0, 3 * quarter, quarter):
                connection.socket.sendall(message[start : start + quarter])
                sleep(0.02)

            answer = connection.exchange(message[3 * quarter :])

            assert answer.status == 201
            assert len(answer.json["description"]) == size


def test_requests_may_be_sent_ahead_of_the_answers(live: Server) -> None:
    with closing(live.connection(0)) as connection:
        connection.open()
        assert connection.socket
        connection.socket.sendall(LIVEZ * 3 + LIVEZ[:20])
        sleep(0.1)
        connection.socket.sendall(LIVEZ[20:])
        received = b""
        while received.count(b"HTTP/1.1 200 ") < 4:
            received += connection.socket.recv(4096)

    assert received.count(b"HTTP/1.1 200 ") == 4


def test_client_who_asks_first_is_told_to_go_on(live: Server) -> None:
    head, _, body = request(
        "POST", "/api/auth/login", {"email": "?"}, Expect="100-continue"
    ).partition(b"\r\n\r\n")
    with closing(live.connection(0)) as connection:
        connection.open()
        assert connection.socket
        connection.socket.sendall(head + b"\r\n\r\n")
        assert connection.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.exchange(body).status == 400


def test_client_who_still_sends_gets_the_whole_answer(
    live: Server, long_answer: bytes
) -> None:
    """Closed at once, the connection would be reset and the answer be lost."""
    last = long_answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", live.port)) as client:
            client.sendall(last + bytes(30_000))
            sleep(0.05)
            with HTTPResponse(client) as response:
                response.begin()
                assert len(response.read()) == int(response.headers["Content-Length"])
