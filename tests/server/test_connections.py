"""What clients may do with a connection, and what they cannot do to others."""

import errno
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from threading import Event
from typing import Any

import pytest

from taskapi.server.connection import HELD_BYTES, Budget
from tests.server.conftest import Served, read_all, read_answer, text

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
Serve = Callable[..., Served]
Start = Callable[..., Any]
BIG = 3_000_000
PATIENCE = 0.5
IMPATIENT = {"patience": PATIENCE, "stream_patience": PATIENCE, "keepalive": PATIENCE}


def echo(environ: Any, start: Start) -> list[bytes]:
    """Path and body; or why the server refuses the request, as an application does."""
    if refused := environ.get("taskapi.refusal"):
        return text(start, refused[1].encode(), f"{refused[0]} Refused")
    body = environ["wsgi.input"].read()
    return text(start, environ["PATH_INFO"].encode() + body)


def big(environ: Any, start: Start) -> list[bytes]:
    return text(start, bytes(BIG) if environ["PATH_INFO"] == "/1" else b"small")


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def statuses(received: bytes) -> list[bytes]:
    return [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.fixture
def client(serve: Serve) -> Iterator[socket.socket]:
    with closing(serve(echo).connect()) as client:
        yield client


def test_connection_is_used_again(client: socket.socket) -> None:
    for number in range(5):
        client.sendall(POST % (number, 3) + b"abc")
        assert read_answer(client)[1] == b"/%dabc" % number


def test_requests_sent_ahead_are_answered_in_order(client: socket.socket) -> None:
    """Also those that come with an end of the one before, and in several pieces."""
    sent = b"".join(POST % (n, n) + b"x" * n + GET % n for n in range(50))
    for start in range(0, len(sent), 777):
        client.sendall(sent[start : start + 777])

    client.shutdown(socket.SHUT_WR)
    bodies = read_all(client).split(b"HTTP/1.1 200 OK")[1:]

    expected = [e for n in range(50) for e in (b"/%d" % n + b"x" * n, b"/%d" % n)]
    assert [each.partition(b"\r\n\r\n")[2] for each in bodies] == expected


def test_request_may_come_byte_by_byte(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in POST % (1, 3) + b"abc":
        client.sendall(bytes([byte]))
        time.sleep(0.001)

    assert read_answer(client)[1] == b"/1abc"


def test_idle_connection_keeps_no_body(serve: Serve) -> None:
    server = serve(echo, body_bytes=BIG)
    with closing(server.connect()) as client:
        client.sendall(POST % (1, BIG) + bytes(BIG))
        read_answer(client)
        [idle] = server.loop.connections
        wait_until(lambda: idle.is_idle)
        assert idle.environ is idle.base
        assert not idle.received
        assert not idle.unsent


def test_longest_body_is_read(serve: Serve) -> None:
    with closing(serve(echo, body_bytes=BIG).connect()) as client:
        client.sendall(POST % (1, BIG) + bytes(BIG))
        assert read_answer(client)[1] == b"/1" + bytes(BIG)


def test_client_who_asks_first_is_told_to_go_on(client: socket.socket) -> None:
    asking = (POST % (1, 3)).replace(b"\r\n\r\n", b"\r\nExpect: 100-Continue\r\n\r\n")
    client.sendall(asking)
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"abc")
    assert read_answer(client)[1] == b"/1abc"

    # It does not wait for the answer.
    client.sendall(asking + b"abc")
    assert read_answer(client)[1] == b"/1abc"


def test_client_who_asks_first_is_told_that_it_is_too_much(
    client: socket.socket,
) -> None:
    message = (POST % (1, 1001)).replace(
        b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"
    )
    client.sendall(message)

    assert statuses(read_all(client)) == [b"413"]


def test_client_who_sends_too_much_hears_so(serve: Serve) -> None:
    """It reads only when it has sent all, and must not be reset before."""
    with closing(serve(echo).connect()) as client:
        client.sendall(POST % (1, BIG) + bytes(BIG))
        assert statuses(read_all(client)) == [b"413"]


def test_nothing_is_read_after_a_refusal(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" + GET % 1)

    assert statuses(read_all(client)) == [b"400"]


def test_chunks_hide_no_second_request(client: socket.socket) -> None:
    """CL.TE, by which a proxy and a server come to see different requests."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n"
    client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET % 1)

    assert statuses(read_all(client)) == [b"400"]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", []),
        (b"GE", [b"408"]),
        ((GET % 1)[:-2], [b"408"]),
        (POST % (1, 3) + b"ab", [b"408"]),
        (GET % 1, [b"200"]),
        (GET % 1 + b"\r\n", [b"200"]),
        (GET % 1 + b"GET", [b"200", b"408"]),
    ],
)
def test_half_a_request_is_not_waited_for(
    serve: Serve, sent: bytes, expected: list[bytes]
) -> None:
    server = serve(echo, **IMPATIENT)
    started = time.monotonic()
    with closing(server.connect()) as client:
        client.sendall(sent)
        assert statuses(read_all(client)) == expected

    assert PATIENCE <= time.monotonic() - started < PATIENCE + 1.5
    wait_until(lambda: not server.loop.connections)


def test_head_in_drops_is_not_waited_for(serve: Serve) -> None:
    started = time.monotonic()
    with closing(serve(echo, **IMPATIENT).connect()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nA: ")
        client.settimeout(0.1)
        while True:
            client.sendall(b"b")
            try:
                received = client.recv(1000)
                break
            except TimeoutError:
                assert time.monotonic() - started < 5

    assert statuses(received) == [b"408"]


def test_body_that_keeps_arriving_is_waited_for(serve: Serve) -> None:
    started = time.monotonic()
    with closing(serve(echo, **IMPATIENT).connect()) as client:
        client.sendall(POST % (1, 10))
        for _ in range(10):
            time.sleep(0.2)
            client.sendall(b"x")
        assert read_answer(client)[1] == b"/1" + b"x" * 10

    assert time.monotonic() - started > 3 * PATIENCE


def test_all_that_is_half_received_has_a_bound(serve: Serve) -> None:
    server = serve(echo, received=Budget(5000))
    with ExitStack() as stack:
        halves = [stack.enter_context(closing(server.connect())) for _ in range(5)]
        for half in halves:
            half.sendall(POST % (1, 1000) + bytes(900))
        wait_until(lambda: server.limits.received.left < 1000)
        one_more = stack.enter_context(closing(server.connect()))
        one_more.sendall(POST % (1, 1000) + bytes(900))
        assert statuses(read_all(one_more)) == [b"503"]
        # What is there at once takes nothing.
        client = stack.enter_context(closing(server.connect()))
        client.sendall(POST % (1, 900) + bytes(900))
        assert read_answer(client)[0].status == 200
        for half in halves:
            half.sendall(bytes(100))
            assert read_answer(half)[0].status == 200

    assert server.limits.received.left == 5000


def slow_reader(server: Served, message: bytes) -> socket.socket:
    """One for whom the kernel does not take the whole answer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(10)
    client.connect(server.address)
    client.sendall(message)
    return client


def test_clients_who_do_not_read_hold_no_thread(serve: Serve) -> None:
    server = serve(big)
    with ExitStack() as stack:
        slow = [slow_reader(server, GET % 1 * 2 + GET % 2) for _ in range(10)]
        for each in slow:
            stack.callback(each.close)
        with closing(server.connect()) as quick:
            for _ in range(20):
                started = time.monotonic()
                quick.sendall(GET % 2)
                assert read_answer(quick)[1] == b"small"
                assert time.monotonic() - started < 0.5
        for each in slow:
            bodies = [len(read_answer(each)[1]) for _ in range(3)]
            assert bodies == [BIG, BIG, len(b"small")]

    wait_until(lambda: server.limits.unsent.left == HELD_BYTES)


def test_client_who_never_reads_is_given_up(serve: Serve) -> None:
    server = serve(big, **IMPATIENT)
    with closing(slow_reader(server, GET % 1)) as client:
        wait_until(lambda: bool(server.loop.connections))
        wait_until(lambda: not server.loop.connections)
        assert len(read_all(client)) < BIG

    assert server.limits.unsent.left == HELD_BYTES


def test_all_that_is_yet_unsent_has_a_bound(serve: Serve) -> None:
    """Beyond it a thread waits for the client, and nothing is lost."""
    server = serve(big, unsent=Budget(1000))
    with closing(slow_reader(server, GET % 1)) as slow:
        with closing(server.connect()) as quick:
            quick.sendall(GET % 2)
            assert read_answer(quick)[1] == b"small"
        assert len(read_answer(slow)[1]) == BIG

    assert server.limits.unsent.left == 1000


def test_stream_ends_when_nobody_takes_it(serve: Serve) -> None:
    closed = Event()

    def application(environ: Any, start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        try:
            while True:
                yield bytes(100_000)
        finally:
            closed.set()

    server = serve(application, **IMPATIENT)
    with closing(slow_reader(server, GET % 1)):
        assert closed.wait(5)
    wait_until(lambda: not server.loop.connections)


@pytest.mark.parametrize("message", [b"GET", GET % 1, POST % (1, 3)])
@pytest.mark.parametrize("lingers", [0, 1], ids=["ends", "resets"])
def test_clients_who_hang_up_leave_nothing(
    serve: Serve, message: bytes, lingers: int
) -> None:
    server = serve(echo)
    for _ in range(50):
        with closing(server.connect()) as client:
            how = struct.pack("ii", lingers, 0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)
            client.sendall(message)
            time.sleep(0.002)

    wait_until(lambda: not server.loop.connections)
    # The bell, and the listener.
    assert len(server.loop.poller.get_map()) == 2
    assert server.limits.received.left == HELD_BYTES


def test_connections_beyond_their_number_wait(serve: Serve) -> None:
    server = serve(echo, connections=3)
    with ExitStack() as stack:
        held = [stack.enter_context(closing(server.connect())) for _ in range(3)]
        held[0].sendall(b"GET ")
        wait_until(lambda: len(server.loop.connections) == 3)
        one_more = stack.enter_context(closing(server.connect()))
        one_more.sendall(GET % 1)
        one_more.settimeout(0.3)
        with pytest.raises(TimeoutError):
            one_more.recv(1)
        # Those who are in make room.
        held[1].sendall(GET % 1)
        assert read_answer(held[1])[0].headers["Connection"] == "close"
        held[1].close()

        one_more.settimeout(10)
        assert read_answer(one_more)[0].status == 200


def test_server_out_of_descriptors_goes_on_later(serve: Serve) -> None:
    tries = []

    class Exhausted(socket.socket):
        def accept(self) -> Any:
            tries.append(True)
            if len(tries) < 3:
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    server, started = serve(echo, Exhausted), time.monotonic()
    with closing(server.connect()) as client:
        client.sendall(GET % 1)
        assert read_answer(client)[0].status == 200
    assert len(tries) == 3
    assert time.monotonic() - started > 0.5  # it does not try all the time


def test_last_connections_are_served_when_the_server_stops(serve: Serve) -> None:
    server = serve(echo)
    with closing(server.connect()) as idle, closing(server.connect()) as client:
        for each in idle, client:
            each.sendall(GET % 1)
            read_answer(each)
        server.is_last = True
        server.loop.stop()
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        client.sendall(GET % 1)
        assert read_answer(client)[0].headers["Connection"] == "close"
        assert server.loop.connections
        started = time.monotonic()
        client.close()
        assert read_all(idle) == b""

    assert server.emptied.wait(1)
    assert 1 < time.monotonic() - started < 4


@pytest.mark.parametrize("sent", [b"GE", (GET % 1)[:-2], POST % (1, 3) + b"ab"])
def test_client_who_ends_half_way_hears_so(client: socket.socket, sent: bytes) -> None:
    client.sendall(sent)
    client.shutdown(socket.SHUT_WR)

    received = read_all(client)

    assert statuses(received) == [b"400"]
    assert b"ended before it was complete" in received
