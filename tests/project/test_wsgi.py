"""The WSGI application as any server calls it."""

import io
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection

from taskapi.wsgi import Request, application

QUERY = "q=%ff%C3%A9&limit=xn--"


def environ(path: str = "/livez", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"PATH_INFO": path, "HTTP_HOST": "localhost"} | more
    setup_testing_defaults(found)
    return found


def ask(path: str = "/livez", **more: Any) -> tuple[int, bytes]:
    statuses: list[str] = []
    response = application(
        environ(path, **more), lambda status, headers: statuses.append(status)
    )
    body = b"".join(response)
    response.close()
    return int(statuses[0][:3]), body


@pytest.mark.django_db
@pytest.mark.parametrize(
    "charset",
    ["idna", "punycode", "undefined", "unicode_escape", "hex", "utf-16", "none", "\0"],
)
@pytest.mark.parametrize("path", ["/livez", "/api/tasks", "/admin/login/"])
def test_odd_charset_is_refused_before_it_decodes_anything(
    path: str, charset: str
) -> None:
    header = f"application/json; charset={charset}"

    status, body = ask(path, CONTENT_TYPE=header, QUERY_STRING=QUERY)

    assert status == 415
    assert b"UNSUPPORTED_MEDIA_TYPE" in body


@pytest.mark.parametrize("header", ["a/b; charset*=x", "a/b; charset*='", "; ;=;", ""])
def test_content_type_that_cannot_be_parsed_is_no_failure(header: str) -> None:
    assert ask(CONTENT_TYPE=header, QUERY_STRING=QUERY)[0] in {200, 415}


def test_request_is_otherwise_as_django_makes_it() -> None:
    named = {"CONTENT_TYPE": 'a/b; charset="utf-8"; c=d', "QUERY_STRING": "q=%C3%A9"}
    ours, theirs = (kind(environ("/a", **named)) for kind in (Request, WSGIRequest))

    for name in ("method", "path", "content_type", "content_params", "GET"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_chunked_body_that_the_server_does_not_decode_is_refused() -> None:
    """Django would take it for an empty one."""
    body = io.BytesIO(b"2\r\n{}\r\n0\r\n\r\n")
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": body}

    status, answer = ask(REQUEST_METHOD="POST", **chunked)

    assert status == 400
    assert b"Send Content-Length" in answer


@pytest.mark.django_db(transaction=True)
def test_connection_that_a_fault_broke_is_closed_before_the_next_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.ensure_connection()
    ask()
    assert connection.connection is not None

    connection.errors_occurred = True
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    ask()
    assert connection.connection is None


@pytest.mark.django_db(transaction=True)
def test_connection_is_checked_once_in_each_request() -> None:
    connection.ensure_connection()
    connection.health_check_done = True
    ask()

    assert not connection.health_check_done
