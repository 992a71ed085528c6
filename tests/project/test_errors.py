import io
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin import site
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from accounts.models import User
from accounts.views import MeView
from taskapi.api.parsers import MAX_DEPTH
from taskapi.http import health
from taskapi.wsgi import application
from tasks.models import Task
from tests.factories import PASSWORD
from tests.project.wire import AWAY, JSON, MISSING, anyone, assert_error

NO_ROUTE = "No such route."
NOT_JSON = "The body is not valid JSON in UTF-8."
ONLY_UTF8 = "Send UTF-8; no other charset is read."
CRASH = "Something went wrong"
LEAK = "sk-live-1 at 10.0.0.5"
# A body is read after the throttles that look into it, and before.
PLACES = ["/api/auth/login", "/api/auth/register", "/api/auth/logout"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Make every kind of view raise."""

    def apply(error: Exception) -> None:
        def fail(*args: Any, **options: Any) -> None:
            raise error

        monkeypatch.setattr(MeView, "get", fail)
        monkeypatch.setattr(health, "state", fail)
        monkeypatch.setattr(site, "has_permission", fail)

    return apply


@pytest.mark.parametrize(
    "path", ["/index.html", "/api", "/nothing", "/api/tasks/not-a-uuid"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_route_is_404(method: str, path: str) -> None:
    response = getattr(anyone(), method)(path)

    assert_error(response, 404, "NOT_FOUND", NO_ROUTE)


@pytest.mark.parametrize("path", ["/api/tasks/", "/api/auth/me/", "/health/"])
def test_trailing_slash_is_404(path: str) -> None:
    assert_error(anyone().get(path), 404, "NOT_FOUND", NO_ROUTE)


def test_trailing_slash_does_not_redirect_a_body_away(alice_api: APIClient) -> None:
    response = alice_api.post("/api/tasks/", {"title": "Kept"}, format="json")

    assert_error(response, 404, "NOT_FOUND", NO_ROUTE)
    assert not Task.objects.exists()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "a b", "[::1"])
def test_unknown_host_is_400(host: str) -> None:
    response = anyone().get("/health", HTTP_HOST=host)

    message = "ALLOWED_HOSTS does not name this host."
    assert_error(response, 400, "BAD_REQUEST", message)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.django_db(transaction=True)
def test_probe_is_answered_whatever_host_it_names(path: str) -> None:
    assert anyone().get(path, HTTP_HOST="10.0.1.23:8000").status_code == 200


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("/api/tasks", "PUT", "GET, POST, HEAD, OPTIONS"),
        ("/api/tasks/stats", "TRACE", "GET, HEAD, OPTIONS"),
        ("/api/tasks/trash?limit=1&colour=red", "TRACE", "DELETE, GET, HEAD, OPTIONS"),
        ("/api/auth/login", "GET", "POST, OPTIONS"),
        ("/api/auth/me", "DELETE", "GET, PATCH, HEAD, OPTIONS"),
        ("/api/schema", "POST", "GET, HEAD, OPTIONS"),
        ("/api/docs", "POST", "GET, HEAD, OPTIONS"),
        ("/health", "POST", "GET, HEAD"),
    ],
)
def test_wrong_method_is_405_and_told_the_right_ones(
    alice_api: APIClient, path: str, method: str, allow: str
) -> None:
    response = alice_api.generic(method, path)

    message = f'Method "{method}" not allowed.'
    assert_error(response, 405, "METHOD_NOT_ALLOWED", message)
    assert sorted(response["Allow"].split(", ")) == sorted(allow.split(", "))


@pytest.mark.parametrize("path", ["/api/tasks", "/api/schema", "/api/docs"])
def test_unknown_media_type_asked_for_is_406(alice_api: APIClient, path: str) -> None:
    response = alice_api.get(path, HTTP_ACCEPT="image/png")

    message = "Could not satisfy the request Accept header."
    assert_error(response, 406, "NOT_ACCEPTABLE", message)


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/json",
        "*/*",
        "application/*",
    ],
)
def test_unknown_media_type_sent_is_415(alice_api: APIClient, media_type: str) -> None:
    response = alice_api.generic("POST", "/api/tasks", "title=x", media_type)

    message = f'Unsupported media type "{media_type}" in request.'
    assert_error(response, 415, "UNSUPPORTED_MEDIA_TYPE", message)


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "bz2", "nonsense", ""])
def test_other_charset_is_415(charset: str) -> None:
    media_type = f"{JSON}; charset={charset}"
    response = anyone().generic("POST", "/api/auth/login", b"{}", media_type)

    assert_error(response, 415, "UNSUPPORTED_MEDIA_TYPE", ONLY_UTF8)


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
def test_utf8_is_read_however_it_is_written(alice_api: APIClient, charset: str) -> None:
    media_type = f"{JSON}; charset={charset}"
    body = '{"title": "Été"}'.encode()
    response = alice_api.generic("POST", "/api/tasks", body, media_type)

    assert response.status_code == 201
    assert response.json()["title"] == "Été"


@pytest.mark.parametrize(
    "parameter",
    [
        "charset=idna",
        "charset=punycode",
        "charset=undefined",
        "charset=rot13",
        "charset=bz2_codec",
        "charset=utf-16",
        "charset*=nonsense''utf-8",
        "charset*=idna''%C3%A9",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_charset_that_cannot_decode_the_query_is_415(
    method: str, parameter: str
) -> None:
    status, body = through_wsgi(method, "/api/tasks?q=%C3%A9", f"{JSON}; {parameter}")

    assert status == "415 Unsupported Media Type"
    assert ONLY_UTF8.encode() in body


def through_wsgi(method: str, path: str, media_type: str) -> tuple[str, bytes]:
    """Ask the application itself: Django's client makes its requests differently."""
    factory = RequestFactory()
    environ = factory._base_environ(
        REQUEST_METHOD=method,
        PATH_INFO=path.partition("?")[0],
        QUERY_STRING=path.partition("?")[2],
        CONTENT_TYPE=media_type,
        CONTENT_LENGTH="2",
    )
    environ["wsgi.input"] = io.BytesIO(b"{}")
    statuses: list[str] = []
    chunks = application(environ, lambda status, headers: statuses.append(status))
    return statuses[0], b"".join(chunks)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="truncated object"),
        pytest.param(b'{"email": "a@b.c', id="truncated string"),
        pytest.param(b"{'email': 1}", id="single quotes"),
        pytest.param(b'{"email": 1,}', id="trailing comma"),
        pytest.param(b"{} {}", id="two values"),
        pytest.param(b" ", id="blank"),
        pytest.param(b"[" * 2000, id="deep and open"),
        pytest.param(b"[" * 2000 + b"]" * 2000, id="deep and closed"),
        pytest.param(b'{"a":' * 2000 + b"1" + b"}" * 2000, id="deep objects"),
        pytest.param(b'{"email": NaN}', id="NaN"),
        pytest.param(b'{"email": -Infinity}', id="infinity"),
        pytest.param(b'{"email": 1' + b"0" * 5000 + b"}", id="5000 digits"),
        pytest.param(b"\xef\xbb\xbf" * 2 + b"{}", id="two BOMs"),
        pytest.param(b"{\xef\xbb\xbf}", id="BOM inside"),
        pytest.param('{"email": "a"}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"email": "é"}'.encode("latin-1"), id="invalid UTF-8"),
        pytest.param(b'{"email": "\xed\xa0\x80"}', id="encoded surrogate"),
        pytest.param(b'{"email": "a\nb"}', id="control character"),
        pytest.param(b"%PDF-1.7 \x00", id="not text"),
    ],
)
@pytest.mark.parametrize("path", PLACES)
def test_malformed_json_is_400(path: str, body: bytes) -> None:
    response = anyone().post(path, body, content_type=JSON)

    assert_error(response, 400, "MALFORMED_JSON", NOT_JSON)


