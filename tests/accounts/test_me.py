from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tests.accounts.clock import Clock
from tests.accounts.wire import (
    assert_anonymous_refused,
    assert_gone,
    bearer,
    invalid,
    sign_in,
)


def shown(user: User) -> dict[str, str]:
    return {
        "id": str(user.pk),
        "name": user.name,
        "email": user.email,
        "role": user.role,
        "createdAt": f"{user.created_at.replace(tzinfo=None).isoformat()}Z",
        "updatedAt": f"{user.updated_at.replace(tzinfo=None).isoformat()}Z",
    }


def test_caller_sees_themself(alice_api: APIClient, alice: User) -> None:
    response = alice_api.get("/api/auth/me")

    assert response.status_code == 200
    assert response.json() == shown(alice)


def test_caller_is_renamed(alice: User, clock: Clock) -> None:
    client = bearer(sign_in(alice)["accessToken"])
    clock.advance(minutes=1)

    response = client.patch("/api/auth/me", {"name": " Alice  L. "}, format="json")

    assert response.status_code == 200
    before = shown(alice)
    alice.refresh_from_db()
    assert (alice.name, alice.updated_at) == (" Alice  L. ", clock.now)
    assert response.json() == shown(alice)
    assert response.json()["createdAt"] == before["createdAt"]


@pytest.mark.parametrize("body", [{}, {"name": "alice"}])
def test_no_change_writes_nothing(
    alice_api: APIClient, alice: User, body: dict[str, str]
) -> None:
    response = alice_api.patch("/api/auth/me", body, format="json")

    assert response.status_code == 200
    assert response.json() == shown(alice)


def test_own_answer_may_be_echoed(alice_api: APIClient, alice: User) -> None:
    echo = {k: v for k, v in shown(alice).items() if k != "email"}
    echo |= {"id": "other", "role": "ADMIN"}

    response = alice_api.patch("/api/auth/me", echo, format="json")

    assert response.status_code == 200
    assert response.json() == shown(alice)
    alice.refresh_from_db()
    assert alice.role == "USER"


@pytest.mark.parametrize(
    ("field", "value", "code", "message"),
    [
        ("name", None, "null", "This field may not be null."),
        ("name", "", "blank", "This field may not be blank."),
        ("name", "\u2003", "blank", "This field may not be blank."),
        ("name", 1, "invalid", "Not a valid string."),
        (
            "name",
            "x" * 101,
            "max_length",
            "Ensure this field has no more than 100 characters.",
        ),
        ("email", "b@example.com", "unknown", "Unknown field. Accepted: name."),
        ("password", "secret 12", "unknown", "Unknown field. Accepted: name."),
        ("is_active", False, "unknown", "Unknown field. Accepted: name."),
    ],
)
def test_bad_input_is_refused_by_name(
    alice_api: APIClient, alice: User, field: str, value: Any, code: str, message: str
) -> None:
    response = alice_api.patch("/api/auth/me", {field: value}, format="json")

    assert response.status_code == 400
    assert response.json() == invalid(response, field, code, message)
    assert User.objects.filter(pk=alice.pk, name="alice").exists()


def test_unknown_parameter_is_refused(alice_api: APIClient) -> None:
    response = alice_api.get("/api/auth/me?verbose=1")

    assert response.status_code == 400
    message = "Unknown parameter. Accepted: none."
    assert response.json() == invalid(response, "verbose", "unknown", message)


def test_answer_is_not_cached(alice_api: APIClient) -> None:
    assert alice_api.get("/api/auth/me")["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["get", "patch"])
def test_it_needs_an_access_token(api: APIClient, db: None, method: str) -> None:
    assert_anonymous_refused(getattr(api, method)("/api/auth/me"))


def test_erasure_meanwhile_is_no_server_error(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = User.rename

    def erased_first(user: User, name: str) -> User:
        User.objects.filter(pk=user.pk).delete()
        return rename(user, name)

    monkeypatch.setattr(User, "rename", erased_first)

    response = alice_api.patch("/api/auth/me", {"name": "Late"}, format="json")

    assert_gone(response)
    assert response["WWW-Authenticate"].startswith("Bearer")
