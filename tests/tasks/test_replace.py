from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task, TaskChange
from tests.factories import Priority, make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, details_of, error_of

NEW = {
    "title": "Feed the cat",
    "description": None,
    "status": "DONE",
    "priority": "LOW",
    "dueDate": None,
}


@pytest.fixture
def full(alice: User) -> Task:
    """A task with every field set."""
    due = at("2026-12-31T09:00:00")
    return make_task(
        alice, description="With rain water", priority=Priority.HIGH, due_at=due
    )


def put(api: APIClient, task: Task, body: Any, **headers: Any) -> Any:
    return api.put(f"/api/tasks/{task.pk}", body, format="json", **headers)


@pytest.mark.parametrize("if_match", ['"v1"', "*", '"v7", "v1"'])
def test_task_is_replaced_whole(
    alice_api: APIClient, full: Task, clock: Clock, if_match: str
) -> None:
    before = alice_api.get(f"/api/tasks/{full.pk}").json()
    clock.advance(minutes=5)
    response = put(alice_api, full, NEW, HTTP_IF_MATCH=if_match)

    assert response.status_code == 200
    assert response["ETag"] == '"v2"'
    now = clock.time.isoformat().replace("+00:00", "Z")
    after = before | NEW | {"version": 2, "completedAt": now, "updatedAt": now}
    assert response.json() == after
    assert alice_api.get(f"/api/tasks/{full.pk}").json() == after


def test_edited_answer_can_be_put_back(alice_api: APIClient, full: Task) -> None:
    answer = alice_api.get(f"/api/tasks/{full.pk}")
    edited = answer.json() | {"title": "Feed the cat"}
    response = put(alice_api, full, edited, HTTP_IF_MATCH=answer["ETag"])

    assert response.status_code == 200
    changed = {"version": 2, "updatedAt": response.json()["updatedAt"]}
    assert response.json() == edited | changed


def test_replacement_by_the_same_changes_nothing(
    alice_api: APIClient, full: Task
) -> None:
    before = alice_api.get(f"/api/tasks/{full.pk}").json()
    response = put(alice_api, full, before, HTTP_IF_MATCH='"v1"')

    assert response.status_code == 200
    assert response.json() == before
    assert TaskChange.objects.count() == 1


def test_without_if_match_nothing_is_replaced(alice_api: APIClient, full: Task) -> None:
    before = alice_api.get(f"/api/tasks/{full.pk}").json()
    response = put(alice_api, full, NEW | {"version": 1})

    assert response.status_code == 428
    assert error_of(response) == {
        "code": "PRECONDITION_REQUIRED",
        "message": "Send If-Match with the ETag of the task that this one replaces.",
    }
    assert alice_api.get(f"/api/tasks/{full.pk}").json() == before


@pytest.mark.parametrize(
    ("if_match", "version"),
    [('"v2"', None), ('W/"v1"', None), ('""', None), ("*", 2), ('"v1"', 2)],
)
def test_stale_replacement_is_refused_with_the_current_task(
    alice_api: APIClient, full: Task, if_match: str, version: int | None
) -> None:
    before = alice_api.get(f"/api/tasks/{full.pk}").json()
    body = NEW | ({"version": version} if version else {})
    response = put(alice_api, full, body, HTTP_IF_MATCH=if_match)

    assert response.status_code == 412
    assert response["ETag"] == '"v1"'
    assert error_of(response)["code"] == "PRECONDITION_FAILED"
    assert error_of(response)["current"] == before
    assert alice_api.get(f"/api/tasks/{full.pk}").json() == before


@pytest.mark.parametrize("name", list(NEW))
def test_missing_field_is_refused(alice_api: APIClient, full: Task, name: str) -> None:
    before = alice_api.get(f"/api/tasks/{full.pk}").json()
    body = {k: v for k, v in NEW.items() if k != name}
    response = put(alice_api, full, body, HTTP_IF_MATCH='"v1"')

    assert details_of(response) == [(name, "required")]
    assert alice_api.get(f"/api/tasks/{full.pk}").json() == before


def test_malformed_if_match_is_refused(alice_api: APIClient, full: Task) -> None:
    response = put(alice_api, full, NEW, HTTP_IF_MATCH="v1")

    assert details_of(response) == [("If-Match", "invalid")]


def test_unknown_field_is_refused(alice_api: APIClient, full: Task) -> None:
    response = put(alice_api, full, NEW | {"owner": "me"}, HTTP_IF_MATCH='"v1"')

    assert details_of(response) == [("owner", "unknown")]


def test_task_cannot_be_made_by_putting_it(alice_api: APIClient, alice: User) -> None:
    path = "/api/tasks/11111111-1111-4111-8111-111111111111"
    response = alice_api.put(path, NEW, format="json", HTTP_IF_MATCH="*")

    assert response.status_code == 404
    assert error_of(response) == {"code": "NOT_FOUND", "message": "Task not found."}
    assert not Task.objects.exists()
