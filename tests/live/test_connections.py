"""What clients may do with a connection, and what they cannot do to others."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from tests.live.gunicorn import BIG, SECONDS, Gunicorn, ask_on, read_all, read_response

pytestmark = pytest.mark.live

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
BIG_GET = b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
TIMEOUT_SECONDS = 1.0
UNREAD_SECONDS = 3.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    with closing(Gunicorn(tmp_path_factory.mktemp("server"))) as server:
        yield server


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A server that waits for a second where the usual one waits for five."""
    folder = tmp_path_factory.mktemp("impatient")
    seconds = {"TEST_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS), "KEEPALIVE_SECONDS": "1"}
    with closing(Gunicorn(folder, **seconds)) as server:
        yield server


@pytest.fixture(scope="module")
def unread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A server that waits for readers for three seconds instead of thirty."""
    folder = tmp_path_factory.mktemp("unread")
    with closing(Gunicorn(folder, TEST_UNREAD_SECONDS=str(UNREAD_SECONDS))) as server:
        yield server


@pytest.fixture
def client(server: Gunicorn) -> Iterator[socket.socket]:
    with closing(server.connect()) as client:
        yield client


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def statuses(received: bytes) -> list[bytes]:
    return [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]


def test_connection_is_used_again(client: socket.socket) -> None:
    for number in range(5):
        client.sendall(POST % (number, 3) + b"abc")
        response, body = read_response(client)
        assert body == b"/%dabc" % number
        assert response.headers["Keep-Alive"] == "timeout=75"
        assert response.headers["Connection"] is None


def test_requests_sent_ahead_are_answered_in_order(client: socket.socket) -> None:
    """Also in several pieces, and to a client who sends no more."""
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

    assert read_response(client)[1] == b"/1abc"


def test_chunked_body_is_read(client: socket.socket) -> None:
    head = b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.sendall(head + b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nA: b\r\n\r\n" + GET % 2)

    assert read_response(client)[1] == b"/1abc"
    assert read_response(client)[1] == b"/2"


def test_largest_body_is_read(client: socket.socket) -> None:
    client.sendall(POST % (1, BIG) + bytes(BIG))

    assert read_response(client)[1] == b"/1" + bytes(BIG)


@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: %d" % (BIG + 1), b"Transfer-Encoding: chunked"],
    ids=["declared", "chunked"],
)
def test_client_who_sends_too_much_is_told_so(
    client: socket.socket, framing: bytes
) -> None:
    """It reads only when it has sent all, and must not be reset before."""
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    client.sendall(
        b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n" + chunk * 4
    )

    assert statuses(read_all(client)) == [b"413"]


ASKING = (POST % (1, 3)).replace(b"\r\n\r\n", b"\r\nExpect: 100-Continue\r\n\r\n")


def test_client_who_asks_first_is_told_to_continue(client: socket.socket) -> None:
    client.sendall(ASKING)
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"abc")
    assert read_response(client)[1] == b"/1abc"

    # A client that does not wait needs none.
    client.sendall(ASKING + b"abc")
    assert read_response(client)[1] == b"/1abc"


def test_client_who_asks_first_is_told_that_it_is_too_much(
    client: socket.socket,
) -> None:
    client.sendall(ASKING.replace(b"Length: 3", b"Length: %d" % (BIG + 1)))

    assert statuses(read_all(client)) == [b"413"]


def test_nothing_is_read_after_a_malformed_request(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" + GET % 1)

    assert statuses(read_all(client)) == [b"400"]


def test_chunks_hide_no_second_request(client: socket.socket) -> None:
    """CL.TE, by which a proxy and a server come to see different requests."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n"
    client.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET % 1)

    assert statuses(read_all(client)) == [b"400"]


def test_large_head_that_does_not_end_is_refused(client: socket.socket) -> None:
    fields = b"".join(b"A%d: %b\r\n" % (n, b"a" * 8000) for n in range(9))
    client.sendall(b"GET / HTTP/1.1\r\n" + fields)

    assert statuses(read_all(client)) == [b"431"]


def test_upgrade_is_ignored(client: socket.socket) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
    client.sendall(b"GET /1 HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n\r\n")

    assert read_response(client)[1] == b"/1"


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
    impatient: Gunicorn, sent: bytes, expected: list[bytes]
) -> None:
    started = time.monotonic()
    with closing(impatient.connect()) as client:
        client.sendall(sent)
        assert statuses(read_all(client)) == expected

    assert time.monotonic() - started >= TIMEOUT_SECONDS
    wait_until(lambda: not impatient.connections())


