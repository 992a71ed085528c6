"""Every security fact leaves one event, and no event or log line leaks a secret."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts import passwords
from accounts.models import Session, User
from accounts.throttles import hashed_account
from taskapi.api.rate_limit import RateLimit
from taskapi.http.logs import JsonFormatter
from tests.accounts.clock import Clock
from tests.accounts.wire import ANONYMOUS, bearer, post, refresh, sign_in
from tests.factories import PASSWORD, make_session

ALICE = {"email": "alice@example.com", "password": PASSWORD}
ALICE_KEY = hashed_account("alice@example.com")


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Callable[[], list[Any]]:
    """The audit events since the last reading."""

    def read() -> list[Any]:
        records = [r for r in caplog.records if r.name == "accounts.audit"]
        lines = [json.loads(JsonFormatter().format(record)) for record in records]
        caplog.clear()
        for line in lines:
            assert line.pop("time").endswith("+00:00")
            assert line.pop("level") == "INFO"
            assert line.pop("logger") == "accounts.audit"
            assert line.pop("message") == line["event"]
        return lines

    return read


def event(name: str, session: Session | None = None, **facts: Any) -> dict[str, Any]:
    return {
        "event": name,
        "userId": str(session.user_id) if session else None,
        "sessionId": str(session.pk) if session else None,
        "address": "127.0.0.1",
    } | facts


@pytest.mark.django_db
def test_registration(events: Any) -> None:
    post("register", {"name": "A", "email": "a@b.org", "password": "tr0ub4dor&3"})

    assert events() == [event("register", Session.objects.get())]


def test_login(alice: User, events: Any) -> None:
    sign_in(alice)

    assert events() == [event("login_ok", Session.objects.get())]


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_failed_login_names_the_account_by_its_hash(
    alice: User, events: Any, email: str
) -> None:
    post("login", {"email": email, "password": "wrong horse 1"})

    assert events() == [event("login_failed", account=hashed_account(email))]
    assert len(hashed_account(email)) == 64


def test_address_is_that_of_the_client(alice: User, events: Any, settings: Any) -> None:
    settings.NUM_PROXIES = 1

    post("login", ALICE, HTTP_X_FORWARDED_FOR="6.6.6.6, 192.0.2.7")

    [login] = events()
    assert login["address"] == "192.0.2.7"


def test_replay(alice: User, events: Any) -> None:
    oldest = sign_in(alice)["refreshToken"]
    refresh(refresh(oldest).json()["refreshToken"])
    events()

    refresh(oldest)

    assert events() == [event("replay", Session.objects.get())]


def test_refresh_of_an_ended_session(alice: User, events: Any, clock: Clock) -> None:
    token = sign_in(alice)["refreshToken"]
    Session.objects.update(ended_at=clock.now)
    events()

    refresh(token)

    assert events() == [event("refresh_failed", Session.objects.get())]


def test_logout(alice: User, events: Any) -> None:
    token = sign_in(alice)["refreshToken"]
    events()

    post("logout", {"refreshToken": token})

    assert events() == [event("logout", Session.objects.get())]


def test_logout_all(alice: User, events: Any) -> None:
    client = bearer(sign_in(alice)["accessToken"])
    events()

    client.post("/api/auth/logout-all")

    assert events() == [event("logout_all", Session.objects.get())]


def test_end_of_a_session(alice: User, events: Any) -> None:
    client = bearer(sign_in(alice)["accessToken"])
    own, other = Session.objects.get(), make_session(alice)
    events()

    client.delete(f"/api/auth/sessions/{other.pk}")

    assert events() == [event("session_ended", own, ended=str(other.pk))]


def test_export(alice: User, events: Any) -> None:
    client = bearer(sign_in(alice)["accessToken"])
    events()

    client.get("/api/auth/me/export")

    assert events() == [event("export", Session.objects.get())]


def test_erasure(alice: User, events: Any) -> None:
    client = bearer(sign_in(alice)["accessToken"])
    session = Session.objects.get()
    events()

    client.post("/api/auth/me/erase", {"password": PASSWORD}, format="json")

    assert events() == [event("erase", session)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("me/erase", {"password": "wrong horse 1"}),
        ("password", {"currentPassword": "wrong 1", "newPassword": "battery 2"}),
    ],
)
def test_wrong_password_of_a_signed_in_user(
    alice: User, events: Any, path: str, body: Any
) -> None:
    client = bearer(sign_in(alice)["accessToken"])
    events()

    client.post(f"/api/auth/{path}", body, format="json")

    assert events() == [event("password_wrong", Session.objects.get())]


def test_password_change(alice: User, events: Any) -> None:
    client = bearer(sign_in(alice)["accessToken"])
    events()

    body = {"currentPassword": PASSWORD, "newPassword": "battery staple 2"}
    client.post("/api/auth/password", body, format="json")

    assert events() == [event("password_change", Session.objects.get())]


def test_request_for_a_reset(alice: User, mail: list[Any], events: Any) -> None:
    post("password/forgot", {"email": "Alice@example.com"})

    assert events() == [event("password_forgot", account=ALICE_KEY)]


def test_reset(alice: User, events: Any) -> None:
    token = passwords.make_reset_token(alice)

    post("password/reset", {"token": token, "newPassword": "battery staple 2"})

    assert events() == [event("password_reset", userId=str(alice.pk))]


@pytest.mark.django_db
def test_limit_that_was_hit(events: Any, settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"auth": RateLimit(1, 900)}
    post("login", {})
    events()

    post("login", {})

    assert events() == [event("limit_hit", limit="auth")]


def test_event_tells_the_request(alice: User, caplog: Any) -> None:
    formatted: list[Any] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            formatted.append(json.loads(JsonFormatter().format(record)))

    logging.getLogger("accounts.audit").addHandler(handler := Handler())
    try:
        post("login", ALICE, HTTP_X_REQUEST_ID="from-the-proxy")
    finally:
        logging.getLogger("accounts.audit").removeHandler(handler)

    assert [line["requestId"] for line in formatted] == ["from-the-proxy"]


# A secret is sent to every endpoint that takes one, where it works, where it is
# refused, and where the server fails half-way.

CANARY = "canary-Zq7"


def whole_conversation(user: User) -> list[str]:
    """Send secrets through every endpoint; return them all."""
    user.set_password(f"{CANARY} 1")
    user.save()
    old = sign_in(user, f"{CANARY} 1")
    renewed = refresh(old["refreshToken"]).json()
    refuse_all(old["refreshToken"])
    reset = passwords.make_reset_token(user)
    body = {"token": reset, "newPassword": f"{CANARY} 2"}
    assert post("password/reset", body).status_code == 204
    last = sign_in(user, f"{CANARY} 2")
    succeed(bearer(last["accessToken"]), last["refreshToken"])
    names = ("accessToken", "refreshToken")
    return [CANARY, reset, *(a[name] for a in (old, renewed, last) for name in names)]


def refuse_all(token: str) -> None:
    """Secrets in bodies that are refused, and under wrong names."""
    account = {"name": "C", "email": "c@example.com", "password": f"{CANARY} register"}
    post("register", account)
    post("register", account | {"email": "alice@example.com"})
    post("register", account | {"name": f"{CANARY} register"})
    post("register", account | {"email": CANARY})
    post("login", {"email": "alice@example.com", "password": f"{CANARY} wrong"})
    post("login", {"email": f"{CANARY}@example.com", "password": CANARY})
    post("login", {CANARY: CANARY})
    post("refresh", {"refreshToken": token[:-2], "token": CANARY})
    post("refresh", {"refreshToken": f"{token}{CANARY}"})
    post("logout", {"refreshToken": f"{CANARY}.{token}"})
    post("password/reset", {"token": CANARY, "newPassword": f"{CANARY} no"})
    broken = f'{{"password": "{CANARY}"'
    ANONYMOUS.post("/api/auth/login", broken, content_type="application/json")
    ANONYMOUS.get(f"/api/auth/login?password={CANARY}")
    bearer(f"{CANARY}.{CANARY}.{CANARY}").get("/api/auth/me")


def succeed(client: APIClient, refresh_token: str) -> None:
    """Secrets in calls that do what they are for."""
    new = {"currentPassword": f"{CANARY} 2", "newPassword": f"{CANARY} 3"}
    answers = [
        client.post("/api/auth/password", new, format="json"),
        client.get("/api/auth/sessions"),
        client.get("/api/auth/me/export"),
        post("password/forgot", {"email": "alice@example.com"}),
        client.post("/api/auth/me/erase", {"password": CANARY}, format="json"),
        client.post("/api/auth/me/erase", {"password": f"{CANARY} 3"}, format="json"),
        post("logout", {"refreshToken": refresh_token}),
    ]
    assert [a.status_code for a in answers] == [204, 200, 200, 202, 401, 204, 204]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [JsonFormatter().format(record) for record in caplog.records]


def test_no_secret_is_logged(
    alice: User, mail: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    secrets = whole_conversation(alice)

    said = lines(caplog)
    assert len(said) > 30
    assert [(s, line) for s in secrets for line in said if s in line] == []


@pytest.mark.parametrize(
    ("broken", "path", "body"),
    [
        ("accounts.views.sessions.start_session", "login", ALICE),
        (
            "accounts.views.accounts.start_session",
            "register",
            {"name": "C", "email": "c@example.com", "password": PASSWORD},
        ),
        ("accounts.passwords.verify", "login", ALICE),
        ("accounts.auth.sessions.refresh", "refresh", {"refreshToken": "{refresh}"}),
        ("accounts.auth.sessions.logout", "logout", {"refreshToken": "{refresh}"}),
        (
            "accounts.auth.sessions.replace_password",
            "password",
            {"currentPassword": PASSWORD, "newPassword": "battery staple 2"},
        ),
        ("accounts.personal_data.erase", "me/erase", {"password": PASSWORD}),
        (
            "accounts.passwords.reset",
            "password/reset",
            {"token": "{reset}", "newPassword": "battery staple 2"},
        ),
        (
            "accounts.passwords.request_reset",
            "password/forgot",
            {"email": "{reset}@b.org"},
        ),
    ],
)
def test_no_secret_is_logged_when_the_server_fails(
    alice: User,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
    path: str,
    body: dict[str, str],
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("out of luck")

    caplog.set_level(logging.DEBUG)
    signed_in = sign_in(alice)
    secrets = {
        "{refresh}": signed_in["refreshToken"],
        "{reset}": passwords.make_reset_token(alice),
    }
    sent = {name: secrets.get(value, value) for name, value in body.items()}
    monkeypatch.setattr(broken, fail)
    client = bearer(signed_in["accessToken"])
    client.handler = APIClient().handler
    client.raise_request_exception = False

    response = client.post(f"/api/auth/{path}", sent, format="json")

    assert response.status_code == 500
    said = lines(caplog)
    assert any("out of luck" in line for line in said)
    told = [PASSWORD, "battery staple 2", *secrets.values(), *signed_in.values()]
    secret = [value for value in told if isinstance(value, str)]
    assert [(s, line) for s in secret for line in said if s in line] == []
