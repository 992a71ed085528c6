"""Who may do what to whose task: every route with an id, in every combination."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task, TaskChange
from tests.factories import make_task
from tests.tasks.wire import error_of, trash

REPLACEMENT = {
    "title": "Mine now",
    "description": None,
    "status": "TODO",
    "priority": "LOW",
    "dueDate": None,
}
# Method, path after /api/tasks and body.
ROUTES = {
    "GET": ("get", "/{id}", None),
    "HEAD": ("head", "/{id}", None),
    "PUT": ("put", "/{id}", REPLACEMENT),
    "PATCH": ("patch", "/{id}", {"title": "Mine now"}),
    "DELETE": ("delete", "/{id}", None),
    "history": ("get", "/{id}/history", None),
    "restore": ("post", "/{id}/restore", None),
    "destroy": ("delete", "/trash/{id}", None),
}
WHOSE = ["own", "own trashed", "foreign", "foreign trashed", "missing"]
STATUSES = {
    "GET": [200, 404, 403, 404, 404],
    "HEAD": [200, 404, 403, 404, 404],
    "PUT": [200, 404, 403, 404, 404],
    "PATCH": [200, 404, 403, 404, 404],
    "DELETE": [204, 404, 403, 404, 404],
    "history": [200, 200, 403, 403, 404],
    "restore": [404, 200, 404, 403, 404],
    "destroy": [404, 204, 404, 403, 404],
}
MATRIX = [
    (route, whose, status)
    for route, row in STATUSES.items()
    for whose, status in zip(WHOSE, row, strict=True)
]
ERRORS = {
    403: {"code": "FORBIDDEN", "message": "This task belongs to somebody else."},
    404: {"code": "NOT_FOUND", "message": "Task not found."},
}


@pytest.fixture
def tasks(alice: User, bob: User) -> dict[str, UUID]:
    """Ids of the tasks that alice asks for."""
    made = [
        make_task(alice),
        trash(make_task(alice)),
        make_task(bob),
        trash(make_task(bob)),
    ]
    return dict(zip(WHOSE, [*(task.pk for task in made), uuid4()], strict=True))


def send(api: APIClient, route: str, pk: UUID) -> Any:
    method, path, body = ROUTES[route]
    path = "/api/tasks" + path.format(id=pk)
    headers = {"HTTP_IF_MATCH": "*"} if route == "PUT" else {}
    return getattr(api, method)(path, body, format="json", **headers)


def rows() -> list[Any]:
    users = User.objects.order_by("id").values_list("id", "revision")
    return [
        *Task.objects.order_by("id").values(),
        *TaskChange.objects.order_by("id").values(),
        *users,
    ]


@pytest.mark.parametrize(("route", "whose", "status"), MATRIX)
def test_caller_reaches_own_tasks_only(
    alice_api: APIClient, tasks: dict[str, UUID], route: str, whose: str, status: int
) -> None:
    before = rows()
    response = send(alice_api, route, tasks[whose])

    assert response.status_code == status
    if status >= 400:
        assert rows() == before
        if route != "HEAD":
            assert error_of(response) == ERRORS[status]


@pytest.mark.parametrize("route", ROUTES)
def test_anonymous_caller_reaches_nothing(
    api: APIClient, tasks: dict[str, UUID], route: str
) -> None:
    before = rows()
    for whose in WHOSE:
        response = send(api, route, tasks[whose])

        assert response.status_code == 401, whose
        assert response["WWW-Authenticate"] == "Bearer"
        assert rows() == before
        if route != "HEAD":
            assert error_of(response)["code"] == "AUTHENTICATION_ERROR"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("head", ""),
        ("post", ""),
        ("post", "/batch"),
        ("get", "/stats"),
        ("get", "/trash"),
    ],
)
def test_anonymous_caller_reaches_no_collection(
    api: APIClient, tasks: dict[str, UUID], method: str, path: str
) -> None:
    before = rows()
    response = getattr(api, method)(f"/api/tasks{path}", {}, format="json")

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert rows() == before


def test_body_of_a_refusal_shows_nothing_of_the_task(
    alice_api: APIClient, bob: User
) -> None:
    secret = make_task(bob, title="Surprise party", description="For alice")
    for route in ROUTES:
        response = send(alice_api, route, secret.pk)

        assert response.status_code in {403, 404}
        assert b"party" not in response.content
        assert "ETag" not in response


def test_stranger_with_a_wrong_tag_learns_nothing(
    bob_api: APIClient, task: Task
) -> None:
    path = f"/api/tasks/{task.pk}"
    body = {"title": "B"}
    response = bob_api.patch(path, body, format="json", HTTP_IF_MATCH='"v9"')

    assert response.status_code == 403
    assert error_of(response) == ERRORS[403]


def test_task_cannot_be_given_to_somebody_else(
    alice_api: APIClient, task: Task, alice: User, bob: User
) -> None:
    body = {"userId": str(bob.pk)}
    response = alice_api.patch(f"/api/tasks/{task.pk}", body, format="json")

    assert response.json()["userId"] == str(alice.pk)
    assert not Task.objects.filter(user_id=bob.pk).exists()
