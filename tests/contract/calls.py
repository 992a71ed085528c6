"""For each operation a request that succeeds, to be varied by those who want less."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from rest_framework.test import APIClient

from accounts import email_change, passwords
from accounts.auth.jwt import AccessToken, RefreshToken
from accounts.models import Session, User
from tasks.models import Task
from tests.contract.document import Operation
from tests.factories import PASSWORD, make_session, make_task, make_user
from tests.tasks.wire import trash


class World:
    """Alice, signed in, and what is hers."""

    def __init__(self) -> None:
        self.alice: User = make_user("alice")
        self.session: Session = make_session(self.alice)

    def token(self) -> str:
        return str(AccessToken.for_session(self.session))

    def task(self) -> Task:
        return make_task(self.alice)

    def trashed(self) -> Task:
        return trash(self.task())


@dataclass
class Call:
    """What is sent: `id` goes into the path; header names as Django's clients want."""

    id: Any = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    environ: dict[str, Any] = field(default_factory=dict)

    def send(self, operation: Operation, method: str | None = None) -> Any:
        # As a server does: plain views must not mistake a POST for a form.
        client = APIClient(enforce_csrf_checks=True, raise_request_exception=False)
        path = operation.path.replace("{id}", str(self.id)) + self.query
        extra: dict[str, Any] = {"headers": self.headers} | self.environ
        if self.body is not None:
            extra |= {"data": self.body, "format": "json"}
        return getattr(client, method or operation.method)(path, **extra)

    def signed_in(self, token: str) -> "Call":
        self.headers["Authorization"] = f"Bearer {token}"
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
    "listTasks": lambda world: Call(),
    "createTask": lambda world: Call(body={"title": "Water the plants"}),
    "getTask": lambda world: Call(world.task().pk),
    "updateTask": lambda world: Call(world.task().pk, {"status": "IN_PROGRESS"}),
    "replaceTask": replacement,
    "deleteTask": lambda world: Call(world.task().pk),
    "restoreTask": lambda world: Call(world.trashed().pk),
    "batchTasks": batch,
    "exportTasks": lambda world: Call(query="?format=jsonl"),
    "getTaskStats": lambda world: Call(),
    "listTaskHistory": lambda world: Call(world.task().pk),
    "listTrash": lambda world: Call(),
    "destroyTask": lambda world: Call(world.trashed().pk),
    "getHealth": lambda world: Call(),
    "getLiveness": lambda world: Call(),
    "getReadiness": lambda world: Call(),
}
