import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import yaml
from django.conf import LazySettings
from django.contrib.staticfiles import finders
from django.test import Client
from environs import ValidationError
from rest_framework.test import APIClient

from accounts.models import User
from accounts.views import MeView
from taskapi.http.middleware import API_CSP, HTML_CSP
from taskapi.settings import BASE_DIR
from taskapi.settings.environment import origins
from tests.factories import PASSWORD
from tests.project.wire import JSON, anyone

OURS = "https://app.example.com"
APPS = [
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    "moz-extension://5d2c8e14-3f6b-4a79-8c0d-9e1f2a3b4c5d",
    "http://localhost:3000",
]
THEIRS = "https://evil.example"

pytestmark = pytest.mark.django_db


def crash(*args: Any) -> None:
    raise RuntimeError


Ask = Callable[..., Any]
# One request for each way in which an answer comes about.
ANSWERS: dict[str, tuple[int, Ask]] = {
    "200": (200, lambda c, **x: c.get("/livez", **x)),
    "200 page": (200, lambda c, **x: c.get("/api/docs", **x)),
    "302": (302, lambda c, **x: c.get("/admin/", **x)),
    "400 body": (
        400,
        lambda c, **x: c.post("/api/auth/login", b"{", content_type=JSON, **x),
    ),
    "400 host": (400, lambda c, **x: c.get("/health", HTTP_HOST="evil", **x)),
    "401": (401, lambda c, **x: c.get("/api/tasks", **x)),
    "404": (404, lambda c, **x: c.get("/nothing", **x)),
    "405": (405, lambda c, **x: c.get("/api/auth/login", **x)),
    "405 plain": (405, lambda c, **x: c.delete("/livez", **x)),
    "406": (406, lambda c, **x: c.get("/api/schema", HTTP_ACCEPT="a/b", **x)),
    "415": (
        415,
        lambda c, **x: c.post("/api/auth/login", b"x", content_type="a/b", **x),
    ),
    "415 charset": (
        415,
        lambda c, **x: c.post(
            "/api/auth/login", b"x", content_type=f"{JSON}; charset=latin-1", **x
        ),
    ),
    "500": (500, lambda c, **x: c.get("/api/auth/me", **x)),
}


@pytest.fixture(params=ANSWERS)
def ask(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """A request, and a check that it has the status it stands for."""
    status, send = ANSWERS[request.param]
    monkeypatch.setattr(MeView, "initial", crash)

    def asked(**headers: Any) -> Any:
        response = send(anyone(), **headers)
        assert response.status_code == status
        return response

    return asked


def test_every_answer_has_a_request_id_of_its_own(ask: Ask) -> None:
    first, second = ask()["X-Request-Id"], ask()["X-Request-Id"]

    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


def test_every_answer_keeps_the_clients_request_id(ask: Ask) -> None:
    assert ask(HTTP_X_REQUEST_ID="trace_1.a-B")["X-Request-Id"] == "trace_1.a-B"


def test_longest_request_id_is_kept() -> None:
    response = anyone().get("/livez", HTTP_X_REQUEST_ID="a" * 64)

    assert response["X-Request-Id"] == "a" * 64


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " ",
        "a" * 65,
        "a b",
        "a\n",
        "a/b",
        "é",
        "a;b",
        "<script>",
        "\x1b[31m",
        "\u0661",
    ],
)
def test_request_id_that_is_not_well_formed_is_replaced(sent: str) -> None:
    response = anyone().get("/livez", HTTP_X_REQUEST_ID=sent)

    assert re.fullmatch("[0-9a-f]{32}", response["X-Request-Id"])


def test_every_answer_has_the_security_headers(ask: Ask) -> None:
    response = ask()
    expected = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
    }

    assert response.headers.items() >= expected.items()
    assert "no-store" in response["Cache-Control"]
    assert "Authorization" in response["Vary"]


def test_every_answer_tells_its_length(ask: Ask) -> None:
    response = ask()

    assert response["Content-Length"] == str(len(response.content))


def test_every_answer_over_https_has_hsts(ask: Ask, settings: LazySettings) -> None:
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    response = ask(secure=True)

    hsts = "max-age=31536000; includeSubDomains; preload"
    assert response["Strict-Transport-Security"] == hsts


def test_no_answer_over_http_has_hsts(settings: LazySettings) -> None:
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600
    response = anyone().get("/livez")

    assert "Strict-Transport-Security" not in response


def test_http_is_not_redirected(settings: LazySettings) -> None:
    settings.SECURE_HSTS_SECONDS = 365 * 24 * 3600

    assert anyone().get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/api/tasks", API_CSP),
        ("/nothing", API_CSP),
        ("/health", API_CSP),
        ("/api/schema", API_CSP),
        ("/api/docs", HTML_CSP),
        ("/admin/login/", HTML_CSP),
    ],
)
def test_only_pages_may_load_something(path: str, policy: str) -> None:
    assert anyone().get(path)["Content-Security-Policy"] == policy


def test_no_policy_lets_other_hosts_or_inline_scripts_in() -> None:
    assert API_CSP.startswith("default-src 'none'; ")
    for policy in (API_CSP, HTML_CSP):
        assert "http" not in policy
        assert "*" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
    assert HTML_CSP.startswith("default-src 'self'; ")


