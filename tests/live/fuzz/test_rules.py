"""No rule explains more than it says: else it would hide a fault."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.live.wire import Answer

TASK = "5d2c8e14-3f6b-4a79-8c0d-9e1f2a3b4c5d"
LIST = "http://localhost/api/tasks"


@pytest.fixture
def rules(lacking: Any) -> Any:
    try:
        from tests.live.fuzz import rules
    except ImportError as error:
        lacking(f"Schemathesis is not installed: {error}")
    rules.RESTORED.clear()
    return rules


def rejected() -> Any:
    from schemathesis.openapi.checks import RejectedPositiveData

    about: Any = {"allowed_statuses": [], "message": "", "status_code": 400}
    return RejectedPositiveData(operation="POST /api/tasks", **about)


def freed(path: str) -> Any:
    from schemathesis.openapi.checks import UseAfterFree

    about: Any = {"usage": "", "deleted_case_id": "", "message": ""}
    return UseAfterFree(operation="", free=f"DELETE {path}", **about)


def request(url: str = LIST, body: Any = None, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(url=url, body=json.dumps(body).encode(), headers=named)


def answer(status: int, *fields: str, code: str = "invalid") -> Answer:
    details = [{"field": field, "code": code} for field in fields]
    error = {"code": "", "details": details}
    return Answer(status, {}, json.dumps({"error": error}).encode(), 0.0)


STALE = {"operations": [{"op": "update", "version": 3}]}
FRACTION = {"operations": [{"version": 2.0}]}
TWO = {"operations": [{"version": 2, "data": {"version": 3}}]}
SAME = {"operations": [{"version": 3, "data": {"version": 3}}]}


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (request(If_Match='"v1"'), answer(412)),
        (request(body=STALE), answer(412)),
        (request(Idempotency_Key="a"), answer(422)),
        (request(f"{LIST}?cursor=a"), answer(400, "cursor")),
        (request(f"{LIST}?cursor=a&page=1"), answer(400, "page")),
        (request(body={"version": 2.0}), answer(400, "version")),
        (request(body=FRACTION), answer(400, "operations.0.version")),
        (request(body=TWO), answer(400, "operations.0.version")),
        (request(body={}), answer(400, "newPassword", code="password_too_common")),
        (request(X_Request_Id="hostile.deep"), answer(400)),
    ],
)
def test_right_answer_is_explained(rules: Any, sent: Any, got: Answer) -> None:
    assert rules.explain(rejected(), "batchTasks", sent, got)


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (request(), answer(412)),
        (request(), answer(422)),
        (request(If_Match='"v1"'), answer(422)),
        (request(Idempotency_Key="a"), answer(400, "Idempotency-Key")),
        (request(f"{LIST}?cursor=a"), answer(400)),
        (request(f"{LIST}?cursor=a"), answer(400, "cursor", "sort")),
        (request(f"{LIST}?page=1"), answer(400, "page")),
        (request(body={"version": 2}), answer(400, "version")),
        (request(body={}), answer(400, "password", code="blank")),
        (request(body={}), answer(400, "title", code="password_too_common")),
        (request(body=SAME), answer(400, "operations.0.version")),
        (request(body=TWO), answer(400, "operations.0.data")),
        (request(body={"version": 2.0}), answer(400, "title")),
        (request(body={"version": 2.0, "title": "a"}), answer(400, "version", "title")),
        (request(), answer(400)),
        (request(X_Request_Id="mine"), answer(400)),
    ],
)
def test_any_other_answer_is_not(rules: Any, sent: Any, got: Answer) -> None:
    assert not rules.explain(rejected(), "batchTasks", sent, got)


def test_deleted_task_has_its_history_until_it_is_destroyed(rules: Any) -> None:
    deleted = freed(f"/api/tasks/{TASK}")
    destroyed = freed(f"/api/tasks/trash/{TASK}")
    seen = request(), answer(200)

    assert rules.explain(deleted, "listTaskHistory", *seen)
    assert not rules.explain(deleted, "getTask", *seen)
    assert not rules.explain(destroyed, "listTaskHistory", *seen)


def test_restored_task_is_there_until_it_is_deleted_again(rules: Any) -> None:
    deleted, seen = freed(f"/api/tasks/{TASK}"), (request(), answer(200))

    rules.remember("restoreTask", 404, TASK)
    assert not rules.explain(deleted, "getTask", *seen)
    rules.remember("restoreTask", 200, TASK)
    assert rules.explain(deleted, "getTask", *seen)
    rules.remember("deleteTask", 204, TASK)
    assert not rules.explain(deleted, "getTask", *seen)
