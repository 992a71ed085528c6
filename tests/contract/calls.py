"""For each operation a request that succeeds, to be varied by those who want less."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework.test import APIClient

from accounts import email_change, passwords
from accounts.auth.jwt import AccessToken, RefreshToken
from accounts.models import PersonalToken, Session, User
from tasks.models import (
    Comment,
    Delivery,
    Invitation,
    Label,
    Project,
    Role,
    Task,
    Webhook,
    inbox_id,
)
from tasks.operations import invitations, webhooks
from tasks.operations.comments import create_comment
from tests.contract.document import Operation
from tests.factories import PASSWORD, make_session, make_task, make_token, make_user
from tests.tasks import sharing
from tests.tasks.wire import author, trash


class World:
    """Alice, signed in, and what is hers."""

    def __init__(self) -> None:
        self.alice: User = make_user("alice")
        self.session: Session = make_session(self.alice)

    @property
    def project_id(self) -> UUID:
        return inbox_id(self.alice.pk)

    def token(self) -> str:
        return str(AccessToken.for_session(self.session))

    def task(self) -> Task:
        return make_task(self.alice)

    def recurring(self) -> Task:
        due_at = timezone.now()
        rule = "DUE Europe/Berlin FREQ=WEEKLY"
        return make_task(self.alice, due_at=due_at, recurrence=rule)

    def trashed(self) -> Task:
        return trash(self.task())

    def project(self) -> Project:
        return sharing.make_project(self.alice)

    def trashed_project(self) -> Project:
        project = self.project()
        sharing.delete(project)
        return project

    def member(self) -> tuple[Project, User]:
        """Of a project of Alice's."""
        project, carol = self.project(), make_user("carol")
        sharing.share(project, carol)
        return project, carol

    def invitation(self) -> tuple[Invitation, str]:
        context = sharing.author(self.alice)
        email, pk = "dora@example.com", self.project().pk
        return invitations.invite(pk, email, Role.EDITOR, context)

    def foreign_invitation(self) -> tuple[Invitation, str]:
        """To a project of somebody else."""
        dave = make_user("dave")
        context, project = sharing.author(dave), sharing.make_project(dave)
        return invitations.invite(project.pk, "a@b.example", Role.EDITOR, context)

    def comment(self) -> Comment:
        return create_comment(self.task().pk, "By the way", author(self.alice))

    def personal_token(self, *scopes: str) -> tuple[PersonalToken, str]:
        return make_token(self.alice, scopes or ["tasks:read"], session=self.session)

    def webhook(self) -> Webhook:
        values = {"url": "https://receiver.example/hook", "events": 1}
        return webhooks.create_webhook(values, sharing.author(self.alice))[0]

    def label(self) -> Label:
        make_task(self.alice, labels=["garden"])
        return Label.objects.get(name="garden")


@dataclass
class Call:
    """What is sent: `id` and `ids` go into the path; header names as Django's clients
    want.
    """

    id: Any = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    environ: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)
    # A personal token, where a session's will not do.
    token: str | None = None

    def path(self, operation: Operation) -> str:
        path = operation.path
        for name, value in {"id": self.id, **self.ids}.items():
            path = path.replace(f"{{{name}}}", str(value))
        return path + self.query

    def send(self, operation: Operation, method: str | None = None) -> Any:
        # As a server does: plain views must not mistake a POST for a form.
        client = APIClient(enforce_csrf_checks=True, raise_request_exception=False)
        path = self.path(operation)
        extra: dict[str, Any] = {"headers": self.headers} | self.environ
        if self.body is not None:
            extra |= {"data": self.body, "format": "json"}
        return getattr(client, method or operation.method)(path, **extra)

    def signed_in(self, token: str) -> "Call":
        self.headers["Authorization"] = f"Bearer {self.token or token}"
        return self


NEW_PASSWORD = "a new horse 2"


def refresh_token(world: World) -> Call:
    return Call(body={"refreshToken": str(RefreshToken.for_session(world.session))})


def replacement(world: World) -> Call:
    body = {
        "title": "Water the cat",
        "description": None,
        "status": "DONE",
        "priority": "LOW",
        "dueDate": None,
    }
    return Call(world.task().pk, body, {"If-Match": '"v1"'})


def copy(world: World) -> Call:
    task = world.task()
    return Call(task.pk, {"projectId": str(task.project_id)})


def comment(world: World, body: Any = None) -> Call:
    made = world.comment()
    return Call(made.task_id, body, ids={"commentId": made.pk})


def batch(world: World) -> Call:
    target = str(world.task().pk)
    operations = [
        {"op": "create", "data": {"title": "Buy soil"}},
        {"op": "update", "id": target, "version": 1, "data": {"status": "DONE"}},
        {"op": "delete", "id": target},
    ]
    return Call(body={"operations": operations})


def email_token(world: World) -> Call:
    email, now = "carol@example.com", timezone.now()
    return Call(body={"token": email_change.request(world.alice, email, now=now)})


def member(world: World, body: Any = None) -> Call:
    project, carol = world.member()
    return Call(project.pk, body, ids={"userId": carol.pk})


def invitation(world: World) -> Call:
    made, _ = world.invitation()
    return Call(made.project_id, ids={"invitationId": made.pk})


def delivery(world: World) -> Call:
    made = webhooks.send_test(world.webhook().pk, sharing.author(world.alice))
    Delivery.objects.filter(pk=made.pk).update(status="DELIVERED")
    return Call(made.webhook_id, ids={"deliveryId": made.pk})


