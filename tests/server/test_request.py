"""What is read as a request, and what is not."""

import time
from contextlib import suppress
from typing import Any

import pytest

from taskapi.server.request import FIELDS, HEAD_BYTES, LINE_BYTES, Refused, read

HOST = b"Host: a\r\n"
LINE = b"GET / HTTP/1.1\r\n"


def environ_of(head: bytes) -> dict[str, Any]:
    environ: dict[str, Any] = {}
    request = read(head, environ)
    assert request
    assert request.head_size == len(head)
    return environ


def get(*fields: bytes) -> bytes:
    return LINE + HOST + b"".join(each + b"\r\n" for each in fields) + b"\r\n"


def test_fields_come_as_cgi_names_them() -> None:
    environ = environ_of(
        b"POST /a/b?c=d%20e&f HTTP/1.1\r\nHOST: api.example.com\r\n"
        b"content-type:application/json\r\nContent-Length: 12\r\n"
        b"X-Request-Id: \t 1 2 \t \r\nEmpty:\r\nCaf\xe9: no\r\n\r\n".replace(
            b"Caf\xe9: no\r\n", b"X-Name: Caf\xe9\r\n"
        )
    )

    assert environ == {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/a/b",
        "QUERY_STRING": "c=d%20e&f",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "api.example.com",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "12",
        "HTTP_X_REQUEST_ID": "1 2",
        "HTTP_EMPTY": "",
        "HTTP_X_NAME": "Caf\u00e9",
    }


def test_repeated_fields_become_a_list() -> None:
    environ = environ_of(get(b"X-Forwarded-For: 192.0.2.1", b"x-forwarded-for: ::1"))

    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.1,::1"


@pytest.mark.parametrize(
    "name", [b"X_Forwarded_For", b"Content_Length", b"X-Forwarded_For", b"_"]
)
def test_field_that_would_pass_for_another_is_left_out(name: bytes) -> None:
    environ = environ_of(get(name + b": 203.0.113.1", b"X-Forwarded-For: 192.0.2.1"))

    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
    assert "203.0.113.1" not in environ.values()


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"//a//b", "//a//b", ""),
        (b"/a%00b%2Fc%C3%A9", "/a\0b/c\u00c3\u00a9", ""),
        (b"/%zz%", "/%zz%", ""),
        (b"/?", "/", ""),
        (b"/?a?b=/c", "/", "a?b=/c"),
        (b"/a;b=c", "/a;b=c", ""),
        (b"/../a", "/../a", ""),
        (b"http://b/c?d", "/c", "d"),
        (b"HTTPS://b", "", ""),
        (b"http://b?c", "", "c"),
    ],
)
def test_target(target: bytes, path: str, query: str) -> None:
    environ = environ_of(b"GET %b HTTP/1.1\r\n%b\r\n" % (target, HOST))

    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path, query)
    # RFC 9112 3.2.2: what the target says of the host counts, not the header.
    assert environ["HTTP_HOST"] == ("a" if target[:1] == b"/" else "b")


