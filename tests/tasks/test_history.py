from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Role, Task, inbox_id
from tests.factories import api_of, make_task
from tests.tasks.conftest import Clock
from tests.tasks.sharing import make_project, share, task_in
from tests.tasks.wire import details_of, error_of


def changes(api: APIClient, task: Task, query: str = "") -> list[dict[str, Any]]:
    response = api.get(f"/api/tasks/{task.pk}/history{query}")
    assert response.status_code == 200
    return response.json()["items"]


def change(field: str, before: Any, after: Any) -> dict[str, Any]:
    return {"field": field, "from": before, "to": after}


def test_every_change_is_told_the_last_one_first(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    task = make_task(alice, description="Daily")
    path, times = f"/api/tasks/{task.pk}", [clock.time]

    def act(method: str, path: str, request_id: str, body: Any = None) -> None:
        clock.advance(minutes=1)
        times.append(clock.time)
        send = getattr(alice_api, method)
        send(path, body, format="json", HTTP_X_REQUEST_ID=request_id)

    act("patch", path, "two", {"status": "DONE", "priority": "HIGH"})
    act("patch", path, "three", {"description": None, "title": "Water the plants"})
    act("patch", path, "none", {"title": "Water the plants"})
    act("delete", path, "four")
    act("post", f"{path}/restore", "five")
    response = alice_api.get(f"{path}/history")

    t1, t2, t3, _, t4, t5 = [t.isoformat().replace("+00:00", "Z") for t in times]
    by = {"changedBy": str(alice.pk)}
    told = [
        (5, t5, "five", [change("deletedAt", t4, None)]),
        (4, t4, "four", [change("deletedAt", None, t4)]),
        (3, t3, "three", [change("description", "Daily", None)]),
        (
            2,
            t2,
            "two",
            [
                change("status", "TODO", "DONE"),
                change("priority", "MEDIUM", "HIGH"),
                change("completedAt", None, t2),
            ],
        ),
        (
            1,
            t1,
            "test",
            [
                change("projectId", None, str(inbox_id(alice.pk))),
                change("title", None, "Water the plants"),
                change("description", None, "Daily"),
                change("status", None, "TODO"),
                change("priority", None, "MEDIUM"),
            ],
        ),
    ]
    items = [
        by | {"version": v, "changedAt": at, "requestId": rid, "changes": fields}
        for v, at, rid, fields in told
    ]
    assert response.json() == {
        "items": items,
        "total": 5,
        "page": 1,
        "totalIsExact": True,
        "totalPages": 1,
        "nextCursor": None,
    }


def test_history_has_pages(alice_api: APIClient, task: Task) -> None:
    for title in "bcde":
        path = f"/api/tasks/{task.pk}"
        alice_api.patch(path, {"title": title}, format="json")
    second = changes(alice_api, task, "?limit=2&page=2")

    assert [item["version"] for item in second] == [3, 2]


def test_walk_through_the_history_misses_nothing_that_was_there(
    alice_api: APIClient, task: Task
) -> None:
    path = f"/api/tasks/{task.pk}"
    for title in "bcde":
        alice_api.patch(path, {"title": title}, format="json")
    versions, query = [], "?limit=2"
    while query:
        page = alice_api.get(f"{path}/history{query}").json()
        versions += [item["version"] for item in page["items"]]
        alice_api.patch(path, {"title": f"new {versions}"}, format="json")
        cursor = page["nextCursor"]
        query = f"?limit=2&cursor={cursor}" if cursor else ""

    assert versions == [5, 4, 3, 2, 1]


def test_refused_write_leaves_no_entry(alice_api: APIClient, task: Task) -> None:
    path = f"/api/tasks/{task.pk}"
    alice_api.patch(path, {"title": "B"}, format="json", HTTP_IF_MATCH='"v9"')

    assert [item["version"] for item in changes(alice_api, task)] == [1]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("count", [1, 50])
def test_history_costs_the_same_however_long(
    alice_api: APIClient, task: Task, count: int
) -> None:
    for number in range(count - 1):
        path = f"/api/tasks/{task.pk}"
        alice_api.patch(path, {"title": str(number)}, format="json")
    with CaptureQueriesContext(connection) as queries:
        items = changes(alice_api, task, "?limit=100")

    assert len(items) == count
    assert len(queries) == 4  # the caller, the task, the count, the page


@pytest.mark.parametrize("name", ["sort", "status", "since"])
def test_unknown_parameter_is_refused(
    alice_api: APIClient, task: Task, name: str
) -> None:
    response = alice_api.get(f"/api/tasks/{task.pk}/history?{name}=1")

    assert details_of(response) == [(name, "unknown")]
    hint = "Unknown parameter. Accepted: page, limit, cursor."
    assert error_of(response)["details"][0]["message"] == hint


def test_member_sees_nothing_of_before_a_task_came_into_the_project(
    alice: User, bob: User, alice_api: APIClient
) -> None:
    project = make_project(alice)
    share(project, bob, Role.VIEWER)
    task = make_task(alice, title="Salary", description="private")
    below = make_task(alice, title="below", parent_id=task.pk)
    values = {"projectId": str(project.pk), "title": "public", "description": None}
    alice_api.patch(f"/api/tasks/{task.pk}", values, format="json")

    for each in (task, below):
        path = f"/api/tasks/{each.pk}/history"
        [arrival] = api_of(bob).get(path).json()["items"]
        found = {change["field"]: change["to"] for change in arrival["changes"]}
        assert found["projectId"] == str(project.pk)
        assert {change["from"] for change in arrival["changes"]} == {None}
        everything = alice_api.get(path).json()["items"]
        assert everything[0]["changes"][0]["from"] is not None


def test_member_sees_what_changed_since_a_task_was_made_in_the_project(
    alice: User, bob: User, alice_api: APIClient
) -> None:
    project = make_project(alice)
    share(project, bob, Role.VIEWER)
    task = task_in(project, title="first")
    alice_api.patch(f"/api/tasks/{task.pk}", {"title": "second"}, format="json")

    newest, made = api_of(bob).get(f"/api/tasks/{task.pk}/history").json()["items"]
    assert newest["changes"] == [{"field": "title", "from": "first", "to": "second"}]
    assert {change["from"] for change in made["changes"]} == {None}
