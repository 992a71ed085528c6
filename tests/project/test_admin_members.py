"""Members of a project in the admin: added, given another role, removed."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import personal_data
from accounts.models import User
from tasks.models import FormerMember, Membership, Project, Role
from tasks.operations.invitations import invite
from tests.factories import api_of, make_user
from tests.project.admin_pages import PROJECTS, form
from tests.tasks import sharing

pytestmark = pytest.mark.django_db
# The prefixes of the inlines.
MEMBERS, NEW = "memberships", "memberships-2"


@pytest.fixture
def project(alice: User) -> Project:
    return sharing.make_project(alice)


def change_url(project: Project) -> str:
    return f"{PROJECTS}{project.pk}/change/"


def post(browser: Client, project: Project, **changes: Any) -> Any:
    url = change_url(project)
    fields = {name.replace("__", "-"): value for name, value in changes.items()}
    return browser.post(url, form(browser.get(url)) | fields)


def new(user: User, role: Role) -> dict[str, str]:
    return {f"{NEW}-0-user": str(user.pk), f"{NEW}-0-role": str(role.value)}


def errors(page: Any) -> list[str]:
    assert page.status_code == 200
    return list(page.context["adminform"].form.non_field_errors())


def revision(user: User) -> int:
    return User.objects.get(pk=user.pk).revision


def test_member_is_added(
    browser: Client, root: User, project: Project, bob: User
) -> None:
    before = revision(bob)
    assert post(browser, project, **new(bob, Role.MANAGER)).status_code == 302

    member = Membership.objects.get()
    assert (member.project, member.user, member.role) == (project, bob, Role.MANAGER)
    assert member.revision == revision(project.owner)
    assert revision(bob) == before + 1
    change = project.changes.latest("pk")
    entry = {"userId": str(bob.pk), "role": "MANAGER"}
    assert change.fields == [{"field": "member", "from": None, "to": entry}]
    assert change.changed_by == root.pk
    assert api_of(bob).get(f"/api/projects/{project.pk}").json()["role"] == "MANAGER"


def test_log_of_the_admin_names_the_member(
    browser: Client, project: Project, bob: User
) -> None:
    post(browser, project, **new(bob, Role.EDITOR))

    assert "bob@example.com in House" in LogEntry.objects.get().change_message


def test_added_member_leaves_no_open_invitation(
    browser: Client, project: Project, bob: User
) -> None:
    for email in ("BOB@example.com", "other@example.com"):
        invite(project.pk, email, Role.EDITOR, sharing.author(project.owner))
    post(browser, project, **new(bob, Role.VIEWER))

    [still_open] = project.invitations.filter(closed_at=None)
    assert still_open.email == "other@example.com"


def test_role_is_changed(
    browser: Client, root: User, project: Project, bob: User
) -> None:
    sharing.share(project, bob)
    before = revision(bob)
    response = post(browser, project, **{f"{MEMBERS}-0-role": str(Role.VIEWER.value)})
    assert response.status_code == 302

    assert Membership.objects.get().role == Role.VIEWER
    assert revision(bob) == before + 1
    [entry] = project.changes.latest("pk").fields
    assert (entry["from"]["role"], entry["to"]["role"]) == ("EDITOR", "VIEWER")


def test_member_is_removed(
    browser: Client, root: User, project: Project, bob: User
) -> None:
    sharing.share(project, bob)
    task = sharing.task_in(project, assignee_id=bob.pk)
    response = post(browser, project, **{f"{MEMBERS}-0-DELETE": "on"})
    assert response.status_code == 302

    assert not Membership.objects.exists()
    assert FormerMember.objects.get().user == bob
    task.refresh_from_db()
    assert (task.assignee_id, task.version) == (None, 2)
    assert task.changes.latest("version").changed_by == root.pk
    assert not User.objects.get(pk=bob.pk).reads_projects
    assert api_of(bob).get(f"/api/projects/{project.pk}").status_code == 403


def test_members_and_name_are_changed_together(
    browser: Client, project: Project, bob: User
) -> None:
    carol, dora = make_user("carol"), make_user("dora")
    for member in (bob, carol):
        sharing.share(project, member)
    changes = {f"{MEMBERS}-0-DELETE": "on", f"{MEMBERS}-1-role": "3", "name": "Garden"}
    before = revision(project.owner)
    response = post(browser, project, **changes, **new(dora, Role.EDITOR))
    assert response.status_code == 302

    project.refresh_from_db()
    roles = {each.user.name: each.role for each in project.memberships.all()}
    assert roles == {"carol": Role.MANAGER, "dora": Role.EDITOR}
    assert (project.name, revision(project.owner)) == ("Garden", before + 4)


def test_nothing_is_changed_if_one_part_is_refused(
    browser: Client, project: Project, bob: User
) -> None:
    sharing.share(project, bob)
    before, changes = revision(project.owner), project.changes.count()
    page = post(
        browser,
        project,
        name="Garden",
        **{f"{MEMBERS}-0-DELETE": "on"},
        **new(project.owner, Role.EDITOR),
    )

    assert errors(page) == ["This account has access to the project already."]
    assert page.context["adminform"].form["name"].value() == "Garden"
    project.refresh_from_db()
    assert (project.name, Membership.objects.count()) == ("House", 1)
    assert (revision(project.owner), project.changes.count()) == (before, changes)


def test_member_twice_is_told(browser: Client, project: Project, bob: User) -> None:
    sharing.share(project, bob)
    page = post(browser, project, **new(bob, Role.MANAGER))

    assert page.status_code == 200
    assert page.context["errors"]
    assert Membership.objects.get().role == Role.EDITOR


def test_members_over_the_quota_are_told(
    browser: Client, project: Project, bob: User, settings: Any
) -> None:
    settings.QUOTA_MEMBERS = 1
    sharing.share(project, bob)
    page = post(browser, project, **new(make_user("carol"), Role.EDITOR))

    [error] = errors(page)
    assert error.startswith("QUOTA_MEMBERS")


def test_member_who_left_meanwhile_is_told(
    browser: Client, project: Project, bob: User
) -> None:
    member = sharing.share(project, bob)
    opened = form(browser.get(change_url(project)))
    sharing.leave(member)
    page = browser.post(change_url(project), opened | {f"{MEMBERS}-0-role": "1"})

    assert page.status_code == 200
    assert "have changed since the page was opened" in page.content.decode()
    assert not Membership.objects.exists()


def test_old_page_does_not_give_a_role_back(
    browser: Client, project: Project, bob: User
) -> None:
    sharing.share(project, bob)
    opened = form(browser.get(change_url(project)))
    Membership.objects.update(role=Role.VIEWER)
    browser.post(change_url(project), opened | {"name": "Garden"})

    assert Membership.objects.get().role == Role.VIEWER


@pytest.mark.parametrize("role", ["0", "4", ""])
def test_nobody_becomes_an_owner(
    browser: Client, project: Project, bob: User, role: str
) -> None:
    fields = new(bob, Role.EDITOR) | {f"{NEW}-0-role": role}

    assert post(browser, project, **fields).status_code == 200
    assert not Membership.objects.exists()


def test_archived_project_gets_no_member(
    browser: Client, project: Project, bob: User
) -> None:
    sharing.archive(project)
    page = post(browser, project, **new(bob, Role.EDITOR))

    assert errors(page) == ["This project is archived; restore it from there first."]


def test_member_who_is_erased_is_not_shown(
    browser: Client, project: Project, bob: User
) -> None:
    sharing.share(project, bob)
    personal_data.erase(bob)

    assert "bob" not in browser.get(change_url(project)).content.decode()


def test_inbox_has_no_members(browser: Client, alice: User) -> None:
    inbox = Project.objects.get(owner=alice, is_inbox=True)
    page = browser.get(change_url(inbox))

    assert len(page.context["inline_admin_formsets"]) == 1


def test_people_are_locked_in_one_order(
    browser: Client, project: Project, bob: User
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite locks the whole database")
    members = [make_user(name) for name in ("carol", "dora")]
    for member in members:
        sharing.share(project, member)
    url = change_url(project)
    sent = form(browser.get(url)) | new(bob, Role.EDITOR)
    sent |= {f"{MEMBERS}-{n}-DELETE": "on" for n in range(2)}
    with CaptureQueriesContext(connection) as queries:
        browser.post(url, sent)

    writing = [q["sql"] for q in queries if 'accounts_user"' in q["sql"]]
    writing = [sql for sql in writing if "UPDATE" in sql]
    assert writing[0].endswith("ORDER BY 1 ASC FOR UPDATE")
    concerned = [project.owner, bob, *members]
    assert all(user.pk.hex in writing[0] for user in concerned)
    assert len(writing) > 4


def test_user_of_a_member_is_found_by_typing(browser: Client, bob: User) -> None:
    about = {"app_label": "tasks", "model_name": "membership", "field_name": "user"}
    found = browser.get("/admin/autocomplete/", about | {"term": "bob@"}).json()

    assert [each["text"] for each in found["results"]] == ["bob@example.com"]
