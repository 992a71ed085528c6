from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import Session, User
from tests.accounts.clock import Clock
from tests.accounts.wire import (
    REFRESH_REFUSED,
    assert_anonymous_refused,
    assert_token_refused,
    assert_unauthenticated,
    bearer,
    error,
    invalid,
    is_welcome,
    refresh,
    sign_in,
)
from tests.factories import make_session


def test_live_sessions_are_listed_the_last_used_first(
    alice: User, clock: Clock
) -> None:
    clock.now = clock.now.replace(second=30)
    started = f"{clock.now:%Y-%m-%dT%H:%M:%SZ}"
    old = make_session(alice, user_agent="old", address=None, now=clock.now)
    clock.advance(minutes=2)
    client = bearer(
        sign_in(alice, HTTP_USER_AGENT="new", REMOTE_ADDR="2001:db8::7")["accessToken"]
    )
    clock.advance(minutes=3)

    response = client.get("/api/auth/sessions")

    assert response.status_code == 200
    new = Session.objects.get(user_agent="new")
    assert response.json() == {
        "items": [
            {
                "id": str(new.pk),
                "userAgent": "new",
                "ip": "2001:db8::7",
                "createdAt": f"{new.created_at:%Y-%m-%dT%H:%M:%SZ}",
                "lastUsedAt": f"{clock.now:%Y-%m-%dT%H:%M:00Z}",
                "expiresAt": f"{new.expires_at:%Y-%m-%dT%H:%M:%SZ}",
                "current": True,
            },
            {
                "id": str(old.pk),
                "userAgent": "old",
                "ip": None,
                "createdAt": started,
                "lastUsedAt": f"{old.created_at:%Y-%m-%dT%H:%M:00Z}",
                "expiresAt": f"{old.expires_at:%Y-%m-%dT%H:%M:%SZ}",
                "current": False,
            },
        ]
    }


def ids(client: APIClient) -> list[UUID]:
    items = client.get("/api/auth/sessions").json()["items"]
    return [UUID(item["id"]) for item in items]


def test_ended_sessions_are_not_listed(alice_api: APIClient, alice: User) -> None:
    [current] = ids(alice_api)
    make_session(alice)
    Session.objects.exclude(pk=current).update(ended_at="2026-01-01T00:00Z")

    assert ids(alice_api) == [current]


def test_expired_sessions_are_not_listed(alice: User, clock: Clock) -> None:
    make_session(alice)
    clock.advance(days=7)
    client = bearer(sign_in(alice)["accessToken"])

    assert len(ids(client)) == 1


def test_sessions_of_others_are_not_listed(
    alice_api: APIClient, bob_api: APIClient
) -> None:
    assert set(ids(alice_api)).isdisjoint(ids(bob_api))


def test_use_is_remembered_by_the_minute(alice: User, clock: Clock) -> None:
    clock.now = clock.now.replace(second=0)
    client = bearer(sign_in(alice)["accessToken"])
    clock.advance(minutes=1, seconds=30)

    client.get("/api/auth/me")

    assert Session.objects.get().last_used_at == clock.now.replace(second=0)


def test_use_within_the_minute_writes_nothing(alice: User, clock: Clock) -> None:
    clock.now = clock.now.replace(second=0)
    client = bearer(sign_in(alice)["accessToken"])
    clock.advance(seconds=59)

    with CaptureQueriesContext(connection) as queries:
        client.get("/api/auth/me")

    assert [query["sql"][:6] for query in queries] == ["SELECT"] * 2  # session and user


def test_list_takes_no_parameters(alice_api: APIClient) -> None:
    response = alice_api.get("/api/auth/sessions?page=2")

    assert response.status_code == 400
    message = "Unknown parameter. Accepted: none."
    assert response.json() == invalid(response, "page", "unknown", message)


def test_list_needs_an_access_token(api: APIClient, db: None) -> None:
    assert_anonymous_refused(api.get("/api/auth/sessions"))


def test_one_session_is_ended(alice_api: APIClient, alice: User) -> None:
    other = sign_in(alice)
    session = Session.objects.latest("created_at")

    response = alice_api.delete(f"/api/auth/sessions/{session.pk}")

    assert response.status_code == 204
    assert not is_welcome(other["accessToken"])
    assert_unauthenticated(refresh(other["refreshToken"]), REFRESH_REFUSED)
    assert alice_api.get("/api/auth/me").status_code == 200
    session.refresh_from_db()
    assert session.end_reason == "revoked"


def test_current_session_may_be_ended(alice_api: APIClient, alice: User) -> None:
    [session] = alice.sessions.all()

    response = alice_api.delete(f"/api/auth/sessions/{session.pk}")

    assert response.status_code == 204
    assert_token_refused(alice_api.get("/api/auth/me"))


def test_ending_twice_is_fine(alice_api: APIClient, alice: User) -> None:
    session = make_session(alice)
    alice_api.delete(f"/api/auth/sessions/{session.pk}")
    session.refresh_from_db()
    first = session.ended_at

    response = alice_api.delete(f"/api/auth/sessions/{session.pk}")

    assert response.status_code == 204
    session.refresh_from_db()
    assert session.ended_at == first


@pytest.mark.parametrize("whose", ["bob's", "nobody's"])
def test_session_of_somebody_else_is_not_found(
    alice_api: APIClient, bob: User, whose: str
) -> None:
    bobs = sign_in(bob)
    pk = bob.sessions.get().pk if whose == "bob's" else uuid4()

    response = alice_api.delete(f"/api/auth/sessions/{pk}")

    assert response.status_code == 404
    assert response.json() == error(response, "NOT_FOUND", "Not found.")
    assert is_welcome(bobs["accessToken"])


def test_ending_needs_an_access_token(api: APIClient, alice: User) -> None:
    session = make_session(alice)

    assert_anonymous_refused(api.delete(f"/api/auth/sessions/{session.pk}"))
    session.refresh_from_db()
    assert session.ended_at is None