def test_name_twice_in_one_object_is_400() -> None:
    body = b'{"email": "a@example.com", "email": "b@example.com"}'
    response = anyone().post("/api/auth/login", body, content_type=JSON)

    message = "The body has the same name twice in one object."
    assert_error(response, 400, "MALFORMED_JSON", message)


@pytest.mark.parametrize("nest", ["[{}]", '{{"a": {}}}'])
def test_body_may_be_nested_as_deep_as_the_limit(
    alice_api: APIClient, nest: str
) -> None:
    def post(depth: int) -> Any:
        value = "1"
        for _ in range(depth - 1):
            value = nest.format(value)
        body = f'{{"title": "A", "id": {value}}}'
        return alice_api.generic("POST", "/api/tasks", body, JSON)

    assert post(MAX_DEPTH).status_code == 201
    message = f"The body is nested deeper than {MAX_DEPTH} levels."
    assert_error(post(MAX_DEPTH + 1), 400, "MALFORMED_JSON", message)


def test_malformed_body_is_not_quoted() -> None:
    body = b'{"email": "a@example.com", "password": "hunter2-canary"'
    response = anyone().post("/api/auth/login", body, content_type=JSON)

    assert response.status_code == 400
    assert b"hunter2" not in response.content


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"[]", "list"), (b'"x"', "str"), (b"1", "int"), (b"true", "bool")],
)
def test_body_that_is_no_object_is_400(body: bytes, kind: str) -> None:
    response = anyone().post("/api/auth/login", body, content_type=JSON)

    message = f"Invalid data. Expected a dictionary, but got {kind}."
    details = [{"field": "", "code": "invalid", "message": message}]
    assert_error(response, 400, "VALIDATION_ERROR", message, details=details)


def test_null_body_is_400() -> None:
    response = anyone().post("/api/auth/login", b"null", content_type=JSON)

    message = "No data provided"
    details = [{"field": "", "code": "null", "message": message}]
    assert_error(response, 400, "VALIDATION_ERROR", message, details=details)


