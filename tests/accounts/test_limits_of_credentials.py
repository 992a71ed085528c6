"""Limits of refresh tokens, bearer tokens and proofs of the current password."""

from typing import Any

import pytest

from accounts.models import RevocationReason, Session, User
from taskapi.api.rate_limit import RateLimit
from tests.accounts.wire import bearer, post, refresh, sign_in
from tests.factories import PASSWORD, api_of

pytestmark = pytest.mark.django_db


def limit(settings: Any, **limited: int) -> None:
    tight = {name: RateLimit(number, 900) for name, number in limited.items()}
    settings.RATE_LIMITS = settings.RATE_LIMITS | tight


@pytest.mark.parametrize("path", ["refresh", "logout"])
def test_refresh_tokens_are_limited_per_address(settings: Any, path: str) -> None:
    limit(settings, address=2)

    body = {"refreshToken": "x"}
    answers = [post(path, body).status_code for _ in range(3)]

    assert answers == [401, 401, 429]
    assert post(path, body, REMOTE_ADDR="192.0.2.9").status_code == 401


def test_bad_bearer_tokens_are_limited_per_address(alice: User, settings: Any) -> None:
    limit(settings, address=2)
    bad = bearer("nonsense")

    answers = [bad.get("/api/auth/me").status_code for _ in range(3)]

    assert answers == [401, 401, 429]
    assert api_of(alice).get("/api/auth/me").status_code == 200


def test_spent_session_limit_does_not_hide_a_replay(alice: User, settings: Any) -> None:
    settings.REFRESH_GRACE_SECONDS = 0
    limit(settings, refresh=1)
    spent = sign_in(alice)["refreshToken"]
    stolen = refresh(spent).json()["refreshToken"]
    assert refresh(stolen).status_code == 429

    assert refresh(spent).status_code == 401
    assert Session.objects.get().end_reason == RevocationReason.REPLAY


@pytest.mark.parametrize("path", ["password", "me/erase"])
def test_guesses_of_the_current_password_are_limited_per_account(
    alice: User, settings: Any, path: str
) -> None:
    limit(settings, login=10)
    api = api_of(alice)
    fields = {"password": {"currentPassword": "wrong 1", "newPassword": "battery 22x"}}
    body = fields.get(path, {"password": "wrong 1"})

    answers = [
        api.post(
            f"/api/auth/{path}",
            body,
            format="json",
            REMOTE_ADDR=f"198.51.{n // 250}.{n % 250}",
        ).status_code
        for n in range(300)
    ]

    assert answers == [401] * 10 + [429] * 290
    login = {"email": alice.email, "password": PASSWORD}
    assert post("login", login, REMOTE_ADDR="192.0.2.1").status_code == 429


@pytest.mark.parametrize("email", [" alice@example.com", "alice@example.com\t"])
def test_spaces_around_an_address_are_trimmed(alice: User, email: str) -> None:
    body = {"email": email, "password": PASSWORD}

    assert post("login", body).status_code == 200


@pytest.mark.parametrize("seconds", [1, 29])
def test_token_of_a_replica_whose_clock_is_ahead_is_valid(
    alice: User, clock: Any, seconds: int
) -> None:
    clock.advance(seconds=seconds)
    pair = sign_in(alice)
    clock.advance(seconds=-seconds)

    assert bearer(pair["accessToken"]).get("/api/auth/me").status_code == 200
    assert refresh(pair["refreshToken"]).status_code == 200


@pytest.mark.parametrize("path", ["refresh", "login", "register", "password/forgot"])
def test_body_of_an_account_call_is_at_most_64_kb(path: str) -> None:
    assert post(path, {"x": "a" * 65 * 1024}).status_code == 413
