"""Each operation is made to answer each status that it documents.

What the answers look like is judged by the plugin, as for every other test.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from rest_framework.views import APIView

from taskapi.api.rate_limit import RateLimit
from taskapi.http import health
from tasks.models import Project, Task, Webhook, inbox_id
from tasks.sync.state import State
from tests.contract.calls import CALLS, Call, World
from tests.contract.document import JSON, METHODS, Operation, document, fault
from tests.factories import make_session, make_task, make_user
from tests.tasks.sharing import archive, make_project

OPERATIONS = document().operations
PAIRS = sorted(document().pairs())


class Attempt:
    """One operation, a request that it would answer with success, and its sender."""

    def __init__(self, name: str, patch: pytest.MonkeyPatch, settings: Any) -> None:
        self.operation: Operation = OPERATIONS[name]
        self.patch, self.settings = patch, settings
        self.world = World()
        self.call: Call = CALLS[name](self.world)
        self.needs_token = bool(self.operation.described["security"])
        if self.needs_token:
            self.call.signed_in(self.world.token())

    @property
    def name(self) -> str:
        return self.operation.name

    @property
    def is_probe(self) -> bool:
        """A plain view, which DRF has no part in."""
        return self.operation.described["tags"] == ["Operations"]

    def send(self, method: str | None = None) -> Any:
        return self.call.send(self.operation, method)


@pytest.fixture
def attempt(
    request: pytest.FixtureRequest,
    db: None,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> Attempt:
    if request.param in {"getHealth", "getReadiness"}:
        # The real one asks over a connection of its own.
        monkeypatch.setattr(health, "ask_database", lambda: None)
    return Attempt(request.param, monkeypatch, settings)


def away(*args: Any) -> Any:
    raise OperationalError("away")


def succeed(attempt: Attempt) -> Any:
    return attempt.send()


def know_it_already(attempt: Attempt) -> Any:
    attempt.call.headers["If-None-Match"] = "*"
    return attempt.send()


def ask_what_is_not_known(attempt: Attempt) -> Any:
    if attempt.is_probe:
        attempt.call.environ["taskapi.refusal"] = 400, "A Host header is required."
    else:
        attempt.call.query = "?nonsense=1"
    return attempt.send()


def have_no_credentials(attempt: Attempt) -> Any:
    if attempt.needs_token:
        del attempt.call.headers["Authorization"]
    else:
        secret = {"password", "refreshToken", "token"} & attempt.call.body.keys()
        attempt.call.body[secret.pop()] = "guessed"
    return attempt.send()


def be_a_stranger(attempt: Attempt) -> Any:
    session = make_session(make_user("bob"))
    attempt.world.session = session
    attempt.call.signed_in(attempt.world.token())
    return attempt.send()


def lack_the_scope(attempt: Attempt) -> Any:
    _, token = attempt.world.personal_token("webhooks:manage")
    attempt.call.signed_in(token)
    return attempt.send()


def ask_for_what_is_not_there(attempt: Attempt) -> Any:
    if attempt.name == "batchTasks":
        attempt.call.body["operations"][-1]["id"] = str(uuid4())
    if attempt.name == "getCurrentToken":
        attempt.call.token = None
        attempt.call.signed_in(attempt.world.token())
    attempt.call.id = uuid4()
    return attempt.send()


def use_other_methods(attempt: Attempt) -> Any:
    """All that the path does not have; the last one's answer."""
    item = document().item(attempt.operation.path) or {}
    others = METHODS - item.keys() - {"head", "options"}
    attempt.call.body = None
    for method in sorted(others):
        response = attempt.send(method)
        assert response.status_code == 405, method
        allowed = set(response["Allow"].split(", ")) - {"HEAD", "OPTIONS"}
        assert allowed == {name.upper() for name in item}
    return response


def want_a_picture(attempt: Attempt) -> Any:
    attempt.call.headers["Accept"] = "image/png"
    return attempt.send()


def find_the_address_taken(attempt: Attempt) -> Any:
    make_user("carol")
    return attempt.send()


def be_shut_out(attempt: Attempt) -> Any:
    attempt.settings.REGISTRATION = "closed"
    return attempt.send()


def be_the_last_administrator(attempt: Attempt) -> Any:
    world = attempt.world
    world.alice.role = "ADMIN"
    world.alice.save()
    world.session = make_session(world.alice)
    attempt.call.signed_in(world.token())
    return attempt.send()


