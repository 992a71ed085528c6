import json
from typing import Any

from rest_framework.test import APIClient

from accounts.models import Session, User
from tests.accounts.clock import Clock
from tests.accounts.wire import assert_anonymous_refused, bearer, sign_in
from tests.factories import make_session, make_task


def exported(client: APIClient) -> Any:
    response = client.get("/api/auth/me/export")
    assert response.status_code == 200
    return json.loads(b"".join(response))


def instant(moment: Any) -> str | None:
    return moment and f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def test_account_and_sessions_are_exported(alice: User, clock: Clock) -> None:
    User.objects.update(created_at=clock.now, updated_at=clock.now)
    client = bearer(sign_in(alice, HTTP_USER_AGENT="zoë")["accessToken"])

    body = exported(client)

    session = Session.objects.get()
    assert body["user"] == [
        {
            "id": str(alice.pk),
            "name": "alice",
            "email": "alice@example.com",
            "pendingEmail": None,
            "role": "USER",
            "isActive": True,
            "revision": 0,
            "createdAt": instant(clock.now),
            "updatedAt": instant(clock.now),
        }
    ]
    assert body["sessions"] == [
        {
            "id": str(session.pk),
            "userAgent": "zoë",
            "ip": "127.0.0.1",
            "createdAt": instant(session.created_at),
            "lastUsedAt": instant(session.last_used_at),
            "rotatedAt": instant(session.rotated_at),
            "idleUntil": instant(session.idle_until),
            "expiresAt": instant(session.expires_at),
            "endedAt": None,
            "endReason": "",
        }
    ]


def test_every_kind_of_data_has_its_place(alice_api: APIClient) -> None:
    assert exported(alice_api).keys() == {
        "user",
        "sessions",
        *("adminSignIns", "personalTokens"),
        "tasks",
        "history",
        "comments",
        *("projects", "memberships", "invitations", "labels", "webhooks"),
        "idempotencyKeys",
    }


def test_tasks_are_exported(alice_api: APIClient, alice: User) -> None:
    tasks = [make_task(alice, title=title) for title in ("One", "Two", 'Th"ree')]

    body = exported(alice_api)

    assert {row["id"]: row["title"] for row in body["tasks"]} == {
        str(task.pk): task.title for task in tasks
    }
    assert {row["taskId"] for row in body["history"]} == {str(t.pk) for t in tasks}


def test_ended_sessions_are_exported_too(alice_api: APIClient, alice: User) -> None:
    make_session(alice)
    alice_api.post("/api/auth/logout-all")
    client = bearer(sign_in(alice)["accessToken"])

    reasons = [row["endReason"] for row in exported(client)["sessions"]]

    assert reasons == ["logout", "logout", ""]


def test_nothing_of_others_is_exported(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    make_task(bob, title="secret of bob")
    make_session(bob, user_agent="bob's browser")

    response = alice_api.get("/api/auth/me/export")

    assert b"bob" not in b"".join(response)


def test_no_secret_is_exported(alice_api: APIClient, alice: User) -> None:
    text = b"".join(alice_api.get("/api/auth/me/export")).decode()

    assert alice.password not in text
    assert "eyJ" not in text


def test_it_is_a_download(alice_api: APIClient) -> None:
    response = alice_api.get("/api/auth/me/export")

    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"] == 'attachment; filename="export.json"'


def test_it_needs_an_access_token(api: APIClient, db: None) -> None:
    assert_anonymous_refused(api.get("/api/auth/me/export"))
