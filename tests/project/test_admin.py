"""The admin, through its pages."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import personal_data
from accounts.admin import UserAdmin, holdings
from accounts.auth import sessions
from accounts.auth.jwt import AccessToken, RefreshToken
from accounts.models import AdminSignIn, RevocationReason, Role, Session, User
from taskapi.api.rate_limit import RateLimit
from tasks.admin import TaskAdmin
from tasks.models import Priority, Status, Task, TaskChange
from tasks.operations import ActorContext, Delete, perform_one
from tests.factories import PASSWORD, make_session, make_task, make_token, make_user
from tests.project.admin_pages import act, form, submit
from tests.tasks.wire import trash

USERS = "/admin/accounts/user/"
SESSIONS = "/admin/accounts/session/"
TASKS = "/admin/tasks/task/"
LOGIN = "/admin/login/?next=/admin/"
WRONG = "Please enter the correct email and password"
LIMITED = "Too many attempts; try again later."

pytestmark = pytest.mark.django_db


class Held:
    """Both tokens of one session."""

    def __init__(self, user: User) -> None:
        session = make_session(user)
        self.access = AccessToken.for_session(session)
        self.refresh = RefreshToken.for_session(session)

    def statuses(self) -> tuple[int, int]:
        client = APIClient()
        body = {"refreshToken": self.refresh}
        bearer = f"Bearer {self.access}"
        me = client.get("/api/auth/me", HTTP_AUTHORIZATION=bearer)
        renewed = client.post("/api/auth/refresh", body, format="json")
        return me.status_code, renewed.status_code


@pytest.fixture
def held(alice: User) -> Held:
    return Held(alice)


# Signing in


def sign_in(email: str, password: str, **extra: Any) -> Any:
    return Client().post(LOGIN, {"username": email, "password": password}, **extra)


@pytest.mark.parametrize("email", ["root@example.com", "ROOT@Example.com"])
def test_administrator_signs_in_by_email(root: User, email: str) -> None:
    response = sign_in(email, PASSWORD)

    assert (response.status_code, response["Location"]) == (302, "/admin/")


@pytest.mark.parametrize("password", ["wrong password", PASSWORD.upper()])
def test_wrong_password_is_refused(root: User, password: str) -> None:
    response = sign_in(root.email, password)

    assert response.status_code == 200
    assert WRONG in response.content.decode()


def test_user_cannot_sign_in(alice: User) -> None:
    response = sign_in(alice.email, PASSWORD)

    assert response.status_code == 200
    assert WRONG in response.content.decode()


def test_inactive_administrator_cannot_sign_in(root: User) -> None:
    User.objects.update(is_active=False)

    assert sign_in(root.email, PASSWORD).status_code == 200


@pytest.mark.parametrize("url", ["/admin/", USERS, TASKS, SESSIONS])
def test_user_cannot_enter(alice: User, url: str) -> None:
    browser = Client()
    browser.force_login(alice)
    response = browser.get(url)

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


@pytest.mark.parametrize(
    "key", ["a" * 32, "a" * 31 + "\0", "\0", "\xff" * 32, "a" * 4000]
)
def test_made_up_cookie_signs_nobody_in(key: str) -> None:
    browser = Client()
    browser.cookies["sessionid"] = key

    assert browser.get("/admin/").status_code == 302


def test_access_token_does_not_open_the_admin(root: User) -> None:
    token = AccessToken.for_session(make_session(root))
    response = Client().get("/admin/", HTTP_AUTHORIZATION=f"Bearer {token}")

    assert response.status_code == 302


def test_administrator_who_becomes_a_user_is_out_at_once(
    browser: Client, root: User
) -> None:
    assert browser.get(USERS).status_code == 200
    make_user("other", role=Role.ADMIN)  # the last one would have to stay
    root.role = Role.USER
    root.save()

    assert browser.get(USERS).status_code == 302


@pytest.fixture
def ten(settings: LazySettings) -> None:
    """The limits that are on in production."""
    limits = {"auth": RateLimit(10, 900), "login": RateLimit(10, 900)}
    settings.RATE_LIMITS = settings.RATE_LIMITS | limits


@pytest.mark.usefixtures("ten")
def test_account_is_limited_whatever_the_address(root: User) -> None:
    for n in range(10):
        response = sign_in(root.email, "wrong password", REMOTE_ADDR=f"192.0.2.{n}")
        assert LIMITED not in response.content.decode()
    response = sign_in(root.email, PASSWORD, REMOTE_ADDR="192.0.2.99")

    assert response.status_code == 200
    assert LIMITED in response.content.decode()


HOME = {"REMOTE_ADDR": "203.0.113.7"}


def guess(email: str, number: int) -> None:
    """Wrong passwords, each from an address of its own."""
    for n in range(number):
        sign_in(email, "wrong password", REMOTE_ADDR=f"192.0.2.{n}")


@pytest.mark.usefixtures("ten")
def test_strangers_cannot_lock_an_administrator_out(root: User, api: APIClient) -> None:
    sign_in(root.email, PASSWORD, **HOME)
    guess(root.email, 100)
    body = {"email": root.email, "password": PASSWORD}

    assert sign_in(root.email, PASSWORD, **HOME).status_code == 302
    assert api.post("/api/auth/login", body, format="json", **HOME).status_code == 200
    response = sign_in(root.email, PASSWORD, REMOTE_ADDR="198.51.100.1")
    assert LIMITED in response.content.decode()


@pytest.mark.usefixtures("ten")
def test_failed_sign_in_makes_no_address_known(root: User) -> None:
    sign_in(root.email, "wrong password", **HOME)
    guess(root.email, 10)

    response = sign_in(root.email, PASSWORD, **HOME)

    assert LIMITED in response.content.decode()
    assert not AdminSignIn.objects.exists()


@pytest.mark.usefixtures("ten")
def test_address_is_known_as_long_as_a_session_lasts(root: User) -> None:
    sign_in(root.email, PASSWORD, **HOME)
    for age, limited in [(29, False), (31, True)]:
        then = timezone.now() - timedelta(days=age)
        AdminSignIn.objects.update(signed_in_at=then)
        guess(root.email, 10)
        response = sign_in(root.email, PASSWORD, **HOME)
        assert (LIMITED in response.content.decode()) is limited
    call_command("housekeeping", stdout=StringIO())

    assert not AdminSignIn.objects.exists()


def test_sign_ins_from_one_address_are_one_row(root: User) -> None:
    for _ in range(2):
        sign_in(root.email, PASSWORD, **HOME)
    sign_in(root.email, PASSWORD, REMOTE_ADDR="")

    assert AdminSignIn.objects.get().address == HOME["REMOTE_ADDR"]


def test_sign_ins_are_exported_and_erased_with_the_account(root: User) -> None:
    sign_in(root.email, PASSWORD, **HOME)
    exported = json.loads("".join(personal_data.stream(root)))
    assert [each["ip"] for each in exported["adminSignIns"]] == [HOME["REMOTE_ADDR"]]

    make_user("other", role=Role.ADMIN)  # the last one would have to stay
    personal_data.erase(root)
    call_command("housekeeping", stdout=StringIO())

    assert not AdminSignIn.objects.exists()


@pytest.mark.usefixtures("ten")
def test_address_is_limited_whatever_the_account(root: User) -> None:
    for n in range(10):
        sign_in(f"nobody{n}@example.com", "wrong password")
    response = sign_in(root.email, PASSWORD)

    assert LIMITED in response.content.decode()
    assert sign_in(root.email, PASSWORD, REMOTE_ADDR="192.0.2.1").status_code == 302


@pytest.mark.usefixtures("ten")
def test_admin_and_api_count_together(root: User, api: APIClient) -> None:
    for n in range(10):
        sign_in(root.email, "wrong password", REMOTE_ADDR=f"192.0.2.{n}")
    body = {"email": root.email, "password": PASSWORD}
    response = api.post("/api/auth/login", body, format="json")

    assert response.status_code == 429


Records = Callable[[], list[tuple[Any, ...]]]


@pytest.fixture
def audited(caplog: pytest.LogCaptureFixture) -> Records:
    """Event and user of each audit line."""
    caplog.set_level("INFO", "accounts.audit")
    return lambda: [
        (record.event, record.userId)
        for record in caplog.records
        if record.name == "accounts.audit"
    ]


def test_sign_in_is_audited(root: User, audited: Records) -> None:
    sign_in(root.email, PASSWORD)

    assert audited() == [("login_ok", root.pk)]


def test_failed_sign_in_is_audited(root: User, audited: Records) -> None:
    sign_in(root.email, "wrong password")

    assert audited() == [("login_failed", None)]


def text_of(browser: Client, url: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", browser.get(url).content.decode()).split())


def test_whole_list_has_no_link_to_itself(browser: Client, alice: User) -> None:
    assert "2 users" in text_of(browser, USERS)
    assert "Show all" not in text_of(browser, USERS)
    assert "1 result ( Show all )" in text_of(browser, f"{USERS}?q=alice")
    assert "1 result ( Show all )" in text_of(browser, f"{USERS}?role__exact=ADMIN")


def test_filters_say_what_they_find(browser: Client) -> None:
    assert "By trash All Not in the trash In the trash" in text_of(browser, TASKS)
    assert "By end All Not ended" in text_of(browser, SESSIONS)


@pytest.mark.parametrize("url", [USERS, TASKS])
def test_form_to_add_shows_nothing_that_is_not_there_yet(
    browser: Client, url: str
) -> None:
    response = browser.get(f"{url}add/")

    assert response.context["inline_admin_formsets"] == []
    assert 'class="readonly"' not in response.content.decode()


def test_no_form_speaks_of_other_ways_to_sign_in(browser: Client, root: User) -> None:
    forms = [f"{USERS}add/", f"{USERS}{root.pk}/password/"]
    texts = [text_of(browser, form) for form in forms]

    assert "Password" in texts[0]
    assert "authentication" not in texts[0]
    assert "An account without a password cannot be signed in to" in texts[1]
    assert not any("LDAP" in text for text in texts)


# Users


@pytest.mark.parametrize(
    "url",
    [
        "/admin/",
        USERS,
        f"{USERS}?q=alice",
        f"{USERS}?role__exact=ADMIN&is_active__exact=1",
        f"{USERS}add/",
        f"{USERS}{{user}}/change/",
        f"{USERS}{{user}}/password/",
        f"{USERS}{{user}}/delete/",
        f"{USERS}{{user}}/history/",
        SESSIONS,
        f"{SESSIONS}?q=alice",
        f"{SESSIONS}?end_reason__exact=logout",
        f"{SESSIONS}{{session}}/change/",
        TASKS,
        f"{TASKS}?q=plants",
        f"{TASKS}?status__exact=TODO&priority__exact=2&trash=no",
        f"{TASKS}add/",
        f"{TASKS}{{task}}/change/",
        f"{TASKS}{{task}}/delete/",
        f"{TASKS}{{task}}/history/",
        "/admin/password_change/",
    ],
)
def test_page_opens(browser: Client, alice: User, task: Task, url: str) -> None:
    session = make_session(alice)
    url = url.format(user=alice.pk, session=session.pk, task=task.pk)

    assert browser.get(url).status_code == 200


def rows(page: Any) -> list[Any]:
    return list(page.context["cl"].result_list)


def test_users_are_searched(browser: Client, alice: User, bob: User) -> None:
    assert rows(browser.get(f"{USERS}?q=BOB@")) == [bob]


def test_users_are_filtered(browser: Client, alice: User, root: User) -> None:
    assert rows(browser.get(f"{USERS}?role__exact=ADMIN")) == [root]


def test_user_is_added(browser: Client) -> None:
    new = {"email": "carol@example.com", "name": "Carol"}
    passwords = {"password1": PASSWORD, "password2": PASSWORD}
    submit(browser, f"{USERS}add/", **new, **passwords)

    carol = User.objects.get(email="carol@example.com")
    assert (carol.name, carol.role, carol.is_active) == ("Carol", Role.USER, True)
    assert carol.check_password(PASSWORD)


def test_user_with_a_taken_email_is_not_added(browser: Client, alice: User) -> None:
    new = {"email": "ALICE@example.com", "name": "Al"}
    passwords = {"password1": PASSWORD, "password2": PASSWORD}
    response = browser.post(f"{USERS}add/", new | passwords)

    assert response.status_code == 200
    assert response.context["errors"]
    assert User.objects.filter(email__iexact=alice.email).count() == 1


def test_user_with_a_weak_password_is_not_added(browser: Client) -> None:
    new = {"email": "carol@example.com", "name": "Carol"}
    passwords = {"password1": "12345678", "password2": "12345678"}
    response = browser.post(f"{USERS}add/", new | passwords)

    assert response.status_code == 200
    assert not User.objects.filter(email="carol@example.com").exists()


def test_renaming_keeps_the_sessions(browser: Client, alice: User, held: Held) -> None:
    submit(browser, f"{USERS}{alice.pk}/change/", name="Alice Liddell")

    alice.refresh_from_db()
    assert alice.name == "Alice Liddell"
    assert held.statuses() == (200, 200)


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"role": "ADMIN"}, ("ADMIN", True)),
        ({"is_active": None}, ("USER", False)),
    ],
)
def test_new_standing_ends_the_sessions(
    browser: Client,
    alice: User,
    held: Held,
    changes: dict[str, Any],
    after: tuple[str, bool],
) -> None:
    submit(browser, f"{USERS}{alice.pk}/change/", **changes)

    alice.refresh_from_db()
    assert (alice.role, alice.is_active) == after
    assert held.statuses() == (401, 401)


def new_password(browser: Client, user: User, usable: str = "true") -> Any:
    password = {"password1": "another horse 2", "password2": "another horse 2"}
    button = "set-password" if usable == "true" else "unset-password"
    body = password | {"usable_password": usable, button: "TaskChange"}
    response = browser.post(f"{USERS}{user.pk}/password/", body)
    assert response.status_code == 302
    user.refresh_from_db()


def test_new_password_ends_the_sessions(
    browser: Client, alice: User, held: Held
) -> None:
    new_password(browser, alice)

    assert alice.check_password("another horse 2")
    assert held.statuses() == (401, 401)


def test_switching_the_password_off_ends_the_sessions(
    browser: Client, alice: User, held: Held
) -> None:
    new_password(browser, alice, usable="false")

    assert not alice.has_usable_password()
    assert held.statuses() == (401, 401)


def during_the_save(
    monkeypatch: pytest.MonkeyPatch, admin: type[Any], change: Callable[[], Any]
) -> None:
    """Make `change` happen after the admin has read the row, before it writes."""
    saved = admin.save_model

    def save_model(*args: Any) -> None:
        change()
        saved(*args)

    monkeypatch.setattr(admin, "save_model", save_model)


def test_saving_a_user_does_not_take_back_what_moved_meanwhile(
    browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = {"revision": 7, "name": "Moved", "password": "hash"}
    change = User.objects.filter(pk=alice.pk).update
    during_the_save(monkeypatch, UserAdmin, lambda: change(**moved))
    submit(browser, f"{USERS}{alice.pk}/change/", role="ADMIN")

    alice.refresh_from_db()
    assert alice.role == Role.ADMIN
    assert {name: getattr(alice, name) for name in moved} == moved


def test_new_password_does_not_take_back_the_revision(
    browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = User.objects.get_for_update

    def advance_and_lock(pk: Any) -> User:
        User.objects.increment_revision(pk)
        return lock(pk)

    before = alice.revision
    monkeypatch.setattr(User.objects, "get_for_update", advance_and_lock)
    new_password(browser, alice)

    assert alice.revision > before


def test_change_is_audited(
    browser: Client, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "accounts.audit")
    submit(browser, f"{USERS}{alice.pk}/change/", role="ADMIN")

    [record] = [r for r in caplog.records if r.name == "accounts.audit"]
    assert (record.event, record.userId, record.fields) == (
        "user_change",
        alice.pk,
        ["role"],
    )


def test_sessions_are_ended_by_action(
    browser: Client, alice: User, held: Held, audited: Records
) -> None:
    act(browser, USERS, "end_sessions", alice)

    assert held.statuses() == (401, 401)
    assert audited()[0] == ("sessions_revoked", alice.pk)


def test_users_are_deactivated_by_action(
    browser: Client, alice: User, held: Held, audited: Records
) -> None:
    act(browser, USERS, "deactivate", alice)

    alice.refresh_from_db()
    assert not alice.is_active
    assert held.statuses() == (401, 401)
    assert audited()[0] == ("deactivate", alice.pk)


@pytest.mark.parametrize("way", ["button", "action"])
def test_deleting_a_user_removes_everything(
    browser: Client, root: User, alice: User, task: Task, held: Held, way: str
) -> None:
    if way == "button":
        browser.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})
    else:
        act(browser, USERS, "delete_selected", alice, post="yes")

    assert list(User.objects.all()) == [root]
    call_command("housekeeping", stdout=StringIO())
    assert not Task.objects.exists()
    assert not TaskChange.objects.exists()
    assert not Session.objects.exists()
    assert held.statuses() == (401, 401)


def summary(page: Any) -> dict[str, str]:
    return {name: str(count) for name, count in page.context["model_count"]}


NOTHING = dict.fromkeys(
    [
        *("projects", "projects shared with others", "labels"),
        *("memberships in projects of others", "comments on these tasks"),
    ],
    "0",
)


@pytest.mark.parametrize("way", ["button", "action"])
def test_confirmation_says_what_goes(
    browser: Client, alice: User, bob: User, task: Task, way: str
) -> None:
    for user in (alice, bob):
        make_session(user)
        make_task(user)
    trash(make_task(bob))
    if way == "button":
        page = browser.get(f"{USERS}{alice.pk}/delete/")
        expected = {"users": "1", "sessions": "1", "personal tokens": "0", "tasks": "2"}
    else:
        page = act(browser, USERS, "delete_selected", alice, bob)
        expected = {"users": "2", "sessions": "2", "personal tokens": "0", "tasks": "3"}

    assert summary(page) == NOTHING | expected | {
        "tasks in the trash": "0" if way == "button" else "1"
    }
    assert f"Tasks: {expected['tasks']}" in page.content.decode()


def test_confirmation_does_not_load_what_the_user_owns(
    browser: Client, alice: User, task: Task, django_assert_max_num_queries: Any
) -> None:
    make_session(alice)
    with django_assert_max_num_queries(17) as queries:
        page = browser.get(f"{USERS}{alice.pk}/delete/")

    assert "alice@example.com" in page.content.decode()
    asked = [q["sql"] for q in queries if "tasks_task" in q["sql"]]
    assert asked
    for sql in asked:
        assert sql.startswith("SELECT COUNT(*)")
        assert "LIMIT 10001" in sql


def test_deletion_is_the_last_action(browser: Client) -> None:
    page = browser.get(USERS)
    offered = [name for name, _ in page.context["action_form"].fields["action"].choices]

    assert offered == ["", "end_sessions", "deactivate", "delete_selected"]


def test_user_links_to_what_it_owns(browser: Client, alice: User, bob: User) -> None:
    mine, other = make_task(alice), make_task(bob)
    gone = trash(make_task(alice))
    sessions_ = [make_session(alice), make_session(alice)]
    make_session(bob)
    token, _ = make_token(alice, session=sessions_[0])
    make_token(bob)
    page = browser.get(f"{USERS}{alice.pk}/change/").content.decode()

    found = re.findall(r'<a href="([^"]+)">([\w ]+): ([\d,]+)</a>', page)
    assert [found_[1:] for found_ in found] == [
        *(("Sessions", "2"), ("Personal tokens", "1"), ("Projects", "0")),
        *(("Memberships in projects of others", "0"), ("Labels", "0")),
        *(("Tasks", "1"), ("Tasks in the trash", "1"), ("Comments written", "0")),
    ]
    shown = [set(rows(browser.get(unescape(url)))) for url, _, _ in found]
    assert shown == [set(sessions_), {token}, *[set()] * 3, {mine}, {gone}, set()]
    assert other not in shown[5]


def test_what_a_user_owns_is_counted_up_to_a_bound(
    browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdings, "MAX_COUNTED", 2)
    for _ in range(3):
        make_task(alice)

    page = browser.get(f"{USERS}{alice.pk}/change/").content.decode()
    assert "Tasks: more than 2</a>" in page


@pytest.mark.parametrize("name", ["id", "created_at", "updated_at", "revision"])
def test_record_of_a_user_cannot_be_changed(
    browser: Client, alice: User, name: str
) -> None:
    before = str(getattr(alice, name))
    changes = {name: str(uuid4()) if name == "id" else "2001-01-01"}
    submit(browser, f"{USERS}{alice.pk}/change/", **changes)

    alice.refresh_from_db()
    if name != "updated_at":
        assert str(getattr(alice, name)) == before
    assert alice.updated_at.year > 2001


# Sessions


def test_live_sessions_are_shown_with_the_user(browser: Client, alice: User) -> None:
    make_session(alice, user_agent="Live/1")
    ended = make_session(alice, user_agent="Ended/1")
    Session.objects.filter(pk=ended.pk).update(ended_at=timezone.now())
    page = browser.get(f"{USERS}{alice.pk}/change/").content.decode()

    assert "Live/1" in page
    assert "Ended/1" not in page


def test_chosen_sessions_are_ended(browser: Client, alice: User, held: Held) -> None:
    other = Held(alice)
    session = alice.sessions.earliest("created_at")
    act(browser, SESSIONS, "end_chosen", session)

    assert held.statuses() == (401, 401)
    assert other.statuses() == (200, 200)


@pytest.mark.parametrize("page", ["add/", "{}/delete/"])
def test_sessions_are_neither_made_nor_deleted(
    browser: Client, alice: User, page: str
) -> None:
    session = make_session(alice)

    assert browser.get(SESSIONS + page.format(session.pk)).status_code == 403


def test_sessions_cannot_be_changed(browser: Client, alice: User) -> None:
    session = make_session(alice)
    url = f"{SESSIONS}{session.pk}/change/"

    assert browser.post(url, {"user_agent": "x"}).status_code == 403


# Tasks


@pytest.fixture
def list_tag(alice_api: APIClient) -> Callable[[], str]:
    return lambda: str(alice_api.get("/api/tasks")["ETag"])


def last_change(task: Task) -> TaskChange:
    return task.changes.latest("version")


def test_task_is_changed_with_version_history_and_revision(
    browser: Client, root: User, task: Task, list_tag: Callable[[], str]
) -> None:
    before = list_tag()
    changes = {"status": "DONE", "priority": "4"}
    response = submit(browser, f"{TASKS}{task.pk}/change/", **changes)

    task.refresh_from_db()
    assert (task.status, task.priority) == (Status.DONE, Priority.URGENT)
    assert task.completed_at is not None
    assert task.version == 2
    assert task.revision == User.objects.get(pk=task.user_id).revision
    change = last_change(task)
    assert (change.version, change.changed_by) == (2, root.pk)
    assert change.request_id == response["X-Request-Id"]
    assert [f["field"] for f in change.fields] == ["status", "priority", "completedAt"]
    assert list_tag() != before


def test_task_is_added_with_version_history_and_revision(
    browser: Client, root: User, alice: User, list_tag: Callable[[], str]
) -> None:
    before = list_tag()
    new = {"user": str(alice.pk), "title": "From above", "description": "a\nb"}
    submit(browser, f"{TASKS}add/", **new)

    task = Task.objects.get()
    assert (task.title, task.description) == ("From above", "a\nb")
    assert (task.user, task.version) == (alice, 1)
    assert (task.status, task.priority) == (Status.TODO, Priority.MEDIUM)
    assert last_change(task).changed_by == root.pk
    assert task.revision == User.objects.get(pk=alice.pk).revision
    assert list_tag() != before
    entry = LogEntry.objects.get()
    assert entry.object_id == str(task.pk)


def test_saving_a_task_unchanged_changes_nothing(browser: Client, alice: User) -> None:
    now = timezone.now()
    text = {"title": " Padded ", "description": " line\nline\r\nline\n"}
    task = make_task(alice, **text, due_at=now)
    submit(browser, f"{TASKS}{task.pk}/change/")

    task.refresh_from_db()
    assert {name: getattr(task, name) for name in text} == text
    assert (task.version, task.due_at) == (1, now)


def test_text_is_kept_as_it_was_typed(browser: Client, task: Task) -> None:
    typed = {"title": " Padded ", "description": " one\r\ntwo\r\n"}
    submit(browser, f"{TASKS}{task.pk}/change/", **typed)

    task.refresh_from_db()
    assert (task.title, task.description) == (" Padded ", " one\ntwo\n")


def test_saving_a_task_does_not_take_back_what_moved_meanwhile(
    browser: Client,
    task: Task,
    alice_api: APIClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patch = {"title": "Meanwhile", "description": "by its owner"}
    url = f"/api/tasks/{task.pk}"
    during_the_save(
        monkeypatch, TaskAdmin, lambda: alice_api.patch(url, patch, format="json")
    )
    submit(browser, f"{TASKS}{task.pk}/change/", priority="4")

    task.refresh_from_db()
    assert (task.title, task.description) == ("Meanwhile", "by its owner")
    assert (task.priority, task.version) == (Priority.URGENT, 3)


def test_old_page_does_not_put_old_text_back(
    browser: Client, task: Task, alice_api: APIClient
) -> None:
    url = f"{TASKS}{task.pk}/change/"
    opened = form(browser.get(url))
    api_url = f"/api/tasks/{task.pk}"
    alice_api.patch(api_url, {"title": "Edited by its owner"}, format="json")
    browser.post(url, opened | {"priority": "4"})

    task.refresh_from_db()
    assert task.title == "Edited by its owner"
    assert task.priority == Priority.URGENT


@pytest.mark.parametrize("title", ["", "  ", "x" * 256])
def test_task_with_a_bad_title_is_not_saved(
    browser: Client, task: Task, title: str
) -> None:
    url = f"{TASKS}{task.pk}/change/"
    response = browser.post(url, form(browser.get(url)) | {"title": title})

    assert response.status_code == 200
    assert "title" in response.context["adminform"].form.errors
    task.refresh_from_db()
    assert (task.title, task.version) == ("Water the plants", 1)


def test_owner_of_a_task_cannot_be_changed(
    browser: Client, alice: User, bob: User, task: Task
) -> None:
    submit(browser, f"{TASKS}{task.pk}/change/", user=str(bob.pk), title="New")

    task.refresh_from_db()
    assert (task.user, task.title) == (alice, "New")


@pytest.mark.parametrize("name", ["version", "completed_at", "deleted_at", "id"])
def test_record_of_a_task_cannot_be_changed(
    browser: Client, task: Task, name: str
) -> None:
    before = getattr(task, name)
    submit(browser, f"{TASKS}{task.pk}/change/", **{name: "2"})

    task.refresh_from_db()
    assert getattr(task, name) == before


def test_history_is_shown_and_cannot_be_changed(browser: Client, task: Task) -> None:
    page = browser.get(f"{TASKS}{task.pk}/change/")
    [inline] = page.context["inline_admin_formsets"]

    assert len(inline.formset.forms) == 1
    assert "test" in page.content.decode()
    assert [name for f in inline.formset.forms for name in f.fields] == ["id", "task"]


def test_tasks_are_marked_done_by_action(
    browser: Client, root: User, alice: User, bob: User
) -> None:
    tasks = [make_task(alice), make_task(bob)]
    act(browser, TASKS, "mark_done", *tasks)

    for task in tasks:
        task.refresh_from_db()
        assert (task.status, task.version) == (Status.DONE, 2)
        assert last_change(task).changed_by == root.pk


@pytest.mark.parametrize("way", ["action", "button"])
def test_tasks_go_to_the_trash(
    browser: Client,
    root: User,
    task: Task,
    list_tag: Callable[[], str],
    alice_api: APIClient,
    way: str,
) -> None:
    before = list_tag()
    if way == "action":
        act(browser, TASKS, "trash", task)
    else:
        browser.post(f"{TASKS}{task.pk}/delete/", {"post": "yes"})

    task.refresh_from_db()
    assert task.deleted_at is not None
    assert (task.version, last_change(task).changed_by) == (2, root.pk)
    assert list_tag() != before
    assert alice_api.get("/api/tasks/trash").json()["total"] == 1


@pytest.fixture
def trashed(task: Task) -> Task:
    author = ActorContext(task.user_id, task.user_id, "test", timezone.now())
    return perform_one(Delete(id=task.pk), author)


@pytest.mark.parametrize("action", ["trash", "mark_done"])
def test_actions_pass_trashed_tasks_by(
    browser: Client, trashed: Task, action: str
) -> None:
    assert act(browser, TASKS, action, trashed).status_code == 302
    trashed.refresh_from_db()
    assert trashed.version == 2


def test_trashed_task_can_be_looked_at(browser: Client, trashed: Task) -> None:
    page = browser.get(f"{TASKS}{trashed.pk}/change/")

    assert page.status_code == 200
    assert "Water the plants" in page.content.decode()


@pytest.mark.parametrize("page", ["change", "delete"])
def test_trashed_task_cannot_be_written(
    browser: Client, trashed: Task, page: str
) -> None:
    body = {"title": "x", "status": "TODO", "priority": "2", "post": "yes"}
    response = browser.post(f"{TASKS}{trashed.pk}/{page}/", body)

    assert response.status_code == 403
    trashed.refresh_from_db()
    assert trashed.version == 2


def test_tasks_are_not_deleted_for_good(browser: Client, task: Task) -> None:
    act(browser, TASKS, "delete_selected", task, post="yes")

    assert Task.objects.filter(pk=task.pk, deleted_at=None).exists()


def test_tasks_are_searched_by_title_and_owner(
    browser: Client, alice: User, bob: User
) -> None:
    mine, other = make_task(alice, title="One"), make_task(bob, title="Two")

    assert rows(browser.get(f"{TASKS}?q=one")) == [mine]
    assert rows(browser.get(f"{TASKS}?q=bob@example.com")) == [other]


def test_trash_is_filtered_out(browser: Client, alice: User, trashed: Task) -> None:
    live = make_task(alice)

    assert rows(browser.get(f"{TASKS}?trash=no")) == [live]
    assert rows(browser.get(f"{TASKS}?trash=yes")) == [trashed]


def test_owner_is_found_by_typing(browser: Client, alice: User, bob: User) -> None:
    about = {"app_label": "tasks", "model_name": "task", "field_name": "user"}
    response = browser.get("/admin/autocomplete/", about | {"term": "ALICE"})

    assert response.json() == {
        "results": [{"id": str(alice.pk), "text": "alice@example.com"}],
        "pagination": {"more": False},
    }


def test_lists_cost_the_same_whatever_their_length(
    browser: Client, alice: User, django_assert_num_queries: Any
) -> None:
    def queries() -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            for url in (USERS, TASKS, SESSIONS):
                assert browser.get(url).status_code == 200
        return len(captured)

    make_task(alice)
    make_session(alice)
    few = queries()
    for n in range(20):
        user = make_user(f"user{n}")
        make_session(user, now=timezone.now() - timedelta(minutes=n))
        make_task(user)

    assert queries() == few


def test_old_page_does_not_undo_a_deactivation(browser: Client, alice: User) -> None:
    url = f"{USERS}{alice.pk}/change/"
    opened = form(browser.get(url))
    alice.is_active = False
    alice.save()
    browser.post(url, opened | {"name": "Renamed"})

    alice.refresh_from_db()
    assert (alice.name, alice.is_active) == ("Renamed", False)


def test_ending_all_sessions_signs_out_of_the_admin(
    browser: Client, root: User
) -> None:
    assert browser.get("/admin/").status_code == 200
    sessions.revoke(root.pk, now=timezone.now(), reason=RevocationReason.REVOKED)

    assert browser.get("/admin/").status_code == 302


def test_form_is_saved_although_what_it_shows_has_moved(
    browser: Client, alice: User, task: Task
) -> None:
    session = make_session(alice)
    for url, name in ((f"{USERS}{alice.pk}", "name"), (f"{TASKS}{task.pk}", "title")):
        opened = form(browser.get(f"{url}/change/"))
        Session.objects.filter(pk=session.pk).update(ended_at=session.created_at)
        TaskChange.objects.filter(task=task, version=1).delete()
        saved = browser.post(f"{url}/change/", opened | {name: "New"})
        assert saved.status_code == 302

    alice.refresh_from_db()
    task.refresh_from_db()
    assert (alice.name, task.title) == ("New", "New")
