"""Requests that reach no view, with the status of the answer to each."""

FIELDS = 100
LINE_BYTES = 8190
LINE = b"GET / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"


def get(*fields: bytes) -> bytes:
    return LINE + HOST + b"".join(each + b"\r\n" for each in fields) + b"\r\n"


LONG = b"a" * (LINE_BYTES + 1)
MALFORMED: dict[str, tuple[int, bytes]] = {
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
    "chunked and length": (
        400,
        get(b"Transfer-Encoding: chunked", b"Content-Length: 1"),
    ),
    "hidden chunked": (400, get(b"Transfer-Encoding: \x0bchunked")),
    "chunked spelt otherwise": (400, get(b"tRANSFER-eNCODING: x, Chunked")),
    "compressed chunks": (400, get(b"Transfer-Encoding: gzip, chunked")),
    "identity": (400, get(b"Transfer-Encoding: identity")),
    "other expectation": (417, get(b"Expect: wonders")),
    "many fields": (431, get(*[b"A: b"] * FIELDS)),
    "long field": (431, get(b"A: " + LONG)),
    "long head without end": (431, get(*[b"A: " + LONG[:8000]] * 9)[:-2]),
}