def run_twice_at_once(attempt: Attempt) -> Any:
    def lock(*args: Any) -> None:
        # PostgreSQL's lock_not_available, after lock_timeout.
        raise OperationalError from cause

    cause = type("LockNotAvailable", (Exception,), {"sqlstate": "55P03"})()
    attempt.patch.setattr("taskapi.api.idempotency.claim", lock)
    attempt.call.headers["Idempotency-Key"] = "first"
    return attempt.send()


def archive_its_project(attempt: Attempt) -> Any:
    task = Task.objects.get(pk=attempt.call.id)
    project = make_project(attempt.world.alice)
    Task.objects.filter(pk=task.pk).update(project=project)
    archive(project)
    return attempt.send()


def archive_it(attempt: Attempt) -> Any:
    archive(Project.objects.get(pk=attempt.call.id))
    return attempt.send()


def mean_the_inbox(attempt: Attempt) -> Any:
    attempt.call.id = inbox_id(attempt.world.alice.pk)
    return attempt.send()


def mean_the_owner(attempt: Attempt) -> Any:
    attempt.call.ids["userId"] = attempt.world.alice.pk
    return attempt.send()


def ask_for_a_strangers(attempt: Attempt) -> Any:
    attempt.call.query = f"?project={make_project(make_user('bob')).pk}"
    return attempt.send()


def have_all_projects(attempt: Attempt) -> Any:
    attempt.settings.QUOTA_PROJECTS = 1
    return attempt.send()


def have_all_members(attempt: Attempt) -> Any:
    attempt.settings.QUOTA_MEMBERS = 0
    return attempt.send()


def find_the_project_archived(attempt: Attempt) -> Any:
    inbox = Project.objects.filter(owner=attempt.world.alice)
    inbox.update(archived_at=timezone.now())
    return attempt.send()


def have_all_tokens(attempt: Attempt) -> Any:
    attempt.settings.QUOTA_TOKENS = 0
    return attempt.send()


def lack_the_scope_of_webhooks(attempt: Attempt) -> Any:
    _, token = attempt.world.personal_token("tasks:write", "projects:write")
    attempt.call.signed_in(token)
    return attempt.send()


def lose_access(attempt: Attempt) -> Any:
    """To the project of the webhook, which is enabled again."""
    project = make_project(make_user("bob"))
    Webhook.objects.update(project=project, disabled_at=timezone.now())
    attempt.call.body = {"isEnabled": True}
    return attempt.send()


def have_all_webhooks(attempt: Attempt) -> Any:
    attempt.settings.QUOTA_WEBHOOKS = 1
    attempt.world.webhook()
    return attempt.send()


def find_the_name_taken(attempt: Attempt) -> Any:
    make_task(attempt.world.alice, labels=["allotment"])
    return attempt.send()


def find_too_many_tasks(attempt: Attempt) -> Any:
    attempt.patch.setattr("tasks.operations.space_labels.MAX_TASKS", 0)
    return attempt.send()


def come_too_late(attempt: Attempt) -> Any:
    long_ago = timezone.now() - timedelta(days=31)
    token = State.new(long_ago).encode(attempt.world.alice.pk)
    attempt.call.query = f"?since={token}"
    return attempt.send()


def have_all_labels(attempt: Attempt) -> Any:
    attempt.settings.QUOTA_LABELS = 1
    attempt.world.label()
    attempt.call.body = {"name": "Another"}
    return attempt.send()


def expect_another_version(attempt: Attempt) -> Any:
    if attempt.name == "batchTasks":
        attempt.call.body["operations"][1]["version"] = 7
    else:
        attempt.call.headers["If-Match"] = '"v7"'
    return attempt.send()


def send_too_much(attempt: Attempt) -> Any:
    attempt.settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1
    attempt.call.body = attempt.call.body or {"version": 1}
    return attempt.send()


def name_another_charset(attempt: Attempt) -> Any:
    attempt.call.headers["Content-Type"] = "application/json; charset=latin-1"
    attempt.call.body = None
    return attempt.send()


def reuse_a_key(attempt: Attempt) -> Any:
    attempt.call.headers["Idempotency-Key"] = "first"
    assert attempt.send().status_code < 300
    attempt.call.body = OTHER_BODIES.get(
        attempt.name, {"title": "Another"} if attempt.call.body else {"version": 2}
    )
    return attempt.send()


def expect_nothing(attempt: Attempt) -> Any:
    del attempt.call.headers["If-Match"]
    return attempt.send()


def have_nothing_left(attempt: Attempt) -> Any:
    limits = dict.fromkeys(attempt.settings.RATE_LIMITS, RateLimit(0, 900))
    attempt.settings.RATE_LIMITS = limits
    return attempt.send()


