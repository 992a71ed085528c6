import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import email_change
from accounts import passwords as password_resets
from accounts.errors import EmailTaken
from accounts.models import User
from taskapi.api import mail as background
from taskapi.api.rate_limit import RateLimit
from taskapi.outbox.models import OutboxMessage
from tests.accounts.clock import Clock
from tests.accounts.test_export import exported
from tests.accounts.wire import (
    assert_anonymous_refused,
    assert_unauthenticated,
    bearer,
    error,
    invalid,
    is_welcome,
    post,
    refresh,
    sign_in,
)
from tests.factories import PASSWORD, api_of, make_user
from tests.locks import start_blocked

NEW = "alice@new.example.com"
# As for every request with an access token that is answered 401.
SIGNED_IN = 'Bearer error="invalid_token"'
TAKEN = "This e-mail address is already registered."


def change(client: APIClient, email: str = NEW, password: str = PASSWORD) -> Any:
    body = {"password": password, "newEmail": email}
    return client.post("/api/auth/email", body, format="json")


def confirm(client: APIClient, token: str) -> Any:
    return client.post("/api/auth/email/confirm", {"token": token}, format="json")


def mailed_token(mail: list[Any]) -> str:
    found = [
        re.search(r"confirmation token is: (\S+)", message.body) for message in mail
    ]
    return [match[1] for match in found if match][-1]


def asked(client: APIClient, mail: list[Any], email: str = NEW) -> str:
    """Ask for the change; the token of the mail."""
    assert change(client, email).status_code == 202
    return mailed_token(mail)


def assert_refused(response: Any) -> None:
    message = "The token is invalid, spent or expired."
    assert_unauthenticated(response, message, SIGNED_IN)


def test_nothing_changes_before_it_is_confirmed(
    alice_api: APIClient, alice: User, mail: list[Any]
) -> None:
    response = change(alice_api)

    assert (response.status_code, response.content) == (202, b"")
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    sign_in(alice)


def test_new_address_gets_the_token_and_the_old_one_is_told(
    alice_api: APIClient, mail: list[Any]
) -> None:
    token = asked(alice_api, mail)

    notice, message = mail
    assert (notice.to, message.to) == (["alice@example.com"], [NEW])
    assert NEW in notice.body
    assert token not in notice.body
    assert "alice@example.com" not in message.body


def test_link_is_mailed_where_there_is_a_page_for_it(
    alice_api: APIClient, mail: list[Any], settings: Any
) -> None:
    settings.EMAIL_CHANGE_URL = "https://app.example.com/email?token="
    change(alice_api)

    link = "open https://app.example.com/email?token="
    token = mail[-1].body.partition(link)[2].partition("\n")[0]
    assert confirm(alice_api, token).status_code == 200


def test_token_changes_the_address(
    alice_api: APIClient, alice: User, mail: list[Any]
) -> None:
    token = asked(alice_api, mail, "Alice@New.example.com")
    response = confirm(alice_api, token)

    assert response.status_code == 200
    assert response.json() == alice_api.get("/api/auth/me").json()
    assert response.json()["email"] == "Alice@New.example.com"
    assert post("login", {"email": NEW, "password": PASSWORD}).status_code == 200
    old = post("login", {"email": "alice@example.com", "password": PASSWORD})
    assert_unauthenticated(old, "Invalid credentials")
    assert mail[-1].to == ["alice@example.com"]
    assert "is now Alice@New.example.com" in mail[-1].body


def test_sessions_stay(alice: User, mail: list[Any]) -> None:
    signed_in, other = sign_in(alice), sign_in(alice)
    client = bearer(signed_in["accessToken"])
    assert confirm(client, asked(client, mail)).status_code == 200

    assert is_welcome(signed_in["accessToken"])
    assert is_welcome(other["accessToken"])
    assert refresh(other["refreshToken"]).status_code == 200


def test_old_address_is_free_again(
    alice_api: APIClient, alice: User, mail: list[Any]
) -> None:
    confirm(alice_api, asked(alice_api, mail))
    body = {"name": "Al", "email": "alice@example.com", "password": PASSWORD}

    assert post("register", body).status_code == 201


def test_reset_token_of_the_old_address_is_spent(
    alice_api: APIClient, alice: User, mail: list[Any]
) -> None:
    reset = password_resets.make_reset_token(alice)
    confirm(alice_api, asked(alice_api, mail))

    body = {"token": reset, "newPassword": "another horse 2"}
    assert post("password/reset", body).status_code == 401