def test_tokens_are_not_stored(alice: User, api: APIClient) -> None:
    body = {"email": alice.email, "password": PASSWORD}
    response = api.post("/api/auth/login", body, format="json")

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/auth/me", "/api/auth/sessions"])
def test_personal_answers_are_not_stored(alice_api: APIClient, path: str) -> None:
    response = alice_api.get(path)

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"


@pytest.fixture
def preflight(settings: LazySettings) -> Callable[[str], Any]:
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    return lambda origin: anyone().options(
        "/api/tasks",
        HTTP_ORIGIN=origin,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="PATCH",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization, if-match",
    )


def test_preflight_needs_no_token(preflight: Callable[[str], Any]) -> None:
    response = preflight(OURS)

    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == OURS
    assert "PATCH" in response["Access-Control-Allow-Methods"]
    allowed = response["Access-Control-Allow-Headers"].split(", ")
    assert {"authorization", "if-match", "idempotency-key"} <= set(allowed)
    tracing = {"traceparent", "tracestate", "baggage", "sentry-trace"}
    assert {"x-requested-with", *tracing} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in response


@pytest.mark.parametrize("origin", APPS)
def test_app_or_extension_may_be_allowed(settings: LazySettings, origin: str) -> None:
    origins([origin])
    settings.CORS_ALLOWED_ORIGINS = [origin]
    asked = {
        "HTTP_ORIGIN": origin,
        "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST",
        "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "traceparent, x-requested-with",
    }
    preflight = anyone().options("/api/tasks", **asked)
    response = anyone().get("/livez", HTTP_ORIGIN=origin)

    assert preflight["Access-Control-Allow-Origin"] == origin
    assert response["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "app.example.com",
        "https://",
        "https://app.example.com/",
        "https://*.example.com",
        "https://user@app.example.com",
        "HTTPS://app.example.com",
        "https://App.example.com",
        "https://app.example.com:443",
        "http://app.example.com:80",
        "htps://app.example.com",
        "file://",
        "capacitor:localhost",
    ],
)
def test_origin_that_no_browser_sends_is_rejected(origin: str) -> None:
    with pytest.raises(ValidationError, match="is not an origin"):
        origins([origin])


def test_preflight_of_a_stranger_allows_nothing(
    preflight: Callable[[str], Any],
) -> None:
    response = preflight(THEIRS)

    assert not [name for name in response.headers if name.startswith("Access-Control")]


def test_no_origin_is_allowed_unless_named() -> None:
    response = anyone().get("/livez", HTTP_ORIGIN=OURS)

    assert "Access-Control-Allow-Origin" not in response


def test_every_answer_can_be_read_by_an_allowed_origin(
    ask: Ask, settings: LazySettings
) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    response = ask(HTTP_ORIGIN=OURS)

    assert response["Access-Control-Allow-Origin"] == OURS
    exposed = set(response["Access-Control-Expose-Headers"].split(", "))
    # The first is exposed anyway, the others are of no use to a page.
    unneeded = {"Cache-Control", "Allow", "Vary", "WWW-Authenticate"}
    unneeded |= {"Accept", "Accept-Encoding", "Accept-Patch"}
    assert exposed == documented_headers() - unneeded
    assert "origin" in response["Vary"].lower()


@cache
def documented_headers() -> set[str]:
    document = yaml.safe_load((BASE_DIR / "docs" / "openapi.yaml").read_text())
    paths = document["paths"].values()
    answers = [each["responses"] for path in paths for each in path.values()]
    return {
        name
        for group in [document["components"]["responses"], *answers]
        for answer in group.values()
        for name in answer.get("headers", {})
    }


def assets(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"]+)"', page)


def test_docs_page_loads_everything_from_us(api: APIClient) -> None:
    page = api.get("/api/docs").content.decode()

    assert "swagger-ui" in page
    assert len(assets(page)) == 5
    assert not re.findall(r"(?:https?:)?//[a-z]", page)
    for url in assets(page):
        assert url.startswith(("/static/", "/api/docs")), url


def test_docs_page_has_no_inline_script(api: APIClient) -> None:
    page = api.get("/api/docs").content.decode()

    assert re.findall(r"<script(?![^>]*src=)[^>]*>", page) == []
    assert not re.findall(r"\son\w+=", page)


def test_assets_of_the_docs_page_are_there(client: Client) -> None:
    for url in assets(client.get("/api/docs").content.decode()):
        if url.startswith("/static/"):
            assert finders.find(url.removeprefix("/static/")), url
        else:
            response = client.get(url)
            assert response.status_code == 200
            assert response["Content-Type"] == "application/javascript"
            assert "/api/schema" in response.content.decode()


def test_static_files_are_served_by_us(client: Client, settings: LazySettings) -> None:
    settings.WHITENOISE_USE_FINDERS = True
    response = client.get(
        "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
    )
    content = b"".join(response)
    assert response.status_code == 200
    assert b".swagger-ui" in content
    assert response["X-Content-Type-Options"] == "nosniff"
