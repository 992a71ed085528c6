"""The list of members, for projects with more than their pages show."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts import personal_data
from accounts.models import User
from tasks.admin import members
from tasks.models import FormerMember, Membership, Project, Role
from tests.factories import make_user
from tests.project.admin_pages import MEMBERS, PROJECTS, form, rows, submit, told
from tests.tasks import sharing

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(alice: User, bob: User) -> Membership:
    return sharing.share(sharing.make_project(alice), bob)


def test_page_of_a_project_shows_the_first_members(
    browser: Client, member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MAX_MEMBERS", 2)
    for name in ("carol", "dora"):
        sharing.share(member.project, make_user(name))
    url = f"{PROJECTS}{member.project_id}/change/"
    html = browser.get(url).content.decode()

    shown = re.findall(r'field-member">\s*<p>(\w+) ', html)
    assert shown == ["bob", "carol"]
    assert browser.post(url, form(browser.get(url))).status_code == 302


def test_members_are_found_by_their_address(
    browser: Client, member: Membership
) -> None:
    other = sharing.share(member.project, make_user("carol"))

    assert rows(browser.get(MEMBERS)) == [other, member]
    assert rows(browser.get(f"{MEMBERS}?q=BOB@example.com")) == [member]
    assert rows(browser.get(f"{MEMBERS}?q=bob")) == []
    page = browser.get(f"{MEMBERS}?project__id__exact={member.project_id}")
    assert rows(page) == [other, member]


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_members_and_owners_who_are_erased_are_not_shown(
    browser: Client, member: Membership, who: str
) -> None:
    user = User.objects.get(name=who)
    personal_data.erase(user, delete_shared=True)

    assert rows(browser.get(MEMBERS)) == []


def test_role_is_changed(browser: Client, root: User, member: Membership) -> None:
    submit(browser, f"{MEMBERS}{member.pk}/change/", role="1")

    member.refresh_from_db()
    assert member.role == Role.VIEWER
    assert member.project.changes.latest("pk").changed_by == root.pk
    assert member.revision == User.objects.get(name="alice").revision


def test_member_is_removed(browser: Client, root: User, member: Membership) -> None:
    url = f"{MEMBERS}{member.pk}/delete/"
    assert "bob@example.com in House" in browser.get(url).content.decode()
    browser.post(url, {"post": "yes"})

    assert not Membership.objects.exists()
    assert FormerMember.objects.get().user == member.user
    assert Project.objects.get(name="House").changes.latest("pk").changed_by == root.pk


def test_what_is_refused_is_told(browser: Client, member: Membership) -> None:
    sharing.archive(member.project)
    url = f"{MEMBERS}{member.pk}/change/"
    page: Any = browser.post(url, form(browser.get(url)) | {"role": "3"})
    [error] = page.context["adminform"].form.non_field_errors()
    assert error.startswith("This project is archived")

    page = browser.post(f"{MEMBERS}{member.pk}/delete/", {"post": "yes"}, follow=True)
    assert told(page)[0].startswith("Nothing was changed. This project is archived")
    assert Membership.objects.get().role == Role.EDITOR


def test_members_are_added_on_the_page_of_their_project(browser: Client) -> None:
    assert browser.get(f"{MEMBERS}add/").status_code == 403


@pytest.mark.parametrize("page", ["", "{}/change/", "{}/delete/"])
def test_user_sees_no_member(alice: User, member: Membership, page: str) -> None:
    browser = Client()
    browser.force_login(alice)
    response = browser.get(MEMBERS + page.format(member.pk))

    assert response["Location"].startswith("/admin/login/")
