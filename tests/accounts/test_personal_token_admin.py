"""Personal tokens in the admin and in the commands of an operator."""

import io
import json
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import audit
from accounts.models import PersonalToken, User
from tests.accounts.wire import is_welcome
from tests.factories import make_token, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(db: None) -> Client:
    client = Client()
    client.force_login(make_user("root", role="ADMIN"))
    return client


ADMIN = "/admin/accounts/personaltoken/"


def test_admin_lists_and_searches(browser: Client, alice: User, bob: User) -> None:
    token, _ = make_token(alice, name="Nightly report")
    make_token(bob, name="Mirror")

    assert "Mirror" in browser.get(ADMIN).content.decode()
    for words in (alice.email, str(token.pk)):
        page = browser.get(ADMIN, {"q": words}).content.decode()
        assert "Nightly report" in page
        assert "Mirror" not in page
    page = browser.get(f"{ADMIN}{token.pk}/change/").content.decode()
    assert "Nightly report" in page
    assert token.token_hash not in page


def test_admin_revokes(browser: Client, alice: User) -> None:
    token, raw = make_token(alice)
    _, other = make_token(alice)
    chosen = {"action": "revoke_chosen", "_selected_action": [str(token.pk)]}

    with patch.object(audit, "logger") as logger:
        page = browser.post(ADMIN, chosen, follow=True).content.decode()

    assert "Revoked 1 token(s)." in page
    assert (is_welcome(raw), is_welcome(other)) == (False, True)
    [call] = logger.info.call_args_list
    assert call.kwargs["extra"]["event"] == "token_revoked"


def test_admin_neither_makes_nor_changes_them(browser: Client, alice: User) -> None:
    token, _ = make_token(alice)

    assert browser.get(f"{ADMIN}add/").status_code == 403
    assert browser.post(f"{ADMIN}{token.pk}/change/", {"name": "x"}).status_code == 403
    assert browser.post(f"{ADMIN}{token.pk}/delete/").status_code == 403


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def test_command_lists_them(alice: User, bob: User) -> None:
    token, _ = make_token(alice, ["tasks:read"], name="CI \x1b[2J")
    make_token(bob, name="Mirror", projects=[bob.projects.get().pk])

    text = run("list_tokens")

    assert f"{token.pk} alice@example.com used never, ends never: tasks:read" in text
    assert "CI \\u001b[2J" in text
    assert "in 1 project(s) Mirror" in text
    [found] = json.loads(run("list_tokens", alice.email, "--json"))
    assert found == {
        "id": str(token.pk),
        "email": alice.email,
        "name": "CI \x1b[2J",
        "scopes": ["tasks:read"],
        "projectIds": None,
        "createdAt": found["createdAt"],
        "lastUsedAt": None,
        "expiresAt": None,
    }
    assert json.loads(run("list_tokens", make_user("carol").email, "--json")) == []


def test_command_revokes_one(alice: User) -> None:
    token, raw = make_token(alice)
    _, other = make_token(alice)

    assert run("revoke_token", str(token.pk)) == (
        "alice@example.com: revoked a token.\n"
    )

    assert (is_welcome(raw), is_welcome(other)) == (False, True)
    with pytest.raises(CommandError, match="There is no personal token"):
        run("revoke_token", str(token.pk))
    assert PersonalToken.objects.count() == 1
