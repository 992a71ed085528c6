"""Every way to make an account calls the functions of settings.ACCOUNT_CREATED."""

from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts.models import Role, Session, User
from tests.accounts.wire import post
from tests.factories import PASSWORD, make_user

HOOK = f"{__name__}.note"
FAILING = f"{__name__}.fail"
CAROL = {"name": "Carol", "email": "carol@example.com", "password": PASSWORD}

noted: list[tuple[str, bool]] = []

pytestmark = pytest.mark.django_db


def note(users: Sequence[User]) -> None:
    """Note users whose rows are there, and whether that could be rolled back."""
    for user in users:
        noted.append((User.objects.get(pk=user.pk).email, connection.in_atomic_block))


def fail(users: Sequence[User]) -> None:
    raise CommandError("no room")


@pytest.fixture(autouse=True)
def _hooked(settings: Any) -> Iterator[None]:
    settings.ACCOUNT_CREATED = [*settings.ACCOUNT_CREATED, HOOK]
    noted.clear()
    yield
    noted.clear()


def register() -> None:
    assert post("register", CAROL).status_code == 201


def create_user() -> None:
    User.objects.create_user(**CAROL)


def create_superuser() -> None:
    User.objects.create_superuser(**CAROL)


def save() -> None:
    User(email=CAROL["email"], name="Carol").save()


def command() -> None:
    call_command(
        "createsuperuser", email=CAROL["email"], name="Carol", interactive=False
    )


def admin_form() -> None:
    browser = Client()
    browser.force_login(make_user("root", role=Role.ADMIN))
    noted.clear()
    new = {"email": CAROL["email"], "name": "Carol", "usable_password": "true"}
    passwords = {"password1": PASSWORD, "password2": PASSWORD}
    sessions = {"sessions-TOTAL_FORMS": "0", "sessions-INITIAL_FORMS": "0"}
    page = browser.post("/admin/accounts/user/add/", new | passwords | sessions)
    assert page.status_code == 302


@pytest.mark.parametrize(
    "make",
    [register, create_user, create_superuser, save, command, admin_form],
    ids=lambda make: make.__name__,
)
def test_hook_is_called_once_in_the_transaction(make: Callable[[], None]) -> None:
    make()

    assert noted == [("carol@example.com", True)]


@pytest.mark.django_db(transaction=True)
def test_hook_is_called_for_each_seeded_user() -> None:
    call_command("seed", users=2, tasks=1, force=True, stdout=StringIO())

    emails = {"bench@example.com", "user1@example.com", "user2@example.com"}
    assert sorted(noted) == sorted((email, True) for email in emails)


def test_saving_a_user_again_calls_no_hook(alice: User) -> None:
    noted.clear()
    alice.name = "Alice A."
    alice.save()

    assert noted == []


@pytest.mark.django_db(transaction=True)
def test_hook_runs_in_a_transaction_of_the_account() -> None:
    create_user()

    assert noted == [("carol@example.com", True)]


@pytest.mark.django_db(transaction=True)
def test_failing_hook_leaves_no_account(settings: Any) -> None:
    settings.ACCOUNT_CREATED = [HOOK, FAILING]

    with pytest.raises(CommandError, match="no room"):
        create_user()
    with pytest.raises(CommandError, match="no room"):
        post("register", CAROL)
    assert len(noted) == 2
    assert not User._base_manager.exists()
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("tasks.nowhere.make", "No module named 'tasks.nowhere'"),
        ("accounts.models.nobody", 'does not define a "nobody"'),
        ("make", "doesn't look like a module path"),
        ("accounts.passwords.MAX_BYTES", "it is not callable"),
    ],
)
def test_hook_that_is_no_function_fails_the_check(
    settings: Any, path: str, reason: str
) -> None:
    assert not any(message.id == "taskapi.E002" for message in run_checks())
    settings.ACCOUNT_CREATED = [path]

    [error] = [message for message in run_checks() if message.id == "taskapi.E002"]
    assert path in error.msg
    assert reason in error.msg
