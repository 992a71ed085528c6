"""Invitations: by a mailed token that works once."""

from typing import Any

import pytest
from django.core import mail
from rest_framework.test import APIClient

from accounts.models import User
from taskapi.outbox.models import OutboxMessage
from tasks import invitation_mail
from tasks.models import Invitation, Membership, Project, Role
from tasks.operations import invitations
from tests.factories import PASSWORD, api_of, make_user
from tests.mailbox import deliver
from tests.tasks.conftest import Clock
from tests.tasks.sharing import author, delete, mailed_tokens, make_project, share
from tests.tasks.wire import details_of, error_of


@pytest.fixture
def project(alice: User) -> Project:
    return make_project(alice)


def invite(api: APIClient, project: Project, email: str, role: str = "EDITOR") -> Any:
    response = ask(api, project, email, role)
    deliver()
    return response


def ask(api: APIClient, project: Project, email: str, role: str = "EDITOR") -> Any:
    """Invite, but have no worker that mails it yet."""
    url = f"/api/projects/{project.pk}/invitations"
    return api.post(url, {"email": email, "role": role}, format="json")


def accept(api: APIClient, token: str) -> Any:
    return api.post("/api/invitations/accept", {"token": token}, format="json")


def decline(api: APIClient, token: str, **more: Any) -> Any:
    body = {"token": token, **more}
    return api.post("/api/invitations/decline", body, format="json")


def test_mailed_token_makes_a_member(
    alice_api: APIClient, project: Project, bob_api: APIClient, bob: User
) -> None:
    made = invite(alice_api, project, "bob@example.com", "VIEWER")
    [token] = mailed_tokens()

    assert made.status_code == 201
    assert token not in made.content.decode()
    accepted = accept(bob_api, token)
    assert (accepted.status_code, accepted["ETag"]) == (200, '"v1-VIEWER"')
    assert accepted.json()["id"] == str(project.pk)
    assert Membership.objects.get().user_id == bob.pk
    listed = alice_api.get(f"/api/projects/{project.pk}/invitations")
    assert listed.json() == {"items": []}
    assert details_of(accept(bob_api, token)) == [("token", "invalid")]
    assert details_of(decline(bob_api, token)) == [("token", "invalid")]


def test_any_account_with_the_token_may_accept(
    alice_api: APIClient, project: Project, bob_api: APIClient
) -> None:
    invite(alice_api, project, "somebody@example.com")

    assert accept(bob_api, mailed_tokens()[0]).status_code == 200


def test_answer_is_the_same_for_unknown_addresses(
    alice_api: APIClient, project: Project, bob: User
) -> None:
    known = invite(alice_api, project, bob.email).json()
    unknown = invite(alice_api, project, "nobody@example.com").json()

    assert known.keys() == unknown.keys()
    assert [message.to for message in mail.outbox] == [
        [bob.email],
        ["nobody@example.com"],
    ]


def test_declined_token_is_spent(
    alice_api: APIClient, project: Project, bob_api: APIClient, api: APIClient
) -> None:
    invite(alice_api, project, "bob@example.com")
    [token] = mailed_tokens()

    assert decline(api, token).status_code == 204
    assert accept(bob_api, token).status_code == 400


def test_address_can_refuse_for_good(
    alice_api: APIClient, project: Project, api: APIClient
) -> None:
    invite(alice_api, project, "bob@example.com")
    decline(api, mailed_tokens()[0], always=True)

    assert invite(alice_api, project, "BOB@example.com").status_code == 201
    assert len(mail.outbox) == 1


def test_withdrawn_token_is_spent(
    alice_api: APIClient, project: Project, bob_api: APIClient
) -> None:
    made = invite(alice_api, project, "bob@example.com")
    url = made["Location"]

    assert alice_api.delete(url, HTTP_IF_MATCH='"x"').status_code == 412
    assert alice_api.delete(url, HTTP_IF_MATCH=made["ETag"]).status_code == 204
    assert alice_api.delete(url).status_code == 404
    assert accept(bob_api, mailed_tokens()[0]).status_code == 400


def test_withdrawn_invitation_is_not_mailed(
    alice_api: APIClient, project: Project
) -> None:
    made = ask(alice_api, project, "bob@example.com")
    alice_api.delete(made["Location"])

    assert mailed_tokens() == []