def have_no_quota(attempt: Attempt) -> Any:
    attempt.settings.QUOTA_BYTES = 1
    return attempt.send()


def fail_unexpectedly(attempt: Attempt) -> Any:
    def fail(*args: Any, **options: Any) -> Any:
        raise RuntimeError

    attempt.patch.setattr(health, "state", fail)
    attempt.patch.setattr(APIView, "check_permissions", fail)
    return attempt.send()


def lose_the_database(attempt: Attempt) -> Any:
    attempt.patch.setattr(health, "ask_database", away)
    with connection.execute_wrapper(away):
        return attempt.send()


OTHER_BODIES: dict[str, Any] = {
    "createProject": {"name": "Another"},
    "createInvitation": {"email": "b@example.com", "role": "VIEWER"},
    "acceptInvitation": {"token": "another"},
}
# What nobody is refused for whose it is.
SCOPED = (
    *("changeEmail", "confirmEmail", "changePassword", "logoutAll", "listSessions"),
    *("endSession", "listTokens", "revokeToken", "getMe", "updateMe", "exportMe"),
    *("eraseMe", "listPeople", "listProjects", "listTrashedProjects", "listTrash"),
    *("emptyTrash", "listChanges"),
)
PROVOCATIONS: dict[int, Callable[[Attempt], Any]] = {
    200: succeed,
    201: succeed,
    202: succeed,
    204: succeed,
    304: know_it_already,
    400: ask_what_is_not_known,
    401: have_no_credentials,
    403: be_a_stranger,
    404: ask_for_what_is_not_there,
    405: use_other_methods,
    406: want_a_picture,
    409: run_twice_at_once,
    410: come_too_late,
    412: expect_another_version,
    413: send_too_much,
    415: name_another_charset,
    422: reuse_a_key,
    428: expect_nothing,
    429: have_nothing_left,
    500: fail_unexpectedly,
    503: lose_the_database,
}
SPECIAL = {
    **dict.fromkeys(((name, 403) for name in SCOPED), lack_the_scope),
    ("createToken", 403): have_all_tokens,
    ("createTask", 403): have_no_quota,
    ("createProject", 403): have_all_projects,
    ("acceptInvitation", 403): have_all_members,
    ("listTasks", 403): ask_for_a_strangers,
    ("updateTask", 409): archive_its_project,
    ("replaceTask", 409): archive_its_project,
    ("deleteTask", 409): archive_its_project,
    ("updateProject", 409): archive_it,
    ("deleteProject", 409): mean_the_inbox,
    ("updateMember", 409): mean_the_owner,
    ("removeMember", 409): mean_the_owner,
    ("register", 403): be_shut_out,
    ("eraseMe", 409): be_the_last_administrator,
    ("register", 409): find_the_address_taken,
    ("confirmEmail", 409): find_the_address_taken,
    ("updateComment", 409): find_the_project_archived,
    ("deleteComment", 409): find_the_project_archived,
    ("listWebhooks", 403): lack_the_scope_of_webhooks,
    ("createWebhook", 403): have_all_webhooks,
    ("updateWebhook", 409): lose_access,
    ("createLabel", 403): have_all_labels,
    ("updateLabel", 409): find_the_name_taken,
    ("deleteLabel", 409): find_too_many_tasks,
}


@pytest.mark.parametrize(
    ("attempt", "status"), PAIRS, indirect=["attempt"], ids=lambda value: str(value)
)
def test_documented_status_is_answered(attempt: Attempt, status: int) -> None:
    provoke = SPECIAL.get((attempt.name, status), PROVOCATIONS[status])

    response = provoke(attempt)

    assert response.status_code == status, response.content


@pytest.mark.parametrize("attempt", sorted(OPERATIONS), indirect=True)
def test_request_is_as_described(attempt: Attempt) -> None:
    judge = attempt.operation.request

    assert (judge is None) == ("requestBody" not in attempt.operation.described)
    if judge is None:
        assert attempt.call.body is None
    else:
        assert fault(judge, attempt.call.body or {}) is None


REQUESTS = [name for name in sorted(OPERATIONS) if OPERATIONS[name].request]


@pytest.mark.parametrize("attempt", REQUESTS, indirect=True)
def test_example_of_a_request_is_understood(attempt: Attempt) -> None:
    content = attempt.operation.described["requestBody"]["content"]
    example = content[JSON]["example"]
    # What it names is none of those that there are here.
    names_something = {
        *("copyTask", "acceptInvitation", "declineInvitation", "createToken")
    }
    real = attempt.call.body if attempt.name in names_something else None
    attempt.call.body = real or example

    assert attempt.send().status_code != 400
