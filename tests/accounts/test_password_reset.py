from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.mail import EmailMessage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import passwords
from accounts.models import Session, User
from taskapi.outbox.models import OutboxMessage
from tests.accounts.clock import Clock
from tests.accounts.wire import (
    REFRESH_REFUSED,
    assert_gone,
    assert_unauthenticated,
    invalid,
    is_welcome,
    post,
    refresh,
    sign_in,
)
from tests.factories import PASSWORD, make_user

NEW = "battery staple 2"
REFUSED = "The reset token is invalid or spent."


def forgot(email: str = "alice@example.com") -> Any:
    return post("password/forgot", {"email": email})


def reset(token: str, new: str = NEW) -> Any:
    return post("password/reset", {"token": token, "newPassword": new})


def mailed_token(mail: list[Any]) -> str:
    forgot()
    [line] = [line for line in mail[-1].body.splitlines() if "token is:" in line]
    return str(line.rpartition(" ")[2])


def test_token_is_mailed(alice: User, mail: list[Any]) -> None:
    response = forgot("ALICE@example.com")

    assert response.status_code == 202
    [message] = mail
    token = message.body.partition("The token is: ")[2].partition("\n")[0]
    assert passwords.get_user_by_reset_token(token) == alice
    assert message.to == ["alice@example.com"]
    assert message.subject == "Reset your password"
    assert message.body == (
        "Somebody asked to reset the password of your account.\n\n"
        f"The token is: {token}\n\n"
        "It works once, within the next hour. "
        "If it was not you, ignore this message.\n"
    )


def test_link_is_mailed_where_there_is_a_page_for_it(
    alice: User, mail: list[Any], settings: Any
) -> None:
    settings.PASSWORD_RESET_URL = "https://app.example.com/reset?token="

    forgot()

    link = "open https://app.example.com/reset?token="
    token = mail[0].body.partition(link)[2].partition("\n")[0]
    assert reset(token).status_code == 204


@pytest.mark.parametrize("email", ["nobody@example.com", "ivy@example.com"])
def test_answer_does_not_tell_who_has_an_account(
    alice: User, mail: list[Any], email: str
) -> None:
    make_user("ivy", is_active=False)
    known = forgot()

    response = forgot(email)

    assert (response.status_code, response.content) == (202, b"")
    assert known.content == response.content
    assert [message.to for message in mail] == [["alice@example.com"]]


def test_mail_that_cannot_be_sent_is_no_secret_and_is_tried_again(
    alice: User, mail: list[Any], clock: Clock, monkeypatch: Any, caplog: Any
) -> None:
    def fail(*args: Any) -> None:
        raise OSError("no route to the mail server")

    with monkeypatch.context() as broken:
        broken.setattr(EmailMessage, "send", fail)
        assert forgot().status_code == 202
        assert len(mail) == 0
    assert "was not delivered; the next attempt is in 5 s." in caplog.text
    assert "no route to the mail server" in caplog.text
    clock.advance(seconds=5)

    token = mail[0].body.partition("The token is: ")[2].partition("\n")[0]
    assert reset(token).status_code == 204


def test_mail_that_is_an_hour_late_is_not_sent(
    alice: User, mail: list[Any], clock: Clock
) -> None:
    forgot()
    clock.advance(hours=1, seconds=1)

    assert len(mail) == 0
    assert OutboxMessage.objects.get().outcome == "dropped"


def test_hour_of_the_token_begins_with_the_request(
    alice: User, mail: list[Any], clock: Clock
) -> None:
    forgot()
    clock.advance(minutes=50)
    token = mail[0].body.partition("The token is: ")[2].partition("\n")[0]
    clock.advance(minutes=10, seconds=1)

    assert_unauthenticated(reset(token), REFUSED)


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_request_looks_for_no_account(alice: User, email: str) -> None:
    """So that its time does not tell whether there is one."""
    with CaptureQueriesContext(connection) as queries:
        forgot(email)

    assert not [q for q in queries if "accounts_user" in q["sql"]]
    [message] = OutboxMessage.objects.all()
    assert message.payload == {"email": email}
    assert django_mail.outbox == []