def test_only_a_hash_of_the_token_is_stored(
    alice_api: APIClient, alice: User, mail: list[Any]
) -> None:
    token = asked(alice_api, mail)

    [row] = User.objects.filter(pk=alice.pk).values()
    assert token not in f"{row}{OutboxMessage.objects.values()}"
    assert len(row["email_token_hash"]) == 64
    assert len(token) >= 43


def test_token_works_once(alice_api: APIClient, mail: list[Any]) -> None:
    token = asked(alice_api, mail)
    assert confirm(alice_api, token).status_code == 200

    assert_refused(confirm(alice_api, token))


def test_token_lasts_an_hour(alice: User, mail: list[Any], clock: Clock) -> None:
    token = asked(api_of(alice), mail)
    clock.advance(hours=1)
    assert confirm(api_of(alice), token).status_code == 200

    token = asked(api_of(alice), mail, "third@example.com")
    clock.advance(hours=1, seconds=1)
    assert_refused(confirm(api_of(alice), token))


def test_later_request_takes_the_place_of_the_earlier(
    alice_api: APIClient, mail: list[Any]
) -> None:
    first = asked(alice_api, mail)
    second = asked(alice_api, mail, "third@example.com")

    assert_refused(confirm(alice_api, first))
    assert confirm(alice_api, second).json()["email"] == "third@example.com"


def test_stranger_who_got_the_mail_cannot_use_it(
    alice_api: APIClient, bob_api: APIClient, mail: list[Any]
) -> None:
    """A mistyped address is a stranger's, who could then reset the password."""
    token = asked(alice_api, mail)

    assert_refused(confirm(bob_api, token))
    assert_anonymous_refused(post("email/confirm", {"token": token}))
    assert confirm(alice_api, token).status_code == 200


@pytest.mark.parametrize("token", ["rubbish", "é-ü", "." * 255])
def test_false_token_is_refused(
    alice_api: APIClient, mail: list[Any], token: str
) -> None:
    assert_refused(confirm(alice_api, token))
    change(alice_api)
    assert_refused(confirm(alice_api, token))


def test_wrong_password_asks_for_nothing(
    alice_api: APIClient, alice: User, mail: list[Any]
) -> None:
    response = change(alice_api, password="wrong horse 9")

    assert_unauthenticated(response, "Invalid credentials", SIGNED_IN)
    assert mail == []
    alice.refresh_from_db()
    assert alice.pending_email is None


@pytest.mark.parametrize(
    ("email", "code", "message"),
    [
        ("alice", "invalid", "Enter a valid email address."),
        ("", "blank", "This field may not be blank."),
    ],
)
def test_address_must_be_one(
    alice_api: APIClient, email: str, code: str, message: str
) -> None:
    response = change(alice_api, email)

    assert response.status_code == 400
    assert response.json() == invalid(response, "newEmail", code, message)


def test_answer_does_not_tell_that_the_address_is_taken(
    alice_api: APIClient, bob: User, mail: list[Any]
) -> None:
    response = change(alice_api, "BOB@example.com")

    assert (response.status_code, response.content) == (202, b"")
    assert "already belongs to an account" in mail[-1].body
    assert mail[-1].to == ["BOB@example.com"]
    assert "token" not in mail[-1].body


def test_other_case_of_the_own_address_is_no_conflict(
    alice_api: APIClient, mail: list[Any]
) -> None:
    token = asked(alice_api, mail, "Alice@example.com")

    assert confirm(alice_api, token).json()["email"] == "Alice@example.com"


def test_address_that_was_taken_meanwhile_is_409(
    alice_api: APIClient, alice: User, mail: list[Any]
) -> None:
    token = asked(alice_api, mail)
    rival = make_user("rival", email=NEW.upper())
    response = confirm(alice_api, token)

    assert response.status_code == 409
    assert response.json() == error(response, "CONFLICT", TAKEN)
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    # The conflict spent nothing.
    rival.delete()
    assert confirm(alice_api, token).status_code == 200


def end_all(client: APIClient, alice: User) -> None:
    client.post("/api/auth/logout-all")


def change_password(client: APIClient, alice: User) -> None:
    body = {"currentPassword": PASSWORD, "newPassword": "another horse 2"}
    assert client.post("/api/auth/password", body, format="json").status_code == 204


def deactivate(client: APIClient, alice: User) -> None:
    alice.is_active = False
    alice.save()
    alice.is_active = True
    alice.save()


