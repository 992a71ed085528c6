import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task
from tests.factories import Priority, Status, make_task
from tests.tasks.wire import at, details_of, error_of, untouched

MATCHING = [
    '"v1"',
    'W/"v1"',
    "*",
    '  "v1"\t',
    '"v0", "v1"',
    '"v0",W/"v1"',
    '"with,comma" , "v1"',
    '"v1", "v1"',
]
DIFFERENT = ['"v2"', '"V1"', '"v10"', '""', '"*"', 'W/"v0"', '"v0", "v2"', '"W/v1"']
MALFORMED = ["v1", '"v1', 'v1"', '"v1" "v2"', '*, "v1"', "", 'w/"v1"', "'v1'", "W/v1"]


def test_task_is_shown_whole(alice_api: APIClient, alice: User) -> None:
    task = make_task(
        alice,
        title="Pay rent",
        description="",
        status=Status.DONE,
        priority=Priority.HIGH,
        due_at=at("2026-12-31T09:00:00"),
        now=at("2026-11-01T08:00:00.000250"),
    )
    response = alice_api.get(f"/api/tasks/{task.pk}")

    assert response.status_code == 200
    assert response["ETag"] == '"v1"'
    assert response.json() == untouched(alice) | {
        "id": str(task.pk),
        "title": "Pay rent",
        "description": "",
        "status": "DONE",
        "priority": "HIGH",
        "dueDate": "2026-12-31T09:00:00Z",
        "completedAt": "2026-11-01T08:00:00.000250Z",
        "version": 1,
        "createdAt": "2026-11-01T08:00:00.000250Z",
        "updatedAt": "2026-11-01T08:00:00.000250Z",
    }


def test_tag_follows_the_version(alice_api: APIClient, task: Task) -> None:
    alice_api.patch(f"/api/tasks/{task.pk}", {"title": "New"}, format="json")
    response = alice_api.get(f"/api/tasks/{task.pk}")

    assert response["ETag"] == '"v2"'
    assert response.json()["version"] == 2


@pytest.mark.parametrize("known", MATCHING)
def test_unchanged_task_is_not_sent_again(
    alice_api: APIClient, task: Task, known: str
) -> None:
    response = alice_api.get(f"/api/tasks/{task.pk}", HTTP_IF_NONE_MATCH=known)

    assert response.status_code == 304
    assert response.content == b""
    assert response["ETag"] == '"v1"'
    assert response["Cache-Control"] == "private, no-cache"
    assert "Authorization" in response["Vary"].split(", ")
    assert response["X-Request-Id"]
    assert "Content-Type" not in response
    assert "Content-Length" not in response


@pytest.mark.parametrize("known", DIFFERENT)
def test_task_unlike_the_known_one_is_sent(
    alice_api: APIClient, task: Task, known: str
) -> None:
    response = alice_api.get(f"/api/tasks/{task.pk}", HTTP_IF_NONE_MATCH=known)

    assert response.status_code == 200
    assert response.json()["id"] == str(task.pk)


@pytest.mark.parametrize("known", MALFORMED)
def test_malformed_if_none_match_is_refused(
    alice_api: APIClient, task: Task, known: str
) -> None:
    response = alice_api.get(f"/api/tasks/{task.pk}", HTTP_IF_NONE_MATCH=known)

    assert details_of(response) == [("If-None-Match", "invalid")]


def test_changed_task_is_sent_again(alice_api: APIClient, task: Task) -> None:
    tag = alice_api.get(f"/api/tasks/{task.pk}")["ETag"]
    alice_api.patch(f"/api/tasks/{task.pk}", {"title": "New"}, format="json")
    response = alice_api.get(f"/api/tasks/{task.pk}", HTTP_IF_NONE_MATCH=tag)

    assert response.status_code == 200
    assert response.json()["title"] == "New"


def test_head_has_the_headers_of_get(alice_api: APIClient, task: Task) -> None:
    get = alice_api.get(f"/api/tasks/{task.pk}", HTTP_X_REQUEST_ID="same")
    head = alice_api.head(f"/api/tasks/{task.pk}", HTTP_X_REQUEST_ID="same")

    assert head.status_code == 200
    assert head.content == b""
    changing = {"RateLimit", "Content-Length"}
    assert {k: v for k, v in head.items() if k not in changing} == {
        k: v for k, v in get.items() if k not in changing
    }


@pytest.mark.parametrize("name", ["not-a-uuid", "1", "%00", "stats%2F", "тест"])
def test_what_is_no_id_is_not_found(alice_api: APIClient, name: str) -> None:
    response = alice_api.get(f"/api/tasks/{name}")

    assert response.status_code == 404
    assert error_of(response) == {"code": "NOT_FOUND", "message": "No such route."}


def test_query_parameter_is_refused(alice_api: APIClient, task: Task) -> None:
    response = alice_api.get(f"/api/tasks/{task.pk}?fields=id")

    assert details_of(response) == [("fields", "unknown")]
