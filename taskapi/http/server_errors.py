"""Errors that the server finds before there is a request for the application."""

from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from taskapi.http.environ import make_environ
from taskapi.http.wsgi_response import respond

REFUSALS = {
    400: (400, "The request is not valid HTTP/1.1."),
    408: (408, "The request did not arrive in time."),
    414: (414, "The URL is too long."),
    431: (431, "The header fields are too large."),
    500: (500, "Something went wrong"),
}


def error_response(wsgi: Any, status: int, peer: Any) -> bytes:
    """In the error shape: the application makes it, logs it and counts it.

    No other status than those above: an unknown transfer coding is a client's mistake,
    which must not look like one of ours (501).
    """
    scope: dict[str, Any] = {
        "method": "-",
        "raw_path": b"/",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [],
        "client": peer[:2] if peer else None,
    }
    environ = make_environ(scope)
    environ["taskapi.refusal"] = REFUSALS.get(status, REFUSALS[400])
    response = respond(wsgi, environ)
    reason = HTTPStatus(response.status).phrase
    headers = [*response.headers, (b"Date", formatdate(usegmt=True).encode())]
    lines = [b"HTTP/1.1 %d %b" % (response.status, reason.encode())]
    lines += [b"%b: %b" % header for header in headers]
    return b"\r\n".join([*lines, b"Connection: close\r\n\r\n"]) + response.body
