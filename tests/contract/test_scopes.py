"""What personal tokens may do: every operation, with each scope, and with none."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import get_resolver
from rest_framework.permissions import AllowAny

from taskapi.api.scopes import ANY_TOKEN, Scope, needed_scope
from tests.contract.calls import CALLS, Call, World
from tests.contract.document import METHODS, Operation, document
from tests.factories import make_token

READ_TASKS, WRITE_TASKS = Scope.TASKS_READ, Scope.TASKS_WRITE
READ_PROJECTS, WRITE_PROJECTS = Scope.PROJECTS_READ, Scope.PROJECTS_WRITE
# Written out: that an operation needs another scope is a change for its callers.
EXPECTED: dict[str | None, set[str]] = {
    READ_TASKS: {
        *("listTasks", "getTask", "exportTasks", "getTaskStats", "listTaskHistory"),
        *("listTrash", "getTrashedTask", "listComments", "getComment"),
        *("listLabels", "getLabel", "listTaskOccurrences"),
    },
    WRITE_TASKS: {
        *("createTask", "updateTask", "replaceTask", "deleteTask", "restoreTask"),
        *(
            "skipTask",
            "moveTask",
            "copyTask",
            "batchTasks",
            "emptyTrash",
            "destroyTask",
        ),
        *("createComment", "updateComment", "deleteComment"),
        *("createLabel", "updateLabel", "deleteLabel"),
    },
    READ_PROJECTS: {
        *("listProjects", "getProject", "listTrashedProjects", "listProjectHistory"),
        *("listMembers", "listInvitations", "listPeople"),
    },
    WRITE_PROJECTS: {
        *("createProject", "updateProject", "deleteProject", "restoreProject"),
        *("destroyProject", "updateMember", "removeMember"),
        *("createInvitation", "withdrawInvitation", "acceptInvitation"),
    },
    Scope.WEBHOOKS_MANAGE: {
        *("listWebhooks", "createWebhook", "getWebhook", "updateWebhook"),
        *("deleteWebhook", "testWebhook", "rotateWebhookSecret"),
        *("listDeliveries", "redeliver"),
    },
    Scope.ACCOUNT_READ: {"getMe"},
    ANY_TOKEN: {"getCurrentToken"},
    None: {
        *("updateMe", "exportMe", "eraseMe", "changeEmail", "confirmEmail"),
        *("changePassword", "logoutAll", "listSessions", "endSession"),
        *("listTokens", "createToken", "revokeToken"),
    },
}
NEEDED = {name: scope for scope, names in EXPECTED.items() for name in names}
SIGNED_IN = {
    name: operation
    for name, operation in document().operations.items()
    if operation.described["security"]
}


def routes(resolver: Any = None) -> Iterator[Any]:
    for each in (resolver or get_resolver()).url_patterns:
        if hasattr(each, "url_patterns"):
            yield from routes(each)
        else:
            yield each


def views() -> Iterator[tuple[str, Any]]:
    """Each method of each view of DRF that needs somebody signed in."""
    for route in routes():
        view = getattr(route.callback, "cls", None)
        if view is None or AllowAny in view.permission_classes:
            continue
        actions = getattr(route.callback, "actions", None)
        for method in actions or [m for m in METHODS if hasattr(view, m)]:
            if method not in {"head", "options"}:
                yield method, view


def test_every_route_declares_its_scope() -> None:
    found = list(views())

    assert len(found) >= len(SIGNED_IN)
    for method, view in found:
        assert method in view.token_scopes, f"{method} of {view.__name__}"
        assert needed_scope(view, method) in {*Scope, ANY_TOKEN, None}


def test_undeclared_route_takes_no_token() -> None:
    assert needed_scope(object(), "get") is None


def test_table_knows_every_operation() -> None:
    assert NEEDED.keys() == SIGNED_IN.keys()


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_document_shows_the_scope(name: str) -> None:
    needed = NEEDED[name]
    shown = None if needed is None else [needed] if needed else []

    assert SIGNED_IN[name].scopes == shown


def answer_to(world: World, name: str, scopes: set[str]) -> Any:
    call: Call = CALLS[name](world)
    _, call.token = make_token(world.alice, scopes, session=world.session)
    return call.signed_in("").send(SIGNED_IN[name])


def granting(needed: str | None) -> set[str]:
    """The scopes with which a token may do it."""
    if needed is None:
        return set()
    writes = needed.replace(":read", ":write")
    return {*Scope} if needed == ANY_TOKEN else {needed, writes} & {*Scope}


def assert_refused(answer: Any, needed: str | None) -> None:
    assert answer.status_code == 403, answer.content
    error = answer.json()["error"]
    challenge = 'Bearer error="insufficient_scope"'
    assert error["code"] == "INSUFFICIENT_SCOPE"
    if needed:
        assert needed in error["message"]
        challenge = f'{challenge}, scope="{needed}"'
    assert answer["WWW-Authenticate"] == challenge


@pytest.mark.django_db
@pytest.mark.parametrize("scope", [None, *Scope])
@pytest.mark.parametrize("name", sorted(NEEDED))
def test_operation_takes_the_scopes_that_grant_it(name: str, scope: str | None) -> None:
    world, needed = World(), NEEDED[name]
    scopes = {scope} if scope else set()

    answer = answer_to(world, name, scopes)

    if needed == ANY_TOKEN or scopes & granting(needed):
        assert answer.status_code < 300, answer.content
    else:
        assert_refused(answer, needed)


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(EXPECTED[None]))
def test_no_scope_opens_what_only_sessions_may(name: str) -> None:
    assert_refused(answer_to(World(), name, {*Scope}), None)


@pytest.mark.django_db
def test_refused_operation_writes_nothing() -> None:
    world = World()

    answer_to(world, "changePassword", {*Scope})

    before = world.alice.password
    world.alice.refresh_from_db()
    assert world.alice.password == before
    assert world.alice.sessions.get().ended_at is None


@pytest.mark.django_db
def test_options_and_unknown_methods_need_no_scope() -> None:
    world = World()
    _, token = make_token(world.alice, set(), session=world.session)
    call = Call(token=token).signed_in("")
    operation: Operation = SIGNED_IN["listTasks"]

    assert call.send(operation, "options").status_code == 204
    assert call.send(operation, "put").status_code == 405