CALLS: dict[str, Callable[[World], Call]] = {
    "register": lambda world: Call(
        body={"name": "Carol", "email": "carol@example.com", "password": PASSWORD}
    ),
    "login": lambda world: Call(
        body={"email": world.alice.email, "password": PASSWORD}
    ),
    "refresh": refresh_token,
    "logout": refresh_token,
    "logoutAll": lambda world: Call(),
    "listSessions": lambda world: Call(),
    "endSession": lambda world: Call(make_session(world.alice).pk),
    "listTokens": lambda world: Call(),
    "createToken": lambda world: Call(
        body={"name": "Nightly report", "scopes": ["tasks:read"]}
    ),
    "getCurrentToken": lambda world: Call(token=world.personal_token()[1]),
    "revokeToken": lambda world: Call(world.personal_token()[0].pk),
    "getMe": lambda world: Call(),
    "updateMe": lambda world: Call(body={"name": "Alice A."}),
    "exportMe": lambda world: Call(),
    "eraseMe": lambda world: Call(body={"password": PASSWORD}),
    "changeEmail": lambda world: Call(
        body={"password": PASSWORD, "newEmail": "carol@example.com"}
    ),
    "confirmEmail": email_token,
    "changePassword": lambda world: Call(
        body={"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    ),
    "forgotPassword": lambda world: Call(body={"email": "nobody@example.com"}),
    "resetPassword": lambda world: Call(
        body={
            "token": passwords.make_reset_token(world.alice),
            "newPassword": NEW_PASSWORD,
        }
    ),
    "listTasks": lambda world: Call(query=f"?project={world.project_id}"),
    "createTask": lambda world: Call(body={"title": "Water the plants"}),
    "getTask": lambda world: Call(world.task().pk),
    "updateTask": lambda world: Call(world.task().pk, {"status": "IN_PROGRESS"}),
    "replaceTask": replacement,
    "deleteTask": lambda world: Call(world.task().pk),
    "restoreTask": lambda world: Call(world.trashed().pk),
    "moveTask": lambda world: Call(world.task().pk, {"parentId": None}),
    "copyTask": copy,
    "skipTask": lambda world: Call(world.recurring().pk),
    "listTaskOccurrences": lambda world: Call(world.recurring().pk),
    "batchTasks": batch,
    "exportTasks": lambda world: Call(
        query=f"?format=jsonl&project={world.project_id}"
    ),
    "getTaskStats": lambda world: Call(query=f"?project={world.project_id}"),
    "listTaskHistory": lambda world: Call(world.task().pk),
    "listComments": lambda world: Call(world.task().pk),
    "createComment": lambda world: Call(world.task().pk, {"text": "By the way"}),
    "getComment": comment,
    "updateComment": lambda world: comment(world, {"text": "Done"}),
    "deleteComment": comment,
    "listPeople": lambda world: Call(query=f"?ids={world.alice.pk}"),
    "listLabels": lambda world: Call(query=f"?project={world.project_id}"),
    "createLabel": lambda world: Call(body={"name": "garden"}),
    "getLabel": lambda world: Call(world.label().pk),
    "updateLabel": lambda world: Call(world.label().pk, {"name": "allotment"}),
    "deleteLabel": lambda world: Call(world.label().pk),
    "listTrash": lambda world: Call(),
    "getTrashedTask": lambda world: Call(world.trashed().pk),
    "emptyTrash": lambda world: Call(),
    "destroyTask": lambda world: Call(world.trashed().pk),
    "listProjects": lambda world: Call(),
    "createProject": lambda world: Call(body={"name": "House"}),
    "getProject": lambda world: Call(world.project().pk),
    "updateProject": lambda world: Call(world.project().pk, {"name": "Home"}),
    "deleteProject": lambda world: Call(world.project().pk),
    "restoreProject": lambda world: Call(world.trashed_project().pk),
    "listTrashedProjects": lambda world: Call(),
    "destroyProject": lambda world: Call(world.trashed_project().pk),
    "listProjectHistory": lambda world: Call(world.project().pk),
    "listMembers": lambda world: Call(world.project().pk),
    "updateMember": lambda world: member(world, {"role": "VIEWER"}),
    "removeMember": member,
    "listInvitations": lambda world: Call(world.project().pk),
    "createInvitation": lambda world: Call(
        world.project().pk, {"email": "dora@example.com", "role": "EDITOR"}
    ),
    "withdrawInvitation": invitation,
    "acceptInvitation": lambda world: Call(
        body={"token": world.foreign_invitation()[1]}
    ),
    "declineInvitation": lambda world: Call(body={"token": world.invitation()[1]}),
    "listWebhooks": lambda world: Call(),
    "createWebhook": lambda world: Call(
        body={"url": "https://receiver.example/hook", "events": ["task.created"]}
    ),
    "getWebhook": lambda world: Call(world.webhook().pk),
    "updateWebhook": lambda world: Call(world.webhook().pk, {"isEnabled": False}),
    "deleteWebhook": lambda world: Call(world.webhook().pk),
    "testWebhook": lambda world: Call(world.webhook().pk),
    "rotateWebhookSecret": lambda world: Call(world.webhook().pk),
    "listDeliveries": lambda world: Call(world.webhook().pk),
    "redeliver": delivery,
    "getHealth": lambda world: Call(),
    "getLiveness": lambda world: Call(),
    "getReadiness": lambda world: Call(),
}
