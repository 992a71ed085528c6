"""Invitations to a project in the admin: made, shown once, withdrawn."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tasks.models import Invitation, Membership, Project, Role
from tasks.operations.invitations import invite
from tests.factories import api_of
from tests.project.admin_pages import PROJECTS, form, told
from tests.tasks import sharing

pytestmark = pytest.mark.django_db
OPEN, NEW = "invitations", "invitations-2"


@pytest.fixture
def project(alice: User) -> Project:
    return sharing.make_project(alice)


def change_url(project: Project) -> str:
    return f"{PROJECTS}{project.pk}/change/"


def post(browser: Client, project: Project, changes: dict[str, str]) -> Any:
    url = change_url(project)
    return browser.post(url, form(browser.get(url)) | changes)


def new(email: str = "bob@example.com", role: Role = Role.EDITOR) -> dict[str, str]:
    return {f"{NEW}-0-email": email, f"{NEW}-0-role": str(role.value)}


def make_invitation(project: Project, email: str = "bob@example.com") -> Invitation:
    return invite(project.pk, email, Role.EDITOR, sharing.author(project.owner))[0]


def test_link_is_shown_once_and_lets_in(
    browser: Client, root: User, project: Project, bob: User, settings: Any
) -> None:
    settings.INVITATION_URL = "https://tasks.example.com/join#"
    response = post(browser, project, new(role=Role.MANAGER))
    assert response.status_code == 302
    [link, _] = told(browser.get(change_url(project)))

    assert link.startswith("An invitation for bob@example.com was made. To accept ")
    [token] = re.findall(r"https://tasks\.example\.com/join#(\S+?)\. It", link)
    again = browser.get(change_url(project))
    assert token not in again.content.decode()
    assert "bob@example.com" in again.content.decode()
    invitation = Invitation.objects.get()
    assert (invitation.invited_by, invitation.role) == (project.owner, Role.MANAGER)
    change = project.changes.latest("pk")
    assert (change.changed_by, change.fields[0]["field"]) == (root.pk, "invitation")

    body = {"token": token}
    accepted = api_of(bob).post("/api/invitations/accept", body, format="json")
    assert accepted.status_code == 200
    assert Membership.objects.get().role == Role.MANAGER


def test_invitation_needs_no_mail_server(
    browser: Client,
    project: Project,
    settings: Any,
    django_capture_on_commit_callbacks: Any,
) -> None:
    settings.EMAIL_BACKEND = "tests.no.such.Backend"
    with django_capture_on_commit_callbacks(execute=True):
        response = post(browser, project, new())

    assert response.status_code == 302
    assert "The invitation's token is: " in told(browser.get(change_url(project)))[0]
    assert not mail.outbox


def test_open_invitations_are_shown(browser: Client, project: Project) -> None:
    expired = make_invitation(project, "expired@example.com")
    Invitation.objects.filter(pk=expired.pk).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    closed = make_invitation(project, "closed@example.com")
    Invitation.objects.filter(pk=closed.pk).update(closed_at=timezone.now())
    make_invitation(project)
    html = browser.get(change_url(project)).content.decode()
    shown = re.findall(r'field-email">\s*<p>([^<]+)</p>', html)

    assert shown == ["bob@example.com"]


def test_invitation_is_withdrawn(browser: Client, root: User, project: Project) -> None:
    invitation = make_invitation(project)
    response = post(browser, project, {f"{OPEN}-0-DELETE": "on"})
    assert response.status_code == 302

    invitation.refresh_from_db()
    assert invitation.closed_at
    change = project.changes.latest("pk")
    assert (change.changed_by, change.fields[0]["to"]) == (root.pk, None)


def test_address_is_invited_anew_in_one_form(browser: Client, project: Project) -> None:
    first = make_invitation(project)
    response = post(browser, project, {f"{OPEN}-0-DELETE": "on"} | new())
    assert response.status_code == 302

    [still_open] = project.invitations.open(timezone.now())
    assert still_open != first


def test_invitation_that_was_accepted_meanwhile_is_told(
    browser: Client, project: Project
) -> None:
    invitation = make_invitation(project)
    opened = form(browser.get(change_url(project)))
    Invitation.objects.filter(pk=invitation.pk).update(closed_at=timezone.now())
    unchanged = browser.post(change_url(project), opened)
    assert unchanged.status_code == 302
    page = browser.post(change_url(project), opened | {f"{OPEN}-0-DELETE": "on"})

    assert page.status_code == 200
    [error] = page.context["adminform"].form.non_field_errors()
    assert error.startswith("It was removed")


def test_second_invitation_of_an_address_is_told(
    browser: Client, project: Project
) -> None:
    make_invitation(project)
    page = post(browser, project, new() | {"name": "Garden"})

    [error] = page.context["adminform"].form.non_field_errors()
    assert error.startswith("There is an open invitation for this address")
    assert told(page) == []
    assert Invitation.objects.count() == 1
    project.refresh_from_db()
    assert project.name == "House"


@pytest.mark.parametrize(
    "email", ["bob", "bób@example.com", f"{'x' * 250}@example.com"]
)
def test_bad_address_is_told(browser: Client, project: Project, email: str) -> None:
    assert post(browser, project, new(email)).status_code == 200
    assert not Invitation.objects.exists()


def test_archived_project_invites_nobody(browser: Client, project: Project) -> None:
    sharing.archive(project)
    page = post(browser, project, new())

    [error] = page.context["adminform"].form.non_field_errors()
    assert error == "This project is archived; restore it from there first."


def test_token_is_in_no_log(browser: Client, project: Project, caplog: Any) -> None:
    post(browser, project, new())
    token = told(browser.get(change_url(project)))[0].split(": ")[1].split(".")[0]

    assert len(token) > 40
    assert token not in caplog.text
    assert token not in LogEntry.objects.get().change_message
