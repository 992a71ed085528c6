"""Who may register: REGISTRATION, and a stand-in for the app that has invitations."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection

from accounts.models import Session, User
from accounts.registration import Accept
from tests.accounts.wire import error, is_welcome, post
from tests.factories import PASSWORD

CAROL = {"name": "Carol", "email": "carol@example.com", "password": PASSWORD}
CLOSED = "Registration is closed; ask an administrator for an account."
REQUIRED = "Registration needs an invitation; send its invitationToken."
INVALID = "The invitation is invalid, spent or expired."

# Token -> the address it is for.
invitations: dict[str, str] = {}
accepted: list[tuple[str, str]] = []

pytestmark = pytest.mark.django_db


def find(token: str, email: str) -> Accept | None:
    assert connection.in_atomic_block
    if invitations.get(token) != email:
        return None

    def accept(user: User) -> None:
        assert User.objects.filter(pk=user.pk).exists()
        accepted.append((token, user.email))

    return accept


def find_broken(token: str, email: str) -> Accept | None:
    def accept(user: User) -> None:
        raise RuntimeError("no room")

    return accept


@pytest.fixture(autouse=True)
def _invited(settings: Any) -> Iterator[None]:
    settings.REGISTRATION_INVITATIONS = f"{__name__}.find"
    invitations["good"] = "carol@example.com"
    accepted.clear()
    yield
    invitations.clear()
    accepted.clear()


def register(token: str | None = None, **changes: str) -> Any:
    extra = {} if token is None else {"invitationToken": token}
    return post("register", CAROL | changes | extra)


def assert_refused(response: Any, message: str) -> None:
    assert response.status_code == 403
    assert response.json() == error(response, "FORBIDDEN", message)
    assert not User._base_manager.filter(email="carol@example.com").exists()
    assert accepted == []


def test_anybody_registers_by_default() -> None:
    assert register().status_code == 201
    assert accepted == []


@pytest.mark.parametrize("body", [CAROL, {}, {"nonsense": 1}])
def test_closed_registration_lets_nobody_in(settings: Any, body: Any) -> None:
    settings.REGISTRATION = "closed"

    assert_refused(post("register", body), CLOSED)
    assert_refused(post("register", body | {"invitationToken": "good"}), CLOSED)


@pytest.mark.parametrize("mode", ["invited", "open"])
def test_invitation_lets_one_in_and_is_accepted(settings: Any, mode: str) -> None:
    settings.REGISTRATION = mode
    response = register("good")

    assert response.status_code == 201
    assert is_welcome(response.json()["accessToken"])
    assert accepted == [("good", "carol@example.com")]


def test_without_an_invitation_nobody_registers(settings: Any) -> None:
    settings.REGISTRATION = "invited"

    assert_refused(register(), REQUIRED)


@pytest.mark.parametrize("mode", ["invited", "open"])
def test_invitation_that_is_not_good_is_refused(settings: Any, mode: str) -> None:
    settings.REGISTRATION = mode
    invitations["for bob"] = "bob@example.com"

    assert_refused(register("guessed"), INVALID)
    assert_refused(register("for bob"), INVALID)


@pytest.mark.parametrize("mode", ["invited", "open"])
def test_where_no_app_has_invitations_none_is_good(settings: Any, mode: str) -> None:
    settings.REGISTRATION = mode
    settings.REGISTRATION_INVITATIONS = None

    assert_refused(register("good"), INVALID)


@pytest.mark.parametrize("token", [None, "guessed"])
def test_stranger_does_not_learn_which_addresses_are_taken(
    settings: Any, alice: User, token: str | None
) -> None:
    settings.REGISTRATION = "invited"

    assert register(token, email=alice.email).status_code == 403


def test_taken_address_leaves_the_invitation(settings: Any, alice: User) -> None:
    settings.REGISTRATION = "invited"
    invitations["good"] = "ALICE@example.com"
    response = register("good", email="ALICE@example.com")

    assert response.status_code == 409
    assert accepted == []


@pytest.mark.django_db(transaction=True)
def test_acceptance_that_fails_leaves_no_account(settings: Any) -> None:
    settings.REGISTRATION_INVITATIONS = f"{__name__}.find_broken"

    with pytest.raises(RuntimeError, match="no room"):
        register("good")
    assert not User._base_manager.exists()
    assert not Session.objects.exists()


@pytest.mark.parametrize(("token", "code"), [("", "blank"), (7, "invalid")])
def test_token_must_be_text(token: Any, code: str) -> None:
    response = register(token)

    assert response.status_code == 400
    [detail] = response.json()["error"]["details"]
    assert (detail["field"], detail["code"]) == ("invitationToken", code)


def ids() -> set[str]:
    return {str(message.id) for message in run_checks()}


def test_check_finds_that_nobody_can_be_invited(settings: Any) -> None:
    settings.REGISTRATION = "invited"
    assert "taskapi.E003" not in ids()
    settings.REGISTRATION_INVITATIONS = None

    assert "taskapi.E003" in ids()


def test_check_finds_a_path_to_no_function(settings: Any) -> None:
    settings.REGISTRATION_INVITATIONS = "tasks.nowhere.find"

    assert "taskapi.E002" in ids()
