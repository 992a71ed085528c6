from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import (
    BlacklistedToken,
    OutstandingToken,
)

from accounts.auth.jwt import RefreshToken
from accounts.models import Session, User
from tests.accounts.clock import Clock
from tests.accounts.wire import (
    REFRESH_REFUSED,
    assert_unauthenticated,
    invalid,
    is_welcome,
    post,
    refresh,
    sign_in,
)


def chain(user: User, length: int) -> list[str]:
    """The refresh tokens of one session, the oldest first; only the last is good."""
    tokens = [sign_in(user)["refreshToken"]]
    while len(tokens) < length:
        tokens.append(refresh(tokens[-1]).json()["refreshToken"])
    return tokens


def assert_refused(token: str) -> None:
    assert_unauthenticated(refresh(token), REFRESH_REFUSED)


def test_token_is_traded_for_its_successor(alice: User) -> None:
    signed_in = sign_in(alice)

    response = refresh(signed_in["refreshToken"])

    assert response.status_code == 200
    body = response.json()
    assert body.keys() == {"user", "accessToken", "refreshToken"}
    assert body["user"] == signed_in["user"]
    assert body["refreshToken"] != signed_in["refreshToken"]
    assert body["accessToken"] != signed_in["accessToken"]
    assert is_welcome(body["accessToken"])


def test_successors_can_be_traded_in_turn(alice: User) -> None:
    first, second, third = chain(alice, 3)

    assert len({first, second, third}) == 3
    assert refresh(third).status_code == 200
    assert Session.objects.count() == 1


@pytest.mark.parametrize("seconds", [0, 9, 10])
def test_previous_token_gets_the_same_successor_for_ten_seconds(
    alice: User, clock: Clock, seconds: int
) -> None:
    previous, current = chain(alice, 2)
    clock.advance(seconds=seconds)

    response = refresh(previous)

    assert response.status_code == 200
    assert response.json()["refreshToken"] == current
    assert is_welcome(response.json()["accessToken"])
    assert refresh(current).status_code == 200


@pytest.mark.parametrize("time", [{"seconds": 10, "microseconds": 1}, {"days": 6}])
def test_previous_token_after_ten_seconds_ends_the_session(
    alice: User, clock: Clock, time: dict[str, int]
) -> None:
    previous, current = chain(alice, 2)
    clock.advance(**time)

    assert_refused(previous)

    assert_refused(current)
    session = Session.objects.get()
    assert (session.ended_at, session.end_reason) == (clock.now, "replay")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="has no clock of its own")
@pytest.mark.parametrize(("age", "status"), [(0, 200), (8, 200), (12, 401)])
@pytest.mark.parametrize("ahead", [-30, 30])
def test_grace_is_judged_by_the_clock_of_the_database(
    alice: User, monkeypatch: pytest.MonkeyPatch, ahead: int, age: int, status: int
) -> None:
    previous, _ = chain(alice, 2)
    shifted = datetime.now(UTC) + timedelta(seconds=ahead)
    monkeypatch.setattr(timezone, "now", lambda: shifted)
    Session.objects.update(rotated_at=F("rotated_at") - timedelta(seconds=age))

    assert refresh(previous).status_code == status


def test_older_token_ends_the_session_even_within_ten_seconds(
    alice: User, clock: Clock
) -> None:
    grandparent, parent, current = chain(alice, 3)

    assert_refused(grandparent)

    assert_refused(parent)
    assert_refused(current)
    assert Session.objects.get().end_reason == "replay"


def test_replay_stops_the_access_token_too(alice: User) -> None:
    oldest = sign_in(alice)["refreshToken"]
    newest = refresh(refresh(oldest).json()["refreshToken"]).json()
    assert is_welcome(newest["accessToken"])

    refresh(oldest)

    assert not is_welcome(newest["accessToken"])


def test_replay_blacklists_the_good_token(alice: User) -> None:
    grandparent, _, current = chain(alice, 3)

    refresh(grandparent)

    jti = RefreshToken(current)["jti"]
    assert BlacklistedToken.objects.filter(token__jti=jti).exists()


def test_replay_leaves_other_sessions_alone(alice: User) -> None:
    other = sign_in(alice)

    assert_refused(chain(alice, 3)[0])

    assert is_welcome(other["accessToken"])
    assert refresh(other["refreshToken"]).status_code == 200


def test_token_slides_seven_days(alice: User, clock: Clock) -> None:
    token = sign_in(alice)["refreshToken"]
    clock.advance(days=7, seconds=-1)

    assert refresh(token).status_code == 200


def test_token_expires_after_seven_days_without_use(alice: User, clock: Clock) -> None:
    token = sign_in(alice)["refreshToken"]
    clock.advance(days=7)

    assert_refused(token)


def test_no_refresh_reaches_past_thirty_days(alice: User, clock: Clock) -> None:
    token, end = sign_in(alice)["refreshToken"], clock.now + timedelta(days=30)
    for _ in range(4):
        clock.advance(days=6, hours=23)
        token = refresh(token).json()["refreshToken"]
    assert RefreshToken(token)["exp"] == end.timestamp()
    clock.now = end - timedelta(seconds=1)
    token = refresh(token).json()["refreshToken"]
    assert RefreshToken(token)["exp"] == end.timestamp()
    clock.now = end

    assert_refused(token)


def test_deactivated_user_is_refused(alice: User) -> None:
    token = sign_in(alice)["refreshToken"]
    User.objects.update(is_active=False)

    assert_refused(token)


def test_erased_user_is_refused(alice: User) -> None:
    token = sign_in(alice)["refreshToken"]
    alice.delete()

    assert_refused(token)


def test_ended_session_is_refused(alice: User, clock: Clock) -> None:
    token = sign_in(alice)["refreshToken"]
    Session.objects.update(ended_at=clock.now)

    assert_refused(token)


def test_token_blacklisted_by_hand_ends_the_session(alice: User) -> None:
    token = sign_in(alice)["refreshToken"]
    BlacklistedToken.objects.create(token=OutstandingToken.objects.get())

    assert_refused(token)
    assert Session.objects.get().end_reason == "replay"


def test_spent_token_is_blacklisted_and_its_successor_is_outstanding(
    alice: User,
) -> None:
    spent, good = (RefreshToken(token)["jti"] for token in chain(alice, 2))

    outstanding = OutstandingToken.objects.values_list("jti", "user")
    assert set(outstanding) == {(spent, alice.pk), (good, alice.pk)}
    blacklisted = BlacklistedToken.objects.values_list("token__jti", flat=True)
    assert list(blacklisted) == [spent]


def test_no_token_is_stored(alice: User) -> None:
    chain(alice, 3)

    rows = [*OutstandingToken.objects.values(), *Session.objects.values()]
    assert len(rows) == 4
    assert "eyJ" not in str(rows)


def test_token_in_the_header_is_not_looked_at(alice: User) -> None:
    body = {"refreshToken": sign_in(alice)["refreshToken"]}

    response = post("refresh", body, HTTP_AUTHORIZATION="Bearer rubbish")

    assert response.status_code == 200


@pytest.mark.django_db
def test_missing_token_is_bad_input() -> None:
    response = post("refresh", {})

    assert response.status_code == 400
    message = "This field is required."
    assert response.json() == invalid(response, "refreshToken", "required", message)