@pytest.mark.parametrize("happen", [end_all, change_password, deactivate])
def test_what_ends_the_sessions_cancels_the_change(
    alice: User, mail: list[Any], happen: Any
) -> None:
    client = api_of(alice)
    token = asked(client, mail)
    happen(client, User.objects.get())

    assert_refused(confirm(api_of(User.objects.get()), token))
    assert User.objects.get().pending_email is None


@pytest.mark.parametrize("happen", [end_all, change_password, deactivate])
def test_change_that_is_cancelled_before_its_mail_is_not_mailed(
    alice: User, mail: list[Any], happen: Any
) -> None:
    client = api_of(alice)
    change(client)
    happen(client, User.objects.get())

    assert [message.to for message in mail] == [["alice@example.com"]]


def test_change_that_is_replaced_before_its_mail_is_not_mailed(
    alice_api: APIClient, mail: list[Any]
) -> None:
    change(alice_api)
    change(alice_api, "third@example.com")

    tokens = [message for message in mail if "token is:" in message.body]
    assert [message.to for message in tokens] == [["third@example.com"]]
    assert confirm(alice_api, mailed_token(mail)).status_code == 200


def test_mails_commit_with_the_change(
    alice_api: APIClient, mail: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **payload: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(background, "send_as", fail)
    alice_api.raise_request_exception = False

    assert change(alice_api).status_code == 500
    assert len(mail) == 0
    assert User.objects.get().pending_email is None


def test_logout_of_one_session_cancels_nothing(alice: User, mail: list[Any]) -> None:
    token = asked(api_of(alice), mail)
    post("logout", {"refreshToken": sign_in(alice)["refreshToken"]})

    assert confirm(api_of(alice), token).status_code == 200


def test_erasure_forgets_the_pending_address(alice: User, mail: list[Any]) -> None:
    client = api_of(alice)
    change(client)
    client.post("/api/auth/me/erase", {"password": PASSWORD}, format="json")

    [row] = User.objects.erased().values()
    assert (row["pending_email"], row["email_token_hash"]) == (None, None)


def test_pending_address_is_exported(alice_api: APIClient, mail: list[Any]) -> None:
    change(alice_api)

    assert exported(alice_api)["user"][0]["pendingEmail"] == NEW


def test_mailbox_is_not_filled(
    alice_api: APIClient, mail: list[Any], settings: Any
) -> None:
    login = {"login": RateLimit(2, 900)}
    settings.RATE_LIMITS = settings.RATE_LIMITS | login
    for _ in range(2):
        asked(alice_api, mail)
    # Other accounts ask for mail to the same address.
    response = change(api_of(make_user("carol")))

    assert response.status_code == 202
    assert sum(message.to == [NEW] for message in mail) == 2


def test_password_that_changed_meanwhile_proves_nothing(
    alice: User, mail: list[Any]
) -> None:
    stale = User.objects.get(pk=alice.pk)
    alice.set_password("another horse 2")
    alice.save()

    with pytest.raises(email_change.InvalidCredentials):
        email_change.request(stale, NEW, now=timezone.now())


# At once, on PostgreSQL


@pytest.fixture
def two(transactional_db: None) -> tuple[User, User]:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    return make_user("carol"), make_user("dora")


def pending(user: User, email: str) -> str:
    token = email_change.request(user, email, now=timezone.now())
    assert token
    return token


def outcome(user: User, token: str) -> str:
    try:
        return email_change.confirm(user.pk, token, now=timezone.now()).email
    except (EmailTaken, email_change.InvalidToken) as refusal:
        return type(refusal).__name__


def test_one_token_confirmed_twice_at_once_works_once(two: tuple[User, User]) -> None:
    carol, _ = two
    token = pending(carol, NEW)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert outcome(carol, token) == NEW
            second = start_blocked(pool, lambda: outcome(carol, token))
        assert second.result(30) == "InvalidToken"


def test_one_address_confirmed_by_two_at_once_is_given_to_one(
    two: tuple[User, User],
) -> None:
    carol, dora = two
    first, second = pending(carol, NEW), pending(dora, NEW.upper())

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert outcome(carol, first) == NEW
            rival = start_blocked(pool, lambda: outcome(dora, second))
        assert rival.result(30) == "EmailTaken"
    assert User.objects.get(pk=dora.pk).email == "dora@example.com"


def test_confirmation_during_a_later_request_is_refused(
    two: tuple[User, User],
) -> None:
    carol, _ = two
    token = pending(carol, NEW)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            later = pending(carol, "third@example.com")
            earlier = start_blocked(pool, lambda: outcome(carol, token))
        assert earlier.result(30) == "InvalidToken"
    assert outcome(carol, later) == "third@example.com"