def test_asterisk_is_for_options() -> None:
    assert environ_of(b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n")["PATH_INFO"] == "*"


@pytest.mark.parametrize(
    ("head", "is_last"),
    [
        (get(), False),
        (get(b"Connection: keep-alive"), False),
        (get(b"Connection: close"), True),
        (get(b"Connection: TE, Close"), True),
        (get(b"Connection: closely"), False),
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", True),
    ],
)
def test_last_request_of_a_connection(head: bytes, is_last: bool) -> None:
    request = read(head, {})

    assert request
    assert request.is_last is is_last


def test_empty_line_before_a_request_is_passed_over() -> None:
    """Some clients end a body with one (RFC 9112 2.2)."""
    assert environ_of(b"\r\n" + get())["PATH_INFO"] == "/"


def test_more_than_one_request_is_read_one_at_a_time() -> None:
    request = read(get(b"Content-Length: 3") + b"abc" + get(), {})

    assert request
    assert request.size == len(get(b"Content-Length: 3")) + 3


@pytest.mark.parametrize("size", range(0, len(get(b"A: b")) - 1, 7))
def test_head_that_is_not_all_there_is_waited_for(size: int) -> None:
    assert read(get(b"A: b")[:size], {}) is None


LONG = b"a" * (LINE_BYTES + 1)
MALFORMED: dict[str, tuple[int, bytes]] = {
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "nonsense": (400, b"\0\1\2\r\n\r\n"),
    "only empty lines": (400, b"\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /\r\n\r\n"),
    "HTTP/2 preface": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/1.2": (400, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    "HTTP/0.9 named": (400, b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    "version with more digits": (400, b"GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    "version in lower case": (400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    "no version": (400, b"GET / \r\nHost: a\r\n\r\n"),
    "method in lower case": (400, b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "method with a bracket": (400, b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "no method": (400, b" / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "two spaces": (400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "tab": (400, b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "space in the target": (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "letter beyond ASCII in the target": (400, b"GET /\xe9 HTTP/1.1\r\n\r\n"),
    "control byte in the target": (400, b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "fragment": (400, b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
    "no slash": (400, b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    "asterisk": (400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "CONNECT": (400, b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "other scheme": (400, b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "long target": (414, b"GET /" + LONG + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "long target without end": (414, b"GET /" + LONG),
    "line feeds alone": (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    "line feed in a field": (400, get(b"A: b\nC: d")),
    "carriage return in a field": (400, get(b"A: b\rC: d")),
    "no host": (400, LINE + b"\r\n"),
    "two hosts": (400, get(b"Host: a")),
    "no colon": (400, get(b"A")),
    "no name": (400, get(b": b")),
    "space before the colon": (400, get(b"A : b")),
    "space before the name": (400, get(b" A: b")),
    "folded field": (400, get(b"A: b", b" c")),
    "bracket in a name": (400, get(b"A(b: c")),
    "letter beyond ASCII in a name": (400, get(b"Caf\xe9: b")),
    "NUL in a value": (400, get(b"A: b\0c")),
    "escape in a value": (400, get(b"A: \x1b[31m")),
    "DEL in a value": (400, get(b"A: b\x7fc")),
    "two lengths": (400, get(b"Content-Length: 1", b"Content-Length: 1")),
    "list of lengths": (400, get(b"Content-Length: 1, 1")),
    "signed length": (400, get(b"Content-Length: +1")),
    "negative length": (400, get(b"Content-Length: -1")),
    "hexadecimal length": (400, get(b"Content-Length: 0x1")),
    "length with an underscore": (400, get(b"Content-Length: 1_0")),
    "length in other digits": (400, get(b"Content-Length: \xb9")),
    "empty length": (400, get(b"Content-Length:")),
    "length beyond all bounds": (400, get(b"Content-Length: " + b"9" * 5000)),
    "two types": (400, get(b"Content-Type: a/b", b"Content-Type: a/b")),
    "chunked": (400, get(b"Transfer-Encoding: chunked")),
    "chunked and length": (
        400,
        get(b"Transfer-Encoding: chunked", b"Content-Length: 1"),
    ),
    "hidden chunked": (400, get(b"Transfer-Encoding: \x0bchunked")),
    "chunked spelt otherwise": (400, get(b"tRANSFER-eNCODING: x, Chunked")),
    "identity": (400, get(b"Transfer-Encoding: identity")),
    "other expectation": (417, get(b"Expect: wonders")),
    "many fields": (431, get(*[b"A: b"] * FIELDS)),
    "long field": (431, get(b"A: " + LONG)),
    "long head": (431, get(*[b"A: " + LONG[:8000]] * 9)),
    "long head without end": (431, get(*[b"A: " + LONG[:8000]] * 9)[:-2]),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_malformed_is_refused(kind: str) -> None:
    status, head = MALFORMED[kind]

    with pytest.raises(Refused) as refused:
        read(head, {})

    assert refused.value.status == status


@pytest.mark.parametrize(
    "head",
    [
        LINE + (b"A" * 8000 + b":" + b" " * 100 + b"\r\n") * 7,
        LINE + b"A:" + b" \t" * 4000 + b"\0\r\n\r\n",
        b"GET /" + b"%" * 8000 + b"\r\n\r\n",
        LINE + b"\r" * (HEAD_BYTES - 100),
        LINE + b"A: b\r\n" * 10000 + b"\r",
        get(b"X-Request-Id:" + b" " * 8000 + b"\0"),
    ],
)
def test_no_head_takes_long_to_refuse(head: bytes) -> None:
    started = time.thread_time()

    for end in range(len(head) - 10, len(head)):
        with suppress(Refused):
            read(head[:end], {})
        with pytest.raises(Refused):
            read(head + b"\r\n\r\n", {})

    assert time.thread_time() - started < 0.5
