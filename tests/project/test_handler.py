"""That the handler of production answers as Django's would; tests' clients use that."""

import io
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.conf import settings as project
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import connection
from django.test import Client

from accounts.views import MeView
from taskapi import handler
from taskapi.handler import Handler, Request
from taskapi.http import health
from tests.project.test_headers import ANSWERS, crash
from tests.project.wire import anyone

pytestmark = pytest.mark.django_db


def environ(path: str = "/livez", **more: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b"12345"),
    } | more


class Served(Client):
    """A client of the application, of which it keeps what a server is told."""

    def __init__(self) -> None:
        super().__init__(raise_request_exception=False)
        self.handler: Any = self.call
        self.application = Handler()

    def call(self, asked: dict[str, Any]) -> Any:
        response = self.application(asked, self.start_response)
        response.close()
        response.wsgi_request = WSGIRequest(asked)
        return response

    def start_response(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status, self.headers_sent = status, headers


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_those_that_tests_see(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeView, "initial", crash)
    status, send = ANSWERS[name]
    served = Served()
    sent = {"HTTP_X_REQUEST_ID": "same", "HTTP_COOKIE": f"csrftoken={'c' * 32}"}
    seen, got = send(anyone(), **sent), send(served, **sent)

    assert served.status == f"{status} {seen.reason_phrase}"
    assert masked(served.headers_sent) == masked(seen.headers.items())
    assert got.content == seen.content


def masked(headers: Any) -> list[tuple[str, str]]:
    """Without what differs from moment to moment."""
    return sorted((k, "" if k in {"Expires", "RateLimit"} else v) for k, v in headers)


def test_cookies_are_set() -> None:
    served = Served()
    served.get("/admin/login/")
    cookies = [v for name, v in served.headers_sent if name == "Set-Cookie"]

    assert [cookie.strip().partition("=")[0] for cookie in cookies] == ["csrftoken"]


@pytest.mark.parametrize(
    "path",
    ["", "/", "/a", "//a", "///", "*", "a/b", "/\xc3\xa9", "/\xff\xfe", "/%41", "/ "],
)
def test_path_is_what_django_makes_of_it(path: str) -> None:
    ours, theirs = Request(environ(path)), WSGIRequest(environ(path))

    assert (ours.path, ours.path_info) == (theirs.path, theirs.path_info)
    assert ours.META["PATH_INFO"] == theirs.META["PATH_INFO"]
    assert ours.get_full_path() == theirs.get_full_path()


@pytest.mark.parametrize("length", [None, "", "0", "3", " 3 ", "99", "-1", "x"])
def test_body_is_as_long_as_django_takes_it(length: str | None) -> None:
    told = {} if length is None else {"CONTENT_LENGTH": length}

    ours, theirs = (kind(environ(**told)) for kind in (Request, WSGIRequest))
    assert ours.read() == theirs.read()


def test_method_and_media_type_are_what_django_makes_of_them() -> None:
    told = {"REQUEST_METHOD": "post", "CONTENT_TYPE": 'a/b; charset="utf-8"; c=d'}
    ours, theirs = (kind(environ(**told)) for kind in (Request, WSGIRequest))

    for name in ("method", "content_type", "content_params"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_path_is_resolved_once() -> None:
    handler.route.cache_clear()
    served = Served()
    assert [served.get("/livez").status_code for _ in range(3)] == [200] * 3

    assert handler.route.cache_info()[:2] == (2, 1)


@pytest.mark.parametrize("path", ["/nothing", f"/admin/{'x' * 100}"])
def test_path_that_clients_make_up_is_not_kept(path: str) -> None:
    handler.route.cache_clear()
    Served().get(path)

    assert handler.route.cache_info().currsize == 0


@pytest.mark.parametrize("name", ["title", "a b", "ü"])
def test_each_path_has_its_own_arguments(name: str) -> None:
    """Of routes that are kept, each is called with what its own path says."""
    served, ids = Served(), [f"{n:032x}" for n in (1, 2)]
    paths = [f"/api/tasks/{quote(name)}", *(f"/api/tasks/{uuid(i)}" for i in ids)]

    statuses = [served.get(path).status_code for path in [*paths, *paths]]
    assert statuses == [404, 401, 401] * 2


def uuid(digits: str) -> str:
    return re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12})", r"\1-\2-\3-\4-\5", digits)


class Caught:
    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)

    def process_exception(self, request: Any, exception: Exception) -> None:
        raise NotImplementedError


def test_middleware_that_would_not_be_called_is_refused(settings: LazySettings) -> None:
    settings.MIDDLEWARE = [f"{__name__}.Caught"]

    with pytest.raises(ImproperlyConfigured, match="process_view"):
        Handler()


def test_database_that_would_not_be_looked_after_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(project.DATABASES, "replica", project.DATABASES["default"])

    with pytest.raises(ImproperlyConfigured, match="default"):
        Handler()


def test_receivers_of_the_signals_are_called() -> None:
    told: list[tuple[str, Any]] = []

    def started(sender: Any, **named: Any) -> None:
        told.append(("started", sender))

    def finished(sender: Any, **named: Any) -> None:
        told.append(("finished", sender))

    request_started.connect(started)
    request_finished.connect(finished)
    try:
        Served().get("/livez")
    finally:
        request_started.disconnect(started)
        request_finished.disconnect(finished)

    assert told == [("started", Handler), ("finished", Handler)]


def test_request_is_closed_with_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which frees the files that a form brought."""
    closed: list[str] = []
    monkeypatch.setattr(Request, "close", lambda self: closed.append(self.path))
    Served().get("/livez")

    assert closed == ["/livez"]


@pytest.mark.django_db(transaction=True)
def test_connection_that_a_fault_broke_is_closed_before_the_next_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handler.disconnect_receivers()
    served = Served()
    connection.ensure_connection()
    served.get("/livez")
    assert connection.connection is not None

    connection.errors_occurred = True
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    served.get("/livez")
    assert connection.connection is None


@pytest.mark.django_db(transaction=True)
def test_connection_is_looked_at_once_in_each_request() -> None:
    connection.ensure_connection()
    connection.health_check_done = True
    Served().get("/livez")

    assert not connection.health_check_done


Logged = Callable[[], list[tuple[str, str]]]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    return lambda: [(each.name, each.getMessage()) for each in caplog.records]


def test_crash_is_logged_once(monkeypatch: pytest.MonkeyPatch, logged: Logged) -> None:
    monkeypatch.setattr(MeView, "initial", crash)
    Served().get("/api/auth/me")

    crashed, request = logged()
    assert crashed == ("django.request", "Internal Server Error: /api/auth/me")
    assert request == ("taskapi.access", "request")


def test_unavailable_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    monkeypatch.setattr(health, "database_state", lambda: "down")
    Served().get("/health")

    assert ("django.request", "Service Unavailable: /health") in logged()
    assert len(logged()) == 2