def test_invitation_that_fails_after_its_mail_is_not_mailed(
    alice_api: APIClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError

    send = invitation_mail.send
    monkeypatch.setattr(invitation_mail, "send", lambda *a: (send(*a), fail()))
    alice_api.raise_request_exception = False

    assert ask(alice_api, project, "bob@example.com").status_code == 500
    assert mailed_tokens() == []


def test_no_token_is_stored(alice_api: APIClient, project: Project) -> None:
    ask(alice_api, project, "bob@example.com")
    [waiting] = OutboxMessage.objects.values()
    [token] = mailed_tokens()
    [sent] = OutboxMessage.objects.values()

    assert token not in f"{waiting}{sent}{Invitation.objects.values()}"
    # The nonce is worth something to whoever has SECRET_KEY.
    assert sent["payload"] == {}


def test_token_expires(
    alice_api: APIClient, project: Project, bob: User, clock: Clock
) -> None:
    invite(alice_api, project, "bob@example.com")
    clock.advance(days=7, seconds=1)

    assert accept(api_of(bob), mailed_tokens()[0]).status_code == 400
    assert Membership.objects.count() == 0


def test_one_open_invitation_for_an_address(
    alice_api: APIClient, project: Project
) -> None:
    invite(alice_api, project, "bob@example.com")

    assert invite(alice_api, project, "Bob@example.com").status_code == 409
    assert len(mail.outbox) == 1


def test_limits_of_inviters_and_addresses(
    alice_api: APIClient, alice: User, project: Project, settings: Any
) -> None:
    for number in range(3):
        assert (
            invite(alice_api, make_project(alice), "a@example.com").status_code == 201
        )
        assert number >= 0
    refused = invite(alice_api, project, "A@example.com")
    assert (refused.status_code, error_of(refused)["code"]) == (429, "RATE_LIMITED")
    assert int(refused["Retry-After"]) > 86_000
    for number in range(17):
        invite(alice_api, project, f"{number}@example.com")

    refused = invite(alice_api, project, "last@example.com")
    assert 3_500 < int(refused["Retry-After"]) <= 3_600
    assert Invitation.objects.count() == 20


def test_open_invitations_are_counted(
    alice_api: APIClient, project: Project, settings: Any
) -> None:
    settings.QUOTA_INVITATIONS = 1
    invite(alice_api, project, "a@example.com")
    refused = invite(alice_api, project, "b@example.com")

    assert (refused.status_code, error_of(refused)["code"]) == (403, "QUOTA_EXCEEDED")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_only_managers_invite(project: Project, bob: User, role: Role) -> None:
    share(project, bob, role)
    api = api_of(bob)

    assert invite(api, project, "carol@example.com").status_code == 403
    assert api.get(f"/api/projects/{project.pk}/invitations").status_code == 403


def test_invitation_of_a_removed_manager_lets_nobody_in(
    alice_api: APIClient, project: Project, bob: User
) -> None:
    share(project, bob, Role.MANAGER)
    mail.outbox.clear()
    assert invite(api_of(bob), project, "carol@example.com").status_code == 201
    alice_api.delete(f"/api/projects/{project.pk}/members/{bob.pk}")

    assert accept(api_of(bob), mailed_tokens()[0]).status_code == 400


def test_member_and_owner_keep_the_token_unspent(
    alice_api: APIClient, project: Project, bob: User, bob_api: APIClient
) -> None:
    invite(alice_api, project, "bob@example.com")
    [token] = mailed_tokens()

    assert accept(alice_api, token).status_code == 409
    assert accept(bob_api, token).status_code == 200


def test_trashed_project_lets_nobody_in(
    alice_api: APIClient, project: Project, bob_api: APIClient
) -> None:
    invite(alice_api, project, "bob@example.com")
    delete(project)

    assert accept(bob_api, mailed_tokens()[0]).status_code == 400


def register(api: APIClient, email: str, token: str) -> Any:
    body = {"name": "Carol", "email": email, "password": PASSWORD}
    url = "/api/auth/register"
    return api.post(url, body | {"invitationToken": token}, format="json")


def test_invitation_lets_its_address_register(
    alice_api: APIClient, project: Project, api: APIClient, settings: Any
) -> None:
    settings.REGISTRATION = "invited"
    invite(alice_api, project, "carol@example.com")
    [token] = mailed_tokens()

    assert register(api, "mallory@example.com", token).status_code == 403
    made = register(api, "Carol@example.com", token)
    assert made.status_code == 201
    assert str(Membership.objects.get().user_id) == made.json()["user"]["id"]
    assert register(api, "carol@example.com", token).status_code == 403


def test_failed_registration_spends_nothing(
    alice_api: APIClient, project: Project, bob: User, bob_api: APIClient
) -> None:
    invite(alice_api, project, "bob@example.com")
    [token] = mailed_tokens()

    assert register(APIClient(), "bob@example.com", token).status_code == 409
    assert accept(bob_api, token).status_code == 200


def test_name_of_a_project_writes_no_line_of_the_mail(
    alice_api: APIClient, alice: User
) -> None:
    project = make_project(alice, "x\n\nPay here")
    invite(alice_api, project, "bob@example.com")

    assert '"x Pay here"' in mail.outbox[0].body


def test_account_is_a_member_of_so_many_projects(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.operations.members.MAX_MEMBERSHIPS", 1)
    share(make_project(alice), bob)
    with pytest.raises(Exception, match="at most 1 projects of others"):
        share(make_project(make_user("carol")), bob)


def test_repeated_accept_is_403_once_the_project_is_gone(
    alice: User, bob: User, bob_api: APIClient
) -> None:
    project = make_project(alice)
    _, token = invitations.invite(project.pk, bob.email, Role.EDITOR, author(alice))
    key: Any = {"HTTP_IDEMPOTENCY_KEY": "k"}

    def accept() -> int:
        body = {"token": token}
        path = "/api/invitations/accept"
        return int(bob_api.post(path, body, format="json", **key).status_code)

    assert (accept(), accept()) == (200, 200)
    delete(project)
    assert accept() == 403
