"""Makes requests name what there is: an account, a task, a token.

Without this, whole operations would only ever be refused.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import requests

from tests.live.fuzz import spoil

PASSWORD = "water a plant 2"
# They end sessions or the account, or prove the password, whose failures are counted
# for each account, so each time they have an account of their own:
# else the rest would be asked of somebody who is signed out.
FINAL = {"changeEmail", "changePassword", "endSession", "eraseMe", "logoutAll"}
Json = dict[str, Any]


class Client:
    """Asks the server on its own account."""

    def __init__(self, server: str, authorization: str | None = None) -> None:
        self.server, self.authorization = server, authorization

    def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        headers = {"Authorization": self.authorization} if self.authorization else {}
        about: Any = {"headers": headers, "json": body, "timeout": 5}
        answer = requests.request(method, f"{self.server}{path}", **about)
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}

    def account(self) -> Json:
        """A new one: its tokens, and with which `email` it signs in."""
        email = f"{uuid4()}@example.com"
        about = {"name": "Carol", "email": email, "password": PASSWORD}
        return {"email": email, **self.ask("POST", "/api/auth/register", about)}

    def task(self) -> str:
        made = self.ask("POST", "/api/tasks", {"title": "Water the plants"})
        return str(made["id"])

    def project(self) -> str:
        return str(self.ask("POST", "/api/projects", {"name": "House"})["id"])

    def trashed_project(self) -> str:
        project = self.project()
        self.ask("DELETE", f"/api/projects/{project}")
        return project

    def invitation(self, project: str) -> str:
        email = f"{uuid4()}@example.com"
        path, body = f"/api/projects/{project}/invitations", {"email": email}
        return str(self.ask("POST", path, body | {"role": "EDITOR"})["id"])

    def comment(self, task: str) -> str:
        body = {"text": "By the way"}
        return str(self.ask("POST", f"/api/tasks/{task}/comments", body)["id"])

    def personal_token(self) -> Json:
        """Of an account of its own: each has as many as it may."""
        account = self.account()
        own = Client(self.server, f"Bearer {account['accessToken']}")
        body = {"name": "CI", "scopes": ["tasks:read"]}
        return account | own.ask("POST", "/api/auth/tokens", body)

    def label(self) -> str:
        made = self.ask("POST", "/api/labels", {"name": str(uuid4())})
        return str(made["id"])

    def webhook(self) -> str:
        body = {"url": "https://receiver.example/hook", "events": ["task.created"]}
        return str(self.ask("POST", "/api/webhooks", body)["id"])

    def recurring(self) -> str:
        rule = {"rule": "FREQ=DAILY", "timeZone": "Europe/Berlin"}
        body = {"dueDate": "2030-01-31T09:00:00Z", "recurrence": rule}
        return str(self.ask("POST", "/api/tasks", {"title": "x"} | body)["id"])

    def trashed(self) -> str:
        task = self.task()
        self.ask("DELETE", f"/api/tasks/{task}")
        return task


def sign_in_as(case: Any, account: Json) -> None:
    case.headers["Authorization"] = f"Bearer {account['accessToken']}"


def put(case: Any, **values: Any) -> None:
    """Into the body, in place of what is there."""
    if isinstance(case.body, dict):
        there = {name: each for name, each in values.items() if name in case.body}
        case.body = case.body | there


def at(case: Any, task: str, **values: Any) -> None:
    case.path_parameters = case.path_parameters | {"id": task}
    put(case, **values)
    # The example's is the tag of another version, or of nothing of this kind.
    if "If-Match" in case.headers:
        case.headers["If-Match"] = "*"
    # Every operation has the same example of a key.
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid4())


def own_session(case: Any, client: Client) -> None:
    account = client.account()
    sign_in_as(case, account)
    own = Client(client.server, case.headers["Authorization"])
    [session] = own.ask("GET", "/api/auth/sessions")["items"]
    at(case, session["id"])


def own_personal_token(case: Any, client: Client) -> None:
    made = client.personal_token()
    sign_in_as(case, made)
    at(case, made["id"])


def as_a_program(case: Any, client: Client) -> None:
    case.headers["Authorization"] = f"Bearer {client.personal_token()['token']}"


def for_own_project(case: Any, client: Client) -> None:
    """Each time of another account: each has as many tokens as it may."""
    account = client.account()
    sign_in_as(case, account)
    own = Client(client.server, case.headers["Authorization"])
    expires_at = "2099-12-01T09:00:00Z"
    at(case, "", projectIds=[own.project()], expiresAt=expires_at)
    case.path_parameters = {}


def own_token(case: Any, client: Client) -> None:
    put(case, refreshToken=client.account()["refreshToken"])


def own_task(case: Any, client: Client) -> None:
    at(case, client.task(), version=1)
    case.query = {name: case.query[name] for name in case.query if name != "cursor"}


def own_recurring(case: Any, client: Client) -> None:
    at(case, client.recurring(), version=1)


def own_comment(case: Any, client: Client) -> None:
    own_task(case, client)
    task = case.path_parameters["id"]
    case.path_parameters |= {"commentId": client.comment(task)}


def own_id(case: Any, client: Client) -> None:
    case.query = {"ids": [client.ask("GET", "/api/auth/me")["id"]]}


def own_trash(case: Any, client: Client) -> None:
    at(case, client.trashed(), version=2)


def own_copy(case: Any, client: Client) -> None:
    task = client.task()
    at(case, task, projectId=client.ask("GET", f"/api/tasks/{task}")["projectId"])


def own_project(case: Any, client: Client) -> None:
    at(case, client.project(), version=1)
    case.query = {name: case.query[name] for name in case.query if name != "cursor"}


def own_trashed_project(case: Any, client: Client) -> None:
    at(case, client.trashed_project(), version=2)


def inviting_somebody(case: Any, client: Client) -> None:
    """Each time by another account, of whom a limit counts the invitations."""
    account = client.account()
    sign_in_as(case, account)
    own = Client(client.server, case.headers["Authorization"])
    at(case, own.project(), email=f"{uuid4()}@example.com")


def own_invitation(case: Any, client: Client) -> None:
    account = client.account()
    sign_in_as(case, account)
    own = Client(client.server, case.headers["Authorization"])
    project = own.project()
    at(case, project)
    ids = {"invitationId": own.invitation(project)}
    case.path_parameters = case.path_parameters | ids


def own_label(case: Any, client: Client) -> None:
    at(case, client.label(), name=str(uuid4()), version=1)


def own_webhook(case: Any, client: Client) -> None:
    """Each time of another account: each has as many as it may."""
    account = client.account()
    sign_in_as(case, account)
    own = Client(client.server, case.headers["Authorization"])
    webhook = own.webhook()
    at(case, webhook)
    if "deliveryId" in case.path_parameters:
        made = own.ask("POST", f"/api/webhooks/{webhook}/test")
        case.path_parameters = case.path_parameters | {"deliveryId": made["id"]}


def new_webhook(case: Any, client: Client) -> None:
    sign_in_as(case, client.account())
    put(case, url="https://receiver.example/hook", projectId=None)


def new_name(case: Any, client: Client) -> None:
    put(case, name=str(uuid4()))


def of_own_project(case: Any, client: Client) -> None:
    if "project" in case.query:
        made = client.ask("POST", "/api/tasks", {"title": "Water the plants"})
        case.query = case.query | {"project": made["projectId"]}
    case.query = {name: case.query[name] for name in case.query if name != "cursor"}


def own_batch(case: Any, client: Client) -> None:
    operations = [
        each | ({"id": client.task(), "version": 1} if "id" in each else {})
        for each in case.body["operations"]
    ]
    case.body = {"operations": operations}


def new_address(case: Any, client: Client) -> None:
    put(case, email=f"{uuid4()}@example.com")


def new_account(case: Any, client: Client) -> None:
    put(case, email=client.account()["email"], password=PASSWORD)


TRUTHS: dict[str, Callable[[Any, Client], None]] = {
    "register": new_address,
    "login": new_account,
    "refresh": own_token,
    "logout": own_token,
    "endSession": own_session,
    "createToken": for_own_project,
    "getCurrentToken": as_a_program,
    "revokeToken": own_personal_token,
    "getTask": own_task,
    "updateTask": own_task,
    "replaceTask": own_task,
    "deleteTask": own_task,
    "listTaskHistory": own_task,
    "listComments": own_task,
    "createComment": own_task,
    "getComment": own_comment,
    "updateComment": own_comment,
    "deleteComment": own_comment,
    "listPeople": own_id,
    "moveTask": own_task,
    "skipTask": own_recurring,
    "listTaskOccurrences": own_recurring,
    "copyTask": own_copy,
    "getProject": own_project,
    "updateProject": own_project,
    "deleteProject": own_project,
    "listProjectHistory": own_project,
    "listMembers": own_project,
    "listInvitations": own_project,
    "createInvitation": inviting_somebody,
    "withdrawInvitation": own_invitation,
    "restoreProject": own_trashed_project,
    "destroyProject": own_trashed_project,
    "restoreTask": own_trash,
    "destroyTask": own_trash,
    "getTrashedTask": own_trash,
    "getLabel": own_label,
    "updateLabel": own_label,
    "deleteLabel": own_label,
    "createLabel": new_name,
    "createWebhook": new_webhook,
    "getWebhook": own_webhook,
    "updateWebhook": own_webhook,
    "deleteWebhook": own_webhook,
    "testWebhook": own_webhook,
    "rotateWebhookSecret": own_webhook,
    "listDeliveries": own_webhook,
    "redeliver": own_webhook,
    "listLabels": of_own_project,
    "batchTasks": own_batch,
}


def make_possible(case: Any, patterns: dict[str, str]) -> None:
    """What the coverage phase calls valid, and combines everything else with: a made-up
    cursor beside a page, and a header that its pattern does not let through.
    """
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    about = getattr(case.meta.phase.data, "parameter", None)
    if case.meta.phase.name.name == "COVERAGE" and about != "cursor":
        case.query = {name: case.query[name] for name in case.query if name != "cursor"}
    for name in patterns.keys() & set(case.headers):
        if not re.search(patterns[name], case.headers[name]):
            case.headers[name] = "*"


def make_true(case: Any, name: str, server: str) -> None:
    """Nothing where it is tried without a token or with a wrong one, or made false."""
    identity, meta = case.auth_identity, case.meta
    if case.method != case.operation.method.upper() or not (identity and meta):
        return
    client = Client(server, case.headers["Authorization"])
    if name in FINAL:
        sign_in_as(case, client.account())
        put(case, password=PASSWORD, currentPassword=PASSWORD)
    is_example = meta.phase.name.name == "EXAMPLES" and not spoil.kind_of(case)
    if is_example and meta.generation.mode.is_positive and name in TRUTHS:
        TRUTHS[name](case, client)
