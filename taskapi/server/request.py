"""Heads of requests, read by the grammar of RFC 9112 and nothing more lenient.

What two servers could understand differently is refused, so that no request can hide
inside another one.
"""

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

LINE_BYTES = 8190
FIELD_BYTES = 8190
FIELDS = 100
HEAD_BYTES = 64 * 1024
HEAD_END = b"\r\n\r\n"

# Possessive quantifiers: nothing that is sent makes them look at a byte twice.
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
REQUEST_LINE = re.compile(
    rb"(?:\r\n)?([A-Z][A-Z_-]{2,19}) ([!\"$-~]++) HTTP/1\.([01])\r\n"
)
OTHER_VERSION = re.compile(rb"[A-Z_-]++ [!-~]++ HTTP/(?!1\.[01])\d\.\d\r\n")
FIELD_LINES = re.compile(rb"(?:" + TOKEN + rb":[\t -~\x80-\xff]*+\r\n)++\r\n")
REQUEST_ID = re.compile(
    rb"\r\nX-Request-Id:[ \t]*+([A-Za-z0-9._-]{1,64})[ \t]*+\r\n", re.IGNORECASE
)
ABSOLUTE = re.compile(r"https?://([^/?]++)(.*)", re.IGNORECASE)
# More digits than these Python would not read.
LENGTH = re.compile(r"[0-9]{1,4000}")
# Named twice they mean nothing. Others become one list (RFC 9110 5.3).
SINGLE = {"HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE"}

Environ = dict[str, Any]


class Refused(Exception):
    """Why a request is not given to a view: a status, and a sentence for people."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class Request:
    """A request whose head was read.

    `environ` is what PEP 3333 wants, but for the body; sizes are in bytes; `is_last`
    tells that the client wants no other answer on this connection.
    """

    __slots__ = ("environ", "expects", "head_size", "is_last", "is_new", "size")

    def __init__(self, environ: Environ, head_size: int, *, is_new: bool) -> None:
        self.environ = environ
        self.head_size = self.size = head_size
        self.is_new = is_new  # HTTP/1.1, not 1.0
        self.is_last = not is_new
        self.expects = False  # to be told to go on before it sends the body

    @property
    def body_size(self) -> int:
        return self.size - self.head_size

    def read_framing(self) -> None:
        """Where the request ends, and whether another may follow it."""
        environ = self.environ
        if "HTTP_TRANSFER_ENCODING" in environ:
            raise Refused(400, "Send Content-Length; chunked bodies are not read.")
        if self.is_new and "HTTP_HOST" not in environ:
            raise Refused(400, "A Host header is required.")
        if "CONTENT_LENGTH" in environ:
            self.read_length(environ["CONTENT_LENGTH"])
        if "HTTP_CONNECTION" in environ:
            self.read_connection(environ["HTTP_CONNECTION"])
        if "HTTP_EXPECT" in environ:
            self.read_expectation(environ["HTTP_EXPECT"])

    def read_length(self, length: str) -> None:
        if not LENGTH.fullmatch(length):
            raise Refused(400, "Content-Length is not a number of bytes.")
        self.size += int(length)

    def read_connection(self, options: str) -> None:
        named = {each.strip() for each in options.lower().split(",")}
        is_kept = self.is_new or "keep-alive" in named
        self.is_last = not is_kept or "close" in named

    def read_expectation(self, expected: str) -> None:
        if expected.lower() != "100-continue":
            raise Refused(417, "Expect nothing but 100-continue.")
        # HTTP/1.0 does not know it (RFC 9110 10.1.1).
        self.expects = self.is_new


def read(data: bytes | bytearray, environ: Environ) -> Request | None:
    """The request at the beginning of `data`, or None if its head is not all there.

    Adds to `environ` as much as there is before it raises Refused.
    """
    end = data.find(HEAD_END)
    if end < 0:
        refuse_early(data)
        return None
    line = REQUEST_LINE.match(data)
    if not line or line.end() > LINE_BYTES:
        raise line_refusal(data)
    method, target, minor = line.groups()
    environ["REQUEST_METHOD"] = method.decode()
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if minor == b"1" else "HTTP/1.0"
    host = read_target(target.decode(), environ)
    if line.end() < end:
        read_fields(field_lines(data, line.end(), end), environ)
    request = Request(environ, end + len(HEAD_END), is_new=minor == b"1")
    request.read_framing()
    if host:
        environ["HTTP_HOST"] = host
    return request


def refuse_early(data: bytes | bytearray) -> None:
    """Refuse the beginning of a head that cannot become a good one."""
    first, newline, _ = data.partition(b"\r\n")
    if newline and first and not REQUEST_LINE.match(data):
        raise line_refusal(data)
    if len(first) > LINE_BYTES:
        raise Refused(414, "The URL is too long.")
    if len(data) > HEAD_BYTES:
        raise Refused(431, "The header fields are too large.")
    starts_badly = first and not first[:1].isupper() and first != b"\r"
    if starts_badly or data.count(b"\n") != data.count(b"\r\n"):
        raise Refused(400, "The request is not HTTP/1.1.")


def line_refusal(data: bytes | bytearray) -> Refused:
    if data.find(b"\r\n", 2) > LINE_BYTES:
        return Refused(414, "The URL is too long.")
    if OTHER_VERSION.match(data):
        # Not 505: a client's mistake must not look like one of ours.
        return Refused(400, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    return Refused(400, "The request line is malformed.")


def read_target(target: str, environ: Environ) -> str:
    """Each form of RFC 9112 3.2 that is meant for an origin server; the host, if named.

    A host in the target overrules the header of that name.
    """
    host = ""
    if target[0] != "/":
        if absolute := ABSOLUTE.fullmatch(target):
            host, target = absolute.groups()
        elif target != "*" or environ["REQUEST_METHOD"] != "OPTIONS":
            raise Refused(400, "The request target is malformed.")
    path, _, environ["QUERY_STRING"] = target.partition("?")
    if "%" in path:
        path = unquote_to_bytes(path).decode("latin-1")
    environ["PATH_INFO"] = path
    return host


@lru_cache(512)
def key_of(name: str) -> str:
    """The field's name in the environ; none where it would pass for another's."""
    if "_" in name:
        return ""
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def field_lines(data: bytes | bytearray, start: int, end: int) -> list[str]:
    if end > HEAD_BYTES:
        raise Refused(431, "The header fields are too large.")
    if not FIELD_LINES.match(data, start):
        raise Refused(400, "A header field is malformed.")
    return data[start:end].decode("latin-1").split("\r\n")


def read_fields(lines: list[str], environ: Environ) -> None:
    if len(lines) > FIELDS or max(map(len, lines)) > FIELD_BYTES:
        raise Refused(431, "The header fields are too large.")
    for line in lines:
        name, _, value = line.partition(":")
        key = key_of(name)
        if key not in environ:
            environ[key] = value.strip(" \t")
        elif key in SINGLE:
            raise Refused(400, f"{name.title()} came twice.")
        else:
            environ[key] += "," + value.strip(" \t")
    environ.pop("", None)
