from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher

from accounts import passwords
from accounts.models import Session, User
from tests.accounts.wire import (
    assert_unauthenticated,
    invalid,
    is_welcome,
    post,
    refresh,
)
from tests.factories import PASSWORD, make_user

ALICE = {"email": "alice@example.com", "password": PASSWORD}
STRANGERS = {
    "unknown": ALICE | {"email": "nobody@example.com"},
    "wrong": ALICE | {"password": "wrong horse 1"},
    "inactive": ALICE | {"email": "ivy@example.com"},
    "unusable": ALICE | {"email": "una@example.com"},
    "no address": ALICE | {"email": "' OR 1=1 --"},
    "trimmed": ALICE | {"password": f"{PASSWORD} "},
    "other case": ALICE | {"password": PASSWORD.upper()},
}


@pytest.fixture(autouse=True)
def _people(alice: User) -> None:
    make_user("ivy", is_active=False)
    make_user("una", password=None)


def test_it_works(alice: User) -> None:
    response = post("login", ALICE)

    assert response.status_code == 200
    body = response.json()
    access, fresh = body.pop("accessToken"), body.pop("refreshToken")
    assert body == {
        "user": {
            "id": str(alice.pk),
            "name": "alice",
            "email": "alice@example.com",
            "role": "USER",
            "createdAt": f"{alice.created_at.replace(tzinfo=None).isoformat()}Z",
            "updatedAt": f"{alice.updated_at.replace(tzinfo=None).isoformat()}Z",
        }
    }
    assert is_welcome(access)
    assert refresh(fresh).status_code == 200


def test_case_of_the_address_does_not_matter() -> None:
    response = post("login", ALICE | {"email": "ALICE@example.COM"})

    assert response.status_code == 200


def test_session_remembers_device_and_address() -> None:
    post("login", ALICE, HTTP_USER_AGENT="x" * 300, REMOTE_ADDR="2001:db8::7")

    session = Session.objects.get()
    assert (session.user_agent, session.address) == ("x" * 255, "2001:db8::7")


def test_each_login_is_a_session_of_its_own() -> None:
    first, second = post("login", ALICE).json(), post("login", ALICE).json()

    assert Session.objects.count() == 2
    assert first["refreshToken"] != second["refreshToken"]


@pytest.mark.parametrize("body", STRANGERS.values(), ids=STRANGERS)
def test_every_stranger_gets_the_same_answer(body: dict[str, str]) -> None:
    response = post("login", body)

    assert_unauthenticated(response, "Invalid credentials")
    assert not Session.objects.exists()


@pytest.mark.parametrize("body", STRANGERS.values(), ids=STRANGERS)
def test_every_stranger_costs_the_same_hashing(body: dict[str, str]) -> None:
    encode = MD5PasswordHasher.encode
    with patch.object(
        MD5PasswordHasher, "encode", autospec=True, side_effect=encode
    ) as hashed:
        post("login", body)

    assert hashed.call_count == 1


def test_token_in_the_header_is_not_looked_at() -> None:
    response = post("login", ALICE, HTTP_AUTHORIZATION="Bearer rubbish")

    assert response.status_code == 200


def verify_then(monkeypatch: pytest.MonkeyPatch, *happenings: Any) -> None:
    """Let something happen between each check of the password and the session."""
    verify, left = passwords.verify, list(happenings)

    def interrupted(email: str, password: str) -> User | None:
        user = verify(email, password)
        if left:
            left.pop(0)()
        return user

    monkeypatch.setattr(passwords, "verify", interrupted)


def test_password_changed_meanwhile_refuses(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change() -> None:
        alice.set_password("another horse 2")
        alice.save()

    verify_then(monkeypatch, change)

    assert_unauthenticated(post("login", ALICE), "Invalid credentials")
    assert not Session.objects.exists()


def test_deactivation_meanwhile_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    verify_then(monkeypatch, lambda: User.objects.update(is_active=False))

    assert_unauthenticated(post("login", ALICE), "Invalid credentials")
    assert not Session.objects.exists()


def test_erasure_meanwhile_refuses(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify_then(monkeypatch, User.objects.filter(pk=alice.pk).delete)

    assert_unauthenticated(post("login", ALICE), "Invalid credentials")


def test_stronger_hash_stored_meanwhile_does_not_refuse(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rehash() -> None:
        alice.set_password(PASSWORD)
        User.objects.filter(pk=alice.pk).update(password=alice.password)

    verify_then(monkeypatch, rehash)

    assert post("login", ALICE).status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "code", "message"),
    [
        ("email", ..., "required", "This field is required."),
        ("email", None, "null", "This field may not be null."),
        ("email", "", "blank", "This field may not be blank."),
        ("email", 7, "invalid", "Not a valid string."),
        (
            "email",
            "a\0@b.org",
            "null_characters_not_allowed",
            "Null characters are not allowed.",
        ),
        (
            "email",
            "a" * 256,
            "max_length",
            "Ensure this field has no more than 255 characters.",
        ),
        ("password", ..., "required", "This field is required."),
        ("password", "", "blank", "This field may not be blank."),
        ("password", {}, "invalid", "Not a valid string."),
        ("otp", "123456", "unknown", "Unknown field. Accepted: email, password."),
    ],
)
def test_bad_input_is_refused_by_name(
    field: str, value: Any, code: str, message: str
) -> None:
    body = {k: v for k, v in (ALICE | {field: value}).items() if v is not ...}

    response = post("login", body)

    assert response.status_code == 400
    assert response.json() == invalid(response, field, code, message)


def test_other_methods_are_refused(api: Any) -> None:
    response = api.get("/api/auth/login")

    assert response.status_code == 405
    assert response["Allow"] == "POST, OPTIONS"