def test_head_in_drops_is_not_waited_for(impatient: Gunicorn) -> None:
    started = time.monotonic()
    with closing(impatient.connect()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nA: ")
        client.settimeout(0.1)
        while True:
            client.sendall(b"b")
            try:
                received = client.recv(1000)
                break
            except TimeoutError:
                assert time.monotonic() - started < SECONDS

    assert statuses(received) == [b"408"]


@pytest.mark.full
def test_body_that_keeps_arriving_is_waited_for(impatient: Gunicorn) -> None:
    with closing(impatient.connect()) as client:
        client.sendall(POST % (1, 10))
        for _ in range(10):
            time.sleep(TIMEOUT_SECONDS / 3)
            client.sendall(b"x")
        assert read_response(client)[1] == b"/1" + b"x" * 10


@pytest.mark.parametrize("sent", [b"GE", (GET % 1)[:-2], POST % (1, 3) + b"ab"])
def test_client_who_ends_half_way_is_told_so(
    client: socket.socket, sent: bytes
) -> None:
    client.sendall(sent)
    client.shutdown(socket.SHUT_WR)

    assert statuses(read_all(client)) == [b"400"]


def test_client_who_ends_after_its_request_is_answered(client: socket.socket) -> None:
    client.sendall(BIG_GET)
    client.shutdown(socket.SHUT_WR)

    assert len(read_response(client)[1]) == BIG
    assert client.recv(1) == b""


def slow_reader(server: Gunicorn, message: bytes) -> socket.socket:
    """One for whom the kernel does not take the whole response."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(SECONDS)
    client.connect(("127.0.0.1", server.port))
    client.sendall(message)
    return client


def test_clients_who_do_not_read_hold_no_thread(server: Gunicorn) -> None:
    with ExitStack() as stack:
        slow = [slow_reader(server, BIG_GET * 2 + GET % 2) for _ in range(10)]
        for each in slow:
            stack.callback(each.close)
        with closing(server.connect()) as quick:
            for _ in range(20):
                quick.sendall(GET % 2)
                assert read_response(quick)[1] == b"/2"
        for each in slow:
            bodies = [len(read_response(each)[1]) for _ in range(3)]
            assert bodies == [BIG, BIG, len(b"/2")]


@pytest.mark.parametrize("path", [b"big", b"endless"])
def test_client_who_never_reads_is_dropped(unread: Gunicorn, path: bytes) -> None:
    started = time.monotonic()
    with closing(slow_reader(unread, BIG_GET.replace(b"big", path))):
        wait_until(lambda: unread.connections() > 0)
        wait_until(lambda: not unread.connections())
        assert time.monotonic() - started > UNREAD_SECONDS
    if path == b"endless":
        wait_until(lambda: "stream closed" in unread.log.read_text())


def test_client_who_reads_slowly_is_not_dropped(unread: Gunicorn) -> None:
    """A few kilobytes, of which the kernel makes no room for more."""
    with closing(slow_reader(unread, BIG_GET)) as client:
        started, received = time.monotonic(), 0
        while time.monotonic() < started + 3 * UNREAD_SECONDS:
            time.sleep(UNREAD_SECONDS / 10)
            received += len(client.recv(2048))
        assert received < 200_000
        while received < BIG:
            data = client.recv(65536)
            assert data
            received += len(data)


@pytest.mark.parametrize("message", [b"GET", GET % 1, POST % (1, 3)])
@pytest.mark.parametrize("lingers", [0, 1], ids=["ends", "resets"])
def test_clients_who_hang_up_leave_nothing(
    impatient: Gunicorn, message: bytes, lingers: int
) -> None:
    for _ in range(50):
        with closing(impatient.connect()) as client:
            how = struct.pack("ii", lingers, 0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)
            client.sendall(message)
            time.sleep(0.002)

    wait_until(lambda: not impatient.connections())
    log = impatient.log.read_text()
    assert "Traceback" not in log, log


def test_connections_beyond_their_number_are_closed(tmp_path: Path) -> None:
    """Each would take a file descriptor that requests need."""
    options = ["--worker-connections", "20"]
    with closing(Gunicorn(tmp_path, *options)) as server, ExitStack() as stack:
        # Answered, so that the worker has counted them.
        kept = [stack.enter_context(closing(server.client())) for _ in range(20)]
        for client in kept:
            assert ask_on(client)
        for _ in range(10):
            with closing(server.client()) as client, pytest.raises(ConnectionError):
                ask_on(client)
        for client in kept:
            assert ask_on(client)
        kept[0].close()

        def is_answered() -> bool:
            # The worker may learn of the free place later than it accepts the next.
            with suppress(OSError):
                return bool(server.ask())
            return False

        wait_until(is_answered)


@pytest.mark.full
def test_idle_connections_hold_up_nobody(server: Gunicorn) -> None:
    """As many as the default of worker_connections lets in, all in one worker."""
    with ExitStack() as stack:
        for _ in range(900):
            client = stack.enter_context(closing(server.connect()))
            client.sendall(GET % 1)
            assert read_response(client)[0].status == 200
        assert server.connections() >= 900
        started = time.monotonic()
        for _ in range(20):
            assert server.ask() == server.worker()

        assert time.monotonic() - started < 10
