from datetime import timedelta

import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from accounts.models import Session, User
from tests.accounts.clock import Clock
from tests.accounts.wire import (
    REFRESH_REFUSED,
    assert_anonymous_refused,
    assert_token_refused,
    assert_unauthenticated,
    bearer,
    invalid,
    is_welcome,
    post,
    refresh,
    sign_in,
)


@pytest.mark.parametrize("age", [0, 1, 2], ids=["current", "previous", "older"])
def test_any_token_of_the_session_ends_it(alice: User, age: int) -> None:
    answers = [sign_in(alice)]
    for _ in range(2):
        answers.append(refresh(answers[-1]["refreshToken"]).json())

    response = post("logout", {"refreshToken": answers[-1 - age]["refreshToken"]})

    assert response.status_code == 204
    assert response.content == b""
    assert [is_welcome(answer["accessToken"]) for answer in answers] == [False] * 3
    for answer in answers:
        assert_unauthenticated(refresh(answer["refreshToken"]), REFRESH_REFUSED)
    assert Session.objects.get().end_reason == "logout"


def test_repeating_is_fine(alice: User) -> None:
    body = {"refreshToken": sign_in(alice)["refreshToken"]}
    post("logout", body)
    ended_at = Session.objects.get().ended_at

    response = post("logout", body)

    assert response.status_code == 204
    assert Session.objects.get().ended_at == ended_at


@pytest.mark.parametrize("seconds", [20, 30])
def test_logout_holds_at_a_replica_whose_clock_is_behind(
    alice: User, clock: Clock, seconds: int
) -> None:
    """There the session would not have expired yet."""
    signed_in = sign_in(alice)
    Session.objects.update(expires_at=clock.now + timedelta(seconds=10))

    clock.advance(seconds=seconds)
    post("logout", {"refreshToken": signed_in["refreshToken"]})
    clock.advance(seconds=-seconds)

    assert not is_welcome(signed_in["accessToken"])


def test_other_sessions_stay(alice: User, bob: User) -> None:
    ended, *others = sign_in(alice), sign_in(alice), sign_in(bob)

    post("logout", {"refreshToken": ended["refreshToken"]})

    assert [is_welcome(other["accessToken"]) for other in others] == [True, True]
    assert [refresh(o["refreshToken"]).status_code for o in others] == [200, 200]


def test_good_token_is_blacklisted(alice: User) -> None:
    post("logout", {"refreshToken": sign_in(alice)["refreshToken"]})

    assert BlacklistedToken.objects.count() == 1


def test_expired_token_still_ends_its_session(alice: User, clock: Clock) -> None:
    """The first token runs out after a week; its session was renewed and lives."""
    first = sign_in(alice)
    clock.advance(days=6)
    second = refresh(first["refreshToken"]).json()
    clock.advance(days=2)

    response = post("logout", {"refreshToken": first["refreshToken"]})

    assert response.status_code == 204
    assert_unauthenticated(refresh(second["refreshToken"]), REFRESH_REFUSED)


def test_erased_user_may_log_out(alice: User) -> None:
    body = {"refreshToken": sign_in(alice)["refreshToken"]}
    alice.delete()

    assert post("logout", body).status_code == 204


@pytest.mark.parametrize("kind", ["accessToken", "rubbish"])
def test_other_tokens_are_refused(alice: User, kind: str) -> None:
    answer = sign_in(alice)

    response = post("logout", {"refreshToken": answer.get(kind, kind)})

    assert_unauthenticated(response, REFRESH_REFUSED)
    assert is_welcome(answer["accessToken"])


@pytest.mark.django_db
def test_missing_token_is_bad_input() -> None:
    response = post("logout", {})

    assert response.status_code == 400
    message = "This field is required."
    assert response.json() == invalid(response, "refreshToken", "required", message)


def test_logout_all_ends_every_session_of_the_caller(alice: User, bob: User) -> None:
    first, second, bobs = sign_in(alice), sign_in(alice), sign_in(bob)
    client = bearer(first["accessToken"])

    response = client.post("/api/auth/logout-all")

    assert response.status_code == 204
    assert_token_refused(client.get("/api/auth/me"))
    assert not is_welcome(second["accessToken"])
    for answer in (first, second):
        assert_unauthenticated(refresh(answer["refreshToken"]), REFRESH_REFUSED)
    assert is_welcome(bobs["accessToken"])
    assert refresh(bobs["refreshToken"]).status_code == 200


def test_logout_all_needs_an_access_token(api: APIClient, db: None) -> None:
    assert_anonymous_refused(api.post("/api/auth/logout-all"))
