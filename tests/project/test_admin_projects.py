"""Projects in the admin: found, made, changed, archived, put in the trash."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from accounts import personal_data
from accounts.models import User
from tasks.models import Project, Role, inbox_id
from tasks.operations.invitations import invite
from tests.factories import api_of, make_task, make_user
from tests.project.admin_pages import (
    PROJECTS,
    act,
    form,
    rows,
    statements,
    submit,
    told,
)
from tests.tasks import sharing
from tests.tasks.wire import trash

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(alice: User) -> Project:
    return sharing.make_project(alice)


def change_url(project: Project) -> str:
    return f"{PROJECTS}{project.pk}/change/"


def listed(browser: Client, query: str = "") -> list[str]:
    return [each.name for each in rows(browser.get(PROJECTS + query))]


# The list


def test_projects_are_listed_without_inboxes(
    browser: Client, alice: User, bob: User
) -> None:
    for name in ("One", "Two"):
        sharing.make_project(alice, name)
    sharing.share(Project.objects.get(name="Two"), bob)

    assert listed(browser) == ["Two", "One"]
    html = browser.get(PROJECTS).content.decode()
    assert re.findall(r'<td class="field-members">(\d+)</td>', html) == ["1", "0"]


def test_projects_are_listed_by_state(browser: Client, alice: User) -> None:
    for name in ("live", "archived", "trash"):
        sharing.make_project(alice, name)
    sharing.archive(Project.objects.get(name="archived"))
    sharing.delete(Project.objects.get(name="trash"))

    for state in ("live", "archived", "trash"):
        assert listed(browser, f"?state={state}") == [state]
    assert {*listed(browser, "?state=inbox")} == {"Inbox"}


def test_projects_are_found_by_name_and_owner(
    browser: Client, alice: User, bob: User
) -> None:
    sharing.make_project(alice, "Summer house")
    sharing.make_project(bob, "House")

    assert listed(browser, "?q=HOUSE") == ["House", "Summer house"]
    assert listed(browser, "?q=house+sum") == ["Summer house"]
    assert listed(browser, "?q=%22mer+ho%22") == ["Summer house"]
    assert listed(browser, "?q=BOB@example.com") == ["House"]
    assert listed(browser, "?q=bob@example") == []
    assert listed(browser, "?q=%25") == []


def test_projects_of_who_is_erased_are_not_shown(
    browser: Client, project: Project, alice: User
) -> None:
    personal_data.erase(alice)

    assert listed(browser) == []
    assert browser.get(change_url(project)).status_code == 302


def test_destroyed_project_is_not_shown(browser: Client, project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(destroyed_at=timezone.now())

    assert listed(browser) == []


# One project


def test_project_is_made_for_an_owner(browser: Client, root: User, alice: User) -> None:
    new = {"owner": str(alice.pk), "name": " House ", "color": "#1E90FF"}
    submit(browser, f"{PROJECTS}add/", **new)

    project = Project.objects.get(is_inbox=False)
    assert (project.owner, project.name) == (alice, "House")
    assert (project.color, project.description) == ("#1e90ff", None)
    assert project.changes.get().changed_by == root.pk
    assert project.revision == User.objects.get(pk=alice.pk).revision
    [item] = api_of(alice).get("/api/projects").json()["items"][1:]
    assert item["id"] == str(project.pk)
    assert LogEntry.objects.get().object_id == str(project.pk)


def test_project_over_the_quota_is_told(
    browser: Client, alice: User, settings: Any
) -> None:
    settings.QUOTA_PROJECTS = 1
    page = browser.post(f"{PROJECTS}add/", {"owner": str(alice.pk), "name": "x"})

    [error] = page.context["adminform"].form.non_field_errors()
    assert error.startswith("QUOTA_PROJECTS")
    assert not Project.objects.filter(is_inbox=False).exists()


@pytest.mark.parametrize(("name", "value"), [("name", " "), ("color", "red")])
def test_bad_field_is_told(
    browser: Client, project: Project, name: str, value: str
) -> None:
    page = browser.post(
        change_url(project), form(browser.get(change_url(project))) | {name: value}
    )

    assert [*page.context["adminform"].form.errors] == [name]


def test_project_is_renamed_with_version_history_and_revision(
    browser: Client, root: User, project: Project
) -> None:
    submit(browser, change_url(project), name="Garden")

    project.refresh_from_db()
    assert (project.name, project.version) == ("Garden", 2)
    assert project.revision == User.objects.get(pk=project.owner_id).revision
    change = project.changes.latest("pk")
    assert change.changed_by == root.pk
    assert change.fields == [{"field": "name", "from": "House", "to": "Garden"}]


def test_saving_a_project_unchanged_changes_nothing(
    browser: Client, alice: User
) -> None:
    text = " one\ntwo "
    project = sharing.make_project(alice, description=text, color="#1e90ff")
    revision = User.objects.get(pk=alice.pk).revision
    submit(browser, change_url(project))

    project.refresh_from_db()
    assert (project.version, project.description) == (1, text)
    assert User.objects.get(pk=alice.pk).revision == revision


def test_old_page_does_not_rename_back(browser: Client, project: Project) -> None:
    opened = form(browser.get(change_url(project)))
    Project.objects.filter(pk=project.pk).update(name="Meanwhile")
    browser.post(change_url(project), opened | {"color": "#000000"})

    project.refresh_from_db()
    assert (project.name, project.color) == ("Meanwhile", "#000000")


def test_owner_of_a_project_cannot_be_changed(
    browser: Client, project: Project, bob: User
) -> None:
    submit(browser, change_url(project), owner=str(bob.pk), name="New")

    project.refresh_from_db()
    assert (project.owner.name, project.name) == ("alice", "New")


def test_archived_project_is_not_renamed(browser: Client, project: Project) -> None:
    sharing.archive(project)
    url = change_url(project)
    page = browser.post(url, form(browser.get(url)) | {"name": "New"})

    [error] = page.context["adminform"].form.non_field_errors()
    assert error == "This project is archived; restore it from there first."
    project.refresh_from_db()
    assert project.name == "House"


def test_page_leads_to_the_tasks(browser: Client, project: Project) -> None:
    live, gone = sharing.task_in(project), sharing.task_in(project)
    make_task(project.owner)

    trash(gone)
    html = browser.get(change_url(project)).content.decode()
    links = re.findall(r'<a href="([^"]+)">Its tasks[^<]*</a>', html)

    assert [rows(browser.get(unescape(url))) for url in links] == [[live], [gone]]


def test_page_leads_to_the_members(
    browser: Client, project: Project, bob: User
) -> None:
    member = sharing.share(project, bob)
    sharing.share(sharing.make_project(bob), project.owner)
    html = browser.get(change_url(project)).content.decode()
    [url] = re.findall(r'<a href="([^"]+)">Its members</a>', html)

    assert rows(browser.get(unescape(url))) == [member]


def test_history_is_told_in_words(browser: Client, project: Project, bob: User) -> None:
    member = sharing.share(project, bob)
    submit(browser, change_url(project), name="Garden")
    sharing.leave(member)
    html = browser.get(change_url(project)).content.decode()

    for words in (
        "bob (bob@example.com) became editor",
        "name: House → Garden",
        "bob (bob@example.com) left, editor",
        "root (root@example.com)",
    ):
        assert words in html


def test_more_members_and_invitations_cost_no_more_statements(
    browser: Client, project: Project
) -> None:

    asked = []
    for n in (1, 5):
        for other in range(n):
            sharing.share(project, make_user(f"member{n}{other}"))
            email = f"guest{n}{other}@example.com"
            invite(project.pk, email, Role.EDITOR, sharing.author(project.owner))
        asked.append(len(statements(browser, change_url(project))))

    assert asked[0] == asked[1]


# Archive and trash


def state(project: Project) -> tuple[bool, bool]:
    project.refresh_from_db()
    return bool(project.archived_at), bool(project.deleted_at)


def test_projects_go_through_archive_and_trash(
    browser: Client, root: User, project: Project
) -> None:
    for action, done, expected in (
        ("archive", "Archived 1 project(s).", (True, False)),
        ("archive", "Archived 0 project(s).", (True, False)),
        ("unarchive", "Took 1 project(s) out of the archive.", (False, False)),
        ("trash", "Moved 1 project(s) to the trash.", (False, True)),
        ("trash", "Moved 0 project(s) to the trash.", (False, True)),
        ("restore", "Restored 1 project(s).", (False, False)),
        ("restore", "Restored 0 project(s).", (False, False)),
    ):
        page = browser.get(act(browser, PROJECTS, action, project)["Location"])
        assert told(page) == [done]
        assert state(project) == expected
    assert project.version == 5
    assert {*project.changes.values_list("changed_by", flat=True)[1:]} == {root.pk}


@pytest.mark.parametrize("action", ["archive", "trash"])
def test_inbox_is_kept(browser: Client, alice: User, action: str) -> None:
    inbox = Project.objects.get(pk=inbox_id(alice.pk))
    url = f"{PROJECTS}?state=inbox"
    page = browser.get(act(browser, url, action, inbox)["Location"])

    verb = {"archive": "archived", "trash": "deleted"}[action]
    assert told(page)[1:] == [f"Inbox: The inbox cannot be {verb}."]
    assert state(inbox) == (False, False)


def test_button_moves_a_project_to_the_trash_and_back(
    browser: Client, project: Project
) -> None:
    url = f"{PROJECTS}{project.pk}/delete/"
    assert browser.get(url).status_code == 200
    browser.post(url, {"post": "yes"})
    assert state(project) == (False, True)

    page = browser.get(change_url(project))
    browser.post(page.context["restore_url"])
    assert state(project) == (False, False)


def test_inbox_is_not_deleted(browser: Client, alice: User) -> None:
    url = f"{PROJECTS}{inbox_id(alice.pk)}/delete/"
    page = browser.post(url, {"post": "yes"}, follow=True)

    assert told(page) == ["Nothing was changed. The inbox cannot be deleted."]


def test_project_in_the_trash_is_read_only(browser: Client, project: Project) -> None:
    sharing.delete(project)

    assert "House" in browser.get(change_url(project)).content.decode()
    assert browser.post(change_url(project), {"name": "x"}).status_code == 403


def test_projects_are_not_deleted_for_good(browser: Client, project: Project) -> None:
    act(browser, PROJECTS, "delete_selected", project, post="yes")

    assert state(project) == (False, False)


@pytest.mark.parametrize("page", ["", "add/", "{}/change/", "{}/delete/"])
def test_user_sees_no_project(alice: User, project: Project, page: str) -> None:
    browser = Client()
    browser.force_login(alice)
    response = browser.get(PROJECTS + page.format(project.pk))

    assert response["Location"].startswith("/admin/login/")
