from typing import Any

import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken

from accounts.models import Session, User
from tests.accounts.wire import (
    REFRESH_REFUSED,
    assert_anonymous_refused,
    assert_gone,
    assert_unauthenticated,
    bearer,
    invalid,
    is_welcome,
    post,
    refresh,
    sign_in,
)
from tests.factories import PASSWORD

NEW = "battery staple 2"
CHALLENGE = 'Bearer error="invalid_token"'


def change(client: APIClient, current: str = PASSWORD, new: str = NEW) -> Any:
    body = {"currentPassword": current, "newPassword": new}
    return client.post("/api/auth/password", body, format="json")


def test_new_password_counts_and_the_old_does_not(
    alice_api: APIClient, alice: User
) -> None:
    response = change(alice_api)

    assert response.status_code == 204
    assert response.content == b""
    sign_in(alice, NEW)
    old = post("login", {"email": alice.email, "password": PASSWORD})
    assert_unauthenticated(old, "Invalid credentials")


def test_every_other_session_ends(alice: User, bob: User) -> None:
    mine, other, bobs = sign_in(alice), sign_in(alice), sign_in(bob)

    change(bearer(mine["accessToken"]))

    assert not is_welcome(other["accessToken"])
    assert_unauthenticated(refresh(other["refreshToken"]), REFRESH_REFUSED)
    reasons = Session.objects.values_list("end_reason", flat=True)
    assert sorted(reasons) == ["", "", "password_change"]
    assert BlacklistedToken.objects.count() == 1
    assert is_welcome(bobs["accessToken"])


def test_own_session_stays(alice: User) -> None:
    mine = sign_in(alice)

    change(bearer(mine["accessToken"]))

    assert is_welcome(mine["accessToken"])
    assert refresh(mine["refreshToken"]).status_code == 200


@pytest.mark.parametrize("current", ["wrong horse 1", PASSWORD.title(), f" {PASSWORD}"])
def test_wrong_current_password_changes_nothing(
    alice_api: APIClient, alice: User, current: str
) -> None:
    other = sign_in(alice)

    response = change(alice_api, current)

    assert_unauthenticated(response, "Invalid credentials", CHALLENGE)
    sign_in(alice, PASSWORD)
    assert is_welcome(other["accessToken"])


@pytest.mark.parametrize("field", ["currentPassword", "newPassword"])
def test_missing_password_is_bad_input(alice_api: APIClient, field: str) -> None:
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    del body[field]

    response = alice_api.post("/api/auth/password", body, format="json")

    assert response.status_code == 400
    message = "This field is required."
    assert response.json() == invalid(response, field, "required", message)


@pytest.mark.parametrize(
    ("new", "code", "message"),
    [
        ("short 1", "min_length", "Ensure this field has at least 8 characters."),
        (
            "alice@example",
            "password_too_similar",
            "The password is too similar to the email.",
        ),
        (
            "9182736450",
            "password_entirely_numeric",
            "This password is entirely numeric.",
        ),
    ],
)
def test_new_password_keeps_the_policy(
    alice_api: APIClient, alice: User, new: str, code: str, message: str
) -> None:
    response = change(alice_api, new=new)

    assert response.status_code == 400
    assert response.json() == invalid(response, "newPassword", code, message)
    sign_in(alice, PASSWORD)


def interrupt(monkeypatch: pytest.MonkeyPatch, happening: Any) -> None:
    """Let something happen once the current password has been proved."""
    check = User.check_password

    def interrupted(user: User, password: str) -> bool:
        proved = check(user, password)
        happening()
        return proved

    monkeypatch.setattr(User, "check_password", interrupted)


def test_password_changed_meanwhile_is_not_overwritten(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.set_password("first come 3")
    others = User.objects.filter(pk=alice.pk)
    interrupt(monkeypatch, lambda: others.update(password=alice.password))

    response = change(alice_api)

    assert_unauthenticated(response, "Invalid credentials", CHALLENGE)
    monkeypatch.undo()
    sign_in(alice, "first come 3")


def test_erasure_meanwhile_is_no_server_error(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(monkeypatch, User.objects.filter(pk=alice.pk).delete)

    assert_gone(change(alice_api))


def test_it_needs_an_access_token(api: APIClient, alice: User) -> None:
    assert_anonymous_refused(change(api))
    sign_in(alice, PASSWORD)