@pytest.mark.django_db
def test_address_must_be_one() -> None:
    response = forgot("alice")

    assert response.status_code == 400
    message = "Enter a valid email address."
    assert response.json() == invalid(response, "email", "invalid", message)


def test_token_sets_a_new_password(alice: User, mail: list[Any]) -> None:
    response = reset(mailed_token(mail))

    assert response.status_code == 204
    assert response.content == b""
    sign_in(alice, NEW)
    old = post("login", {"email": alice.email, "password": PASSWORD})
    assert_unauthenticated(old, "Invalid credentials")


def test_reset_ends_every_session(alice: User, mail: list[Any]) -> None:
    signed_in = sign_in(alice)

    reset(mailed_token(mail))

    assert not is_welcome(signed_in["accessToken"])
    assert_unauthenticated(refresh(signed_in["refreshToken"]), REFRESH_REFUSED)
    assert Session.objects.get().end_reason == "password_change"


def test_token_works_once(alice: User, mail: list[Any]) -> None:
    token = mailed_token(mail)
    reset(token)

    response = reset(token, "third horse 3")

    assert_unauthenticated(response, REFUSED)
    sign_in(alice, NEW)


def test_password_change_spends_the_token(alice: User, mail: list[Any]) -> None:
    token = mailed_token(mail)
    alice.set_password("first come 3")
    alice.save()

    assert_unauthenticated(reset(token), REFUSED)


def test_deactivation_spends_the_token(alice: User, mail: list[Any]) -> None:
    token = mailed_token(mail)
    User.objects.update(is_active=False)

    assert_unauthenticated(reset(token), REFUSED)


def test_token_lasts_an_hour(alice: User, mail: list[Any], clock: Clock) -> None:
    token = mailed_token(mail)
    clock.advance(hours=1)

    assert reset(token).status_code == 204


def test_token_does_not_last_longer(alice: User, mail: list[Any], clock: Clock) -> None:
    token = mailed_token(mail)
    clock.advance(hours=1, seconds=1)

    assert_unauthenticated(reset(token), REFUSED)


def test_token_of_another_user_is_refused(
    alice: User, bob: User, mail: list[Any]
) -> None:
    secret = mailed_token(mail).partition(".")[2]

    assert_unauthenticated(reset(f"{bob.pk.hex}.{secret}"), REFUSED)
    sign_in(bob, PASSWORD)


@pytest.mark.parametrize(
    "token",
    [
        "rubbish",
        ".",
        "00000000000040008000000000000000.abc-def",
        "{alice}",
        "{alice}.",
        "{alice}.abc",
        "{alice}.zzzzzzzzzzzzzzzzzzz-0",
        "{alice}.-",
        "{alice}.é-ü",
    ],
)
def test_false_token_is_refused(alice: User, token: str) -> None:
    response = reset(token.replace("{alice}", alice.pk.hex))

    assert_unauthenticated(response, REFUSED)
    sign_in(alice, PASSWORD)


def test_new_password_keeps_the_policy_and_the_token(
    alice: User, mail: list[Any]
) -> None:
    token = mailed_token(mail)

    response = reset(token, "alice@example")

    assert response.status_code == 400
    code, message = "password_too_similar", "The password is too similar to the email."
    assert response.json() == invalid(response, "newPassword", code, message)
    assert reset(token).status_code == 204


def interrupt(monkeypatch: pytest.MonkeyPatch, happening: Any) -> None:
    """Let something happen once the token has been found good."""
    check = passwords.get_user_by_reset_token

    def interrupted(token: str) -> User:
        user = check(token)
        happening()
        return user

    monkeypatch.setattr(passwords, "get_user_by_reset_token", interrupted)


def test_concurrent_reset_that_came_first_stays(
    alice: User, mail: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = mailed_token(mail)
    alice.set_password("first come 3")
    others = User.objects.filter(pk=alice.pk)
    interrupt(monkeypatch, lambda: others.update(password=alice.password))

    assert_unauthenticated(reset(token), REFUSED)
    sign_in(alice, "first come 3")


def test_erasure_meanwhile_is_no_server_error(
    alice: User, mail: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = mailed_token(mail)
    interrupt(monkeypatch, User.objects.filter(pk=alice.pk).delete)

    assert_gone(reset(token))
