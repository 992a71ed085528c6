"""Somebody can always open the admin: the last active administrator stays one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Q
from django.test import Client

from accounts import personal_data
from accounts.errors import LastAdministrator
from accounts.models import Role, User
from accounts.models.users import IS_ADMINISTRATING
from tests.accounts.wire import error
from tests.factories import PASSWORD, api_of, make_user
from tests.locks import start_blocked
from tests.project.test_admin import USERS, act, submit

MESSAGE = "This is the last active administrator; make another account one first."
Change = Callable[[User], Any]


@pytest.fixture
def root(db: None) -> User:
    return make_user("root", role=Role.ADMIN)


def demote(user: User) -> None:
    user.role = Role.USER
    user.save()


def deactivate(user: User) -> None:
    user.is_active = False
    user.save(update_fields=["is_active", "updated_at"])


def delete(user: User) -> None:
    user.delete()


CHANGES = [demote, deactivate, delete, personal_data.erase]
each_change = pytest.mark.parametrize(
    "change", CHANGES, ids=[change.__name__ for change in CHANGES]
)


def is_administrator(user: User) -> bool:
    return User.objects.filter(pk=user.pk, role=Role.ADMIN, is_active=True).exists()


@each_change
@pytest.mark.parametrize("also", ["nobody", "a user", "inactive", "erased"])
def test_last_one_stays(root: User, change: Change, also: str) -> None:
    if also == "a user":
        make_user("bob")
    if also in {"inactive", "erased"}:
        make_user("ann", role=Role.ADMIN, is_active=also != "inactive")
    if also == "erased":
        personal_data.erase(User.objects.get(name="ann"))

    with pytest.raises(LastAdministrator):
        change(User.objects.get(pk=root.pk))
    assert is_administrator(root)


@each_change
def test_one_of_two_may_go(root: User, change: Change) -> None:
    other = make_user("ann", role=Role.ADMIN)
    change(other)

    assert not is_administrator(other)
    with pytest.raises(LastAdministrator):
        change(root)


@each_change
def test_others_may_go_where_nobody_administrates(db: None, change: Change) -> None:
    inactive = make_user("ann", role=Role.ADMIN, is_active=False)
    change(make_user("bob"))
    change(inactive)


@each_change
def test_old_copy_does_not_hide_who_is_one(root: User, change: Change) -> None:
    """The row decides, not what was read before it changed."""
    other = make_user("ann", role=Role.ADMIN)
    old = User.objects.get(pk=other.pk)
    demote(User.objects.get(pk=root.pk))

    with pytest.raises(LastAdministrator):
        change(old)
    assert is_administrator(other)


@each_change
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "rival", CHANGES, ids=[f"and {change.__name__}" for change in CHANGES]
)
def test_of_two_who_remove_each_other_at_once_one_stays(
    change: Change, rival: Change
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    ann, bob = (make_user(name, role=Role.ADMIN) for name in ("ann", "bob"))

    def strike_back() -> str:
        try:
            rival(ann)
        except LastAdministrator as refusal:
            return str(refusal.detail)
        return "done"

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change(bob)
            second = start_blocked(pool, strike_back)
        assert second.result(30) == MESSAGE
    assert is_administrator(ann)
    assert not is_administrator(bob)


# The ways that people have to do it


@pytest.fixture
def browser(root: User) -> Client:
    browser = Client()
    browser.force_login(root)
    return browser


def errors_shown(browser: Client) -> list[str]:
    page = browser.get(USERS)
    return [str(m) for m in page.context["messages"] if m.level_tag == "error"]


@pytest.mark.parametrize("changes", [{"role": "USER"}, {"is_active": None}], ids=str)
def test_form_says_why_nothing_changed(
    browser: Client, root: User, changes: dict[str, Any]
) -> None:
    submit(browser, f"{USERS}{root.pk}/change/", **changes, name="Renamed")

    assert errors_shown(browser) == [f"Nothing was changed. {MESSAGE}"]
    assert is_administrator(root)
    assert User.objects.get(pk=root.pk).name == "root"


def test_delete_page_says_why_nothing_changed(browser: Client, root: User) -> None:
    browser.post(f"{USERS}{root.pk}/delete/", {"post": "yes"})

    assert errors_shown(browser) == [f"Nothing was changed. {MESSAGE}"]
    assert is_administrator(root)
    assert not LogEntry.objects.exists()


def test_delete_action_deletes_all_that_were_chosen_or_none(
    browser: Client, root: User, alice: User
) -> None:
    act(browser, USERS, "delete_selected", alice, root, post="yes")

    assert errors_shown(browser) == [f"Nothing was changed. {MESSAGE}"]
    assert User.objects.count() == 2
    assert not LogEntry.objects.exists()


def test_deactivate_action_leaves_the_last_one(
    browser: Client, root: User, alice: User
) -> None:
    act(browser, USERS, "deactivate", alice, root)

    assert errors_shown(browser) == [f"root@example.com: {MESSAGE}"]
    assert is_administrator(root)
    assert not User.objects.get(pk=alice.pk).is_active


def test_api_does_not_erase_the_last_one(root: User) -> None:
    body = {"password": PASSWORD}
    response = api_of(root).post("/api/auth/me/erase", body, format="json")

    assert response.status_code == 409
    assert response.json() == error(response, "CONFLICT", MESSAGE)
    assert is_administrator(root)


def test_command_does_not_demote_the_last_one(root: User) -> None:
    with pytest.raises(CommandError, match="last active administrator"):
        call_command("set_role", root.email, "USER")
    assert is_administrator(root)


@pytest.mark.django_db
def test_administrators_are_found_by_an_index() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("a plan of PostgreSQL")
    rows = User.objects.filter(IS_ADMINISTRATING | Q(pk=uuid4()))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert "user_administrating" in rows.explain()
