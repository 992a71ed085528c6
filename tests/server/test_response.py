"""How answers are framed."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead
from typing import Any

import pytest

from tests.server.conftest import Served, read_all, read_answer, text

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
Serve = Callable[..., Served]
Start = Callable[..., Any]


def head_of(answer: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return status, dict(line.split(": ", 1) for line in lines), body


def asked(server: Served, message: bytes) -> tuple[str, dict[str, str], bytes]:
    """Everything that comes back until the server hangs up."""
    with closing(server.connect()) as client:
        client.sendall(message)
        return head_of(read_all(client))


def kept(server: Served, message: bytes, method: str = "GET") -> tuple[Any, bytes]:
    """An answer after which the connection still works."""
    with closing(server.connect()) as client:
        client.sendall(message)
        answer = read_answer(client, method)
        client.sendall(message)
        assert read_answer(client, method)[1] == answer[1]
        return answer


def test_answer_has_what_it_takes_and_no_more(serve: Serve) -> None:
    server = serve(lambda environ, start: text(start, b"hello"))

    status, headers, body = asked(server, LAST)

    assert status == "HTTP/1.1 200 OK"
    assert parsedate_to_datetime(headers.pop("Date"))
    assert headers == {"Content-Length": "5", "Connection": "close"}
    assert body == b"hello"


def test_chunks_of_a_told_length_are_one_answer(serve: Serve) -> None:
    def application(environ: Any, start: Start) -> Iterator[bytes]:
        start("200 OK", [("content-length", "5")])
        yield from [b"he", b"", b"llo"]

    assert kept(serve(application), GET)[1] == b"hello"


def stream(environ: Any, start: Start) -> Iterator[bytes]:
    start("200 OK", [])
    yield from [b"he", b"", b"llo"]


def test_answer_that_tells_no_length_is_chunked(serve: Serve) -> None:
    _, headers, body = asked(serve(stream), LAST)

    assert headers["Transfer-Encoding"] == "chunked"
    assert body == b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"


def test_client_of_old_is_told_the_end_by_the_end(serve: Serve) -> None:
    message = OLD.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")
    _, headers, body = asked(serve(stream), message)

    assert "Transfer-Encoding" not in headers
    assert headers["Connection"] == "close"
    assert body == b"hello"


def test_client_of_old_may_keep_its_connection(serve: Serve) -> None:
    server = serve(lambda environ, start: text(start, b"hello"))
    message = OLD.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")

    assert asked(server, OLD)[1]["Connection"] == "close"
    assert kept(server, message)[0].headers["Connection"] == "keep-alive"


def test_first_chunk_is_not_held_back(serve: Serve) -> None:
    def application(environ: Any, start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"now"
        assert go_on.recv(1)
        yield b"then"

    server = serve(application)
    go_on, tell = socket.socketpair()
    with closing(server.connect()) as client, closing(go_on), closing(tell):
        client.sendall(LAST)
        while not (received := client.recv(65536)).endswith(b"3\r\nnow\r\n"):
            pass
        tell.send(b".")
        assert received
        assert read_all(client) == b"4\r\nthen\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [
        ("HEAD", "200 OK", "5"),
        ("HEAD", "404 Not Found", "5"),
        ("GET", "304 Not Modified", None),
        ("GET", "204 No Content", None),
    ],
)
def test_answers_without_a_body(
    serve: Serve, method: str, status: str, length: str | None
) -> None:
    def application(environ: Any, start: Start) -> list[bytes]:
        start(status, [("Content-Length", length)] if length else [])
        return [b"hello"]

    server = serve(application)
    message = LAST.replace(b"GET", method.encode())
    line, headers, body = asked(server, message)

    assert line == f"HTTP/1.1 {status}"
    assert body == b""
    assert headers.get("Content-Length") == length
    assert "Transfer-Encoding" not in headers
    kept(server, GET.replace(b"GET", method.encode()), method)


@pytest.mark.parametrize("length", [4, 6, 5_000_000])
def test_answer_of_another_length_than_it_tells(serve: Serve, length: int) -> None:
    """Whoever reads it must not take the next answer for its end, or the reverse."""

    def application(environ: Any, start: Start) -> list[bytes]:
        start("200 OK", [("Content-Length", str(length))])
        return [b"hello"]

    server = serve(application)
    with closing(server.connect()) as client:
        client.sendall(GET * 2)
        client.shutdown(socket.SHUT_WR)
        received = read_all(client)

    bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 ")]
    assert bodies[1:] == ([b"hell"] * 2 if length == 4 else [b"hello"])


def test_stream_that_breaks_off_does_not_look_whole(serve: Serve) -> None:
    closed = []

    class Chunks:
        def __init__(self) -> None:
            self.left = [b"hello"]

        def __iter__(self) -> "Chunks":
            return self

        def __next__(self) -> bytes:
            return self.left.pop()  # and then IndexError

        def close(self) -> None:
            closed.append(True)

    def application(environ: Any, start: Start) -> Chunks:
        start("200 OK", [])
        return Chunks()

    server = serve(application)
    with closing(server.connect()) as client:
        client.sendall(GET)
        with pytest.raises(IncompleteRead):
            read_answer(client)
    assert closed == [True]


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_application_that_fails_is_asked_for_an_answer(
    serve: Serve, error: type[BaseException]
) -> None:
    def application(environ: Any, start: Start) -> list[bytes]:
        if "taskapi.refusal" not in environ:
            raise error
        status, sentence = environ["taskapi.refusal"]
        return text(start, sentence.encode(), f"{status} Oh")

    status, headers, body = asked(serve(application), GET)

    assert status == "HTTP/1.1 500 Oh"
    assert headers["Connection"] == "close"
    assert body == b"Something went wrong"


def test_application_that_always_fails_costs_only_its_connection(serve: Serve) -> None:
    def application(environ: Any, start: Start) -> list[bytes]:
        if environ["PATH_INFO"] == "/":
            raise RuntimeError
        return text(start, b"hello")

    server = serve(application)
    for _ in range(10):
        with closing(server.connect()) as client:
            client.sendall(GET)
            assert read_all(client) == b""

    assert kept(server, GET.replace(b"/ ", b"/a ", 1))[1] == b"hello"


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb"])
def test_header_with_a_line_break_is_not_sent(serve: Serve, value: str) -> None:
    def application(environ: Any, start: Start) -> list[bytes]:
        if "taskapi.refusal" in environ:
            return text(start, b"oh", "500 Oh")
        start("200 OK", [("Location", value)])
        return [b""]

    status, headers, _ = asked(serve(application), GET)

    assert status == "HTTP/1.1 500 Oh"
    assert headers.keys() == {"Date", "Content-Length", "Connection"}


def test_application_has_no_say_in_the_framing(serve: Serve) -> None:
    def application(environ: Any, start: Start) -> list[bytes]:
        framing = [("Connection", "close"), ("Transfer-Encoding", "chunked")]
        start("200 OK", [*framing, ("Content-Length", "5")])
        return [b"hello"]

    answer, body = kept(serve(application), GET)

    assert body == b"hello"
    assert answer.headers["Transfer-Encoding"] is None
