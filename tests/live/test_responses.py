"""How what an application says becomes a response (RFC 9110, RFC 9112)."""

import socket
from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, IncompleteRead
from typing import Any

import pytest

from tests.live.gunicorn import Gunicorn, read_all, read_response

pytestmark = pytest.mark.live
GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET /%b HTTP/1.0\r\n%b\r\n"
LAST = b"GET /%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
KEPT = b"Connection: keep-alive\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    with closing(Gunicorn(tmp_path_factory.mktemp("server"))) as server:
        yield server


def parts(response: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return status, dict(line.lower().split(": ", 1) for line in lines), body


def last(server: Gunicorn, message: bytes) -> tuple[str, dict[str, str], bytes]:
    """Everything that comes back until the server closes the connection."""
    with closing(server.connect()) as client:
        client.sendall(message)
        return parts(read_all(client))


def kept(server: Gunicorn, message: bytes) -> tuple[Any, bytes]:
    """A response after which the connection still works."""
    method = message.partition(b" ")[0].decode()
    with closing(server.connect()) as client:
        client.sendall(message)
        response = read_response(client, method)
        client.sendall(message)
        assert read_response(client, method)[1] == response[1]
        return response


def test_response_has_a_date_and_a_length(server: Gunicorn) -> None:
    status, headers, body = last(server, LAST % b"a")

    assert status == "HTTP/1.1 200 OK"
    assert parsedate_to_datetime(headers["date"])
    assert (headers["content-length"], headers["connection"]) == ("2", "close")
    assert "keep-alive" not in headers
    assert body == b"/a"


def test_response_without_a_length_is_chunked(server: Gunicorn) -> None:
    _, headers, body = last(server, LAST % b"stream")

    assert headers["transfer-encoding"] == "chunked"
    assert body == b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    kept(server, GET % b"stream")


@pytest.mark.parametrize("fields", [b"", KEPT], ids=["usual", "keep-alive"])
def test_http_1_0_is_told_the_end_by_the_end(server: Gunicorn, fields: bytes) -> None:
    _, headers, body = last(server, OLD % (b"stream", fields))

    assert "transfer-encoding" not in headers
    assert headers["connection"] == "close"
    assert body == b"hello"


@pytest.mark.parametrize("fields", [b"", KEPT], ids=["usual", "keep-alive"])
def test_http_1_0_connection_ends_with_its_response(
    server: Gunicorn, fields: bytes
) -> None:
    _, headers, body = last(server, OLD % (b"a", fields))

    assert headers["connection"] == "close"
    assert body == b"/a"


def test_first_chunk_is_not_held_back(server: Gunicorn) -> None:
    with closing(server.connect()) as client:
        client.sendall(LAST % b"gated")
        received = b""
        while not received.endswith(b"3\r\nnow\r\n"):
            received += client.recv(65536)
        with closing(server.client()) as other:
            other.request("GET", "/open")
            assert other.getresponse().read() == b"open"

        assert read_all(client) == b"4\r\nthen\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "path", "length"),
    [
        (b"HEAD", b"status/200", "5"),
        (b"HEAD", b"status/404", "5"),
        (b"HEAD", b"stream", None),
        (b"GET", b"bare/304", None),
        (b"GET", b"status/204", None),
        (b"GET", b"bare/204", None),
    ],
)
def test_response_without_a_body(
    server: Gunicorn, method: bytes, path: bytes, length: str | None
) -> None:
    """A 204 has no Content-Length (RFC 9110 section 8.6)."""
    _, headers, body = last(server, (LAST % path).replace(b"GET", method))

    assert body == b""
    assert headers.get("content-length") == length
    assert "transfer-encoding" not in headers
    kept(server, (GET % path).replace(b"GET", method))


@pytest.mark.parametrize("length", [4, 6, 5_000_000])
def test_response_of_another_length_than_declared(
    server: Gunicorn, length: int
) -> None:
    """Its end must not be taken for the next response, or the reverse."""
    with closing(server.connect()) as client:
        client.sendall(GET % b"length/%d" % length * 2)
        client.shutdown(socket.SHUT_WR)
        received = read_all(client)

    bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 ")]
    assert bodies[1:] == ([b"hell"] * 2 if length == 4 else [b"hello"])


def test_stream_that_breaks_off_does_not_look_complete(server: Gunicorn) -> None:
    with closing(server.connect()) as client:
        client.sendall(GET % b"broken")
        with pytest.raises(IncompleteRead):
            read_response(client)


@pytest.mark.parametrize("path", [b"error", b"exit"])
def test_application_that_fails_is_asked_for_an_error_response(
    server: Gunicorn, path: bytes
) -> None:
    worker = server.worker()

    response, body = kept(server, GET % path)

    assert (response.status, body) == (500, b"Something went wrong")
    assert server.worker() == worker


@pytest.mark.parametrize("value", [b"%0d%0aSet-Cookie:%20b", b"%0ab", b"%0db", b"%00"])
def test_header_with_a_line_break_is_not_sent(server: Gunicorn, value: bytes) -> None:
    status, headers, _ = last(server, LAST % (b"location/a" + value))

    assert status == "HTTP/1.1 500 Internal Server Error"
    assert headers.keys() == {"date", "content-length", "connection"}


def test_pipelined_client_gets_each_response_in_full(server: Gunicorn) -> None:
    with closing(server.connect()) as client:
        client.sendall(GET % b"big" + GET % b"a")

        assert len(read_response(client)[1]) == 3_000_000
        assert read_response(client)[1] == b"/a"


def test_client_who_still_sends_gets_the_whole_response(server: Gunicorn) -> None:
    """Closed at once, the connection would be reset and the response be lost."""
    for _ in range(5):
        with closing(server.connect()) as client:
            client.sendall(LAST % b"big" + bytes(1_000_000))
            assert len(read_response(client)[1]) == 3_000_000


def test_standard_client_is_served(server: Gunicorn) -> None:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=20)) as client:
        for body in [b"a" * 10, iter([b"a" * 4, b"a" * 6])]:
            client.request("POST", "/", body)
            assert client.getresponse().read() == b"/" + b"a" * 10