def test_empty_body_is_an_empty_object(alice_api: APIClient) -> None:
    response = alice_api.generic("POST", "/api/tasks", b"", JSON)

    message = "This field is required."
    details = [{"field": "title", "code": "required", "message": message}]
    summary = f"title: {message}"
    assert_error(response, 400, "VALIDATION_ERROR", summary, details=details)


def test_validation_error_names_at_most_three_fields_in_its_sentence() -> None:
    body = b'{"a": 1, "b": 1, "c": 1, "d": 1}'
    response = anyone().post("/api/auth/logout", body, content_type=JSON)

    hint = "Unknown field. Accepted: refreshToken."
    details = [{"field": f, "code": "unknown", "message": hint} for f in "abcd"]
    summary = f"a: {hint}; b: {hint}; c: {hint}"
    assert_error(response, 400, "VALIDATION_ERROR", summary, details=details)


@pytest.mark.parametrize("path", ["/api/auth/login", "/admin/login/"])
def test_body_over_the_limit_is_413(settings: LazySettings, path: str) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    body = b'{"email": "' + b"a" * 100 + b'"}'
    media_type = JSON if "api" in path else "application/x-www-form-urlencoded"
    response = anyone().post(path, body, content_type=media_type)

    assert_error(response, 413, "PAYLOAD_TOO_LARGE", "The body is too large.")


def test_body_as_large_as_the_limit_is_read(
    settings: LazySettings, alice_api: APIClient
) -> None:
    body = b'{"title": "' + b"a" * 50 + b'"}'
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = len(body)
    response = alice_api.generic("POST", "/api/tasks", body, JSON)

    assert response.status_code == 201


def test_body_that_breaks_off_is_400(alice_api: APIClient) -> None:
    class Broken(io.BytesIO):
        def read(self, *args: Any) -> bytes:
            raise OSError("connection reset")

    extra: dict[str, Any] = {"wsgi.input": Broken(), "CONTENT_LENGTH": "20"}
    response = alice_api.generic("POST", "/api/tasks", b"", JSON, **extra)

    message = "The body ended before it was complete."
    assert_error(response, 400, "BAD_REQUEST", message)


def test_missing_token_is_401_with_a_challenge() -> None:
    response = anyone().get("/api/tasks")

    assert_error(response, 401, "AUTHENTICATION_ERROR", MISSING)
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/api/auth/me", "/health", "/admin/"])
def test_crash_is_500_and_tells_nothing(
    alice_api: APIClient, crash: Callable[[Exception], None], path: str
) -> None:
    crash(RuntimeError(LEAK))
    alice_api.raise_request_exception = False
    response = alice_api.get(path)

    assert_error(response, 500, "INTERNAL_ERROR", CRASH)


@pytest.mark.parametrize("error", [OperationalError(LEAK), InterfaceError(LEAK)])
@pytest.mark.parametrize("path", ["/api/auth/me", "/admin/"])
def test_absent_database_is_503(
    alice_api: APIClient,
    crash: Callable[[Exception], None],
    path: str,
    error: Exception,
) -> None:
    crash(error)
    alice_api.raise_request_exception = False
    response = alice_api.get(path)

    assert_error(response, 503, "SERVICE_UNAVAILABLE", AWAY)
    assert response["Retry-After"] == "1"


def test_database_lost_while_the_token_is_read_is_503(
    alice_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise OperationalError(LEAK)

    monkeypatch.setattr("accounts.auth.authentication.get_principal", fail)
    response = alice_api.get("/api/tasks")

    assert_error(response, 503, "SERVICE_UNAVAILABLE", AWAY)
    assert response["Retry-After"] == "1"


def test_database_lost_at_login_is_503(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise OperationalError(LEAK)

    monkeypatch.setattr("accounts.models.User.objects.get_by_natural_key", fail)
    body = {"email": alice.email, "password": PASSWORD}
    response = anyone().post("/api/auth/login", body, content_type=JSON)

    assert_error(response, 503, "SERVICE_UNAVAILABLE", AWAY)


def test_forged_form_is_403() -> None:
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"a": "b"})

    message = "The form has expired; reload the page and try again."
    assert_error(response, 403, "FORBIDDEN", message)


def test_forbidden_page_is_403(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.exceptions import PermissionDenied

    def refuse(request: HttpRequest) -> None:
        raise PermissionDenied(LEAK)

    monkeypatch.setattr(site, "has_permission", refuse)

    assert_error(anyone().get("/admin/"), 403, "FORBIDDEN", "Access denied.")


def test_no_path_goes_around_a_refusal_of_the_server(settings: LazySettings) -> None:
    settings.WHITENOISE_USE_FINDERS = True
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
    refused = {"taskapi.refusal": (400, "A Host header is required.")}
    client = anyone()
    with closing(client.get(path)) as served:
        assert served.status_code == 200

    for each in (path, "/livez", "/nothing"):
        response = client.get(each, HTTP_HOST="", **refused)

        assert_error(response, 400, "BAD_REQUEST", "A Host header is required.")
