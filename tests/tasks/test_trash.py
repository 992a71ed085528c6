from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks import usage
from tasks.models import SpaceUsage, Task, TaskChange
from tests.factories import Status, make_task
from tests.tasks import sharing
from tests.tasks.conftest import Clock
from tests.tasks.wire import details_of, error_of, ids, titles, trash, walk

EMPTY = {
    "items": [],
    "total": 0,
    "totalIsExact": True,
    "page": 1,
    "totalPages": 0,
    "nextCursor": None,
}


@pytest.fixture
def trashed(task: Task) -> Task:
    return trash(task)


def restore(api: APIClient, task: Task, **headers: Any) -> Any:
    return api.post(f"/api/tasks/{task.pk}/restore", **headers)


def test_trash_shows_when_each_task_was_deleted(
    alice_api: APIClient, task: Task, clock: Clock
) -> None:
    live = alice_api.get(f"/api/tasks/{task.pk}").json()
    clock.advance(minutes=5)
    alice_api.delete(f"/api/tasks/{task.pk}")
    response = alice_api.get("/api/tasks/trash")

    now = clock.time.isoformat().replace("+00:00", "Z")
    deleted = live | {"version": 2, "updatedAt": now, "deletedAt": now}
    assert response.json() == EMPTY | {"items": [deleted], "total": 1, "totalPages": 1}


def test_trash_has_the_last_deleted_first(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    tasks = [make_task(alice, title=title) for title in "abc"]
    for task in [tasks[1], tasks[2], tasks[0]]:
        clock.advance(minutes=1)
        alice_api.delete(f"/api/tasks/{task.pk}")

    assert titles(alice_api.get("/api/tasks/trash")) == ["a", "c", "b"]


def test_trash_has_pages(alice_api: APIClient, alice: User, clock: Clock) -> None:
    # All deleted at one moment: the id alone orders them.
    tasks = [trash(make_task(alice)) for _ in range(5)]
    expected = sorted((str(task.pk) for task in tasks), reverse=True)
    page = alice_api.get("/api/tasks/trash?limit=2&page=2")

    assert ids(page) == expected[2:4]
    assert page.json()["total"] == 5
    assert page.json()["totalPages"] == 3
    assert walk(alice_api, {"limit": 2}, "/api/tasks/trash") == expected


def test_walk_through_the_trash_neither_skips_nor_repeats(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    tasks = []
    for _ in range(9):
        clock.advance(seconds=1)
        tasks.append(trash(make_task(alice)))
    restored, moved = tasks[2], tasks[3]

    def meanwhile(seen: list[str]) -> None:
        if len(seen) == 3:
            restore(alice_api, restored)
            restore(alice_api, moved)
            clock.advance(seconds=1)
            alice_api.delete(f"/api/tasks/{moved.pk}")
            trash(make_task(alice))

    seen = walk(alice_api, {"limit": 3}, "/api/tasks/trash", meanwhile)
    still = [str(t.pk) for t in reversed(tasks) if t not in (restored, moved)]
    assert seen == still


@pytest.mark.parametrize("name", ["sort", "q", "status", "colour"])
def test_unknown_parameter_is_refused(alice_api: APIClient, name: str) -> None:
    response = alice_api.get(f"/api/tasks/trash?{name}=x")

    assert details_of(response) == [(name, "unknown")]
    hint = "Unknown parameter. Accepted: page, limit, cursor."
    assert error_of(response)["details"][0]["message"] == hint


def test_trash_is_the_callers_own(bob_api: APIClient, trashed: Task) -> None:
    assert bob_api.get("/api/tasks/trash").json() == EMPTY


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("count", [1, 50])
def test_trash_costs_the_same_however_long(
    alice_api: APIClient, alice: User, count: int
) -> None:
    for _ in range(count):
        trash(make_task(alice))
    with CaptureQueriesContext(connection) as queries:
        alice_api.get("/api/tasks/trash?limit=100")

    assert len(queries) == 3  # the caller, the count, the page


@pytest.mark.parametrize(
    "query", ["", "?status=TODO", "?q=plants", "?dueDate=none", "?overdue=false"]
)
def test_trashed_task_is_in_no_list(
    alice_api: APIClient, trashed: Task, query: str
) -> None:
    assert alice_api.get(f"/api/tasks{query}").json() == EMPTY


def test_trashed_task_is_counted_nowhere(alice_api: APIClient, trashed: Task) -> None:
    stats = alice_api.get("/api/tasks/stats").json()

    assert stats["total"] == stats["overdue"] == 0
    assert set(stats["byStatus"].values()) == {0}


@pytest.mark.parametrize("op", ["update", "delete"])
def test_trashed_task_is_out_of_reach_of_a_batch(
    alice_api: APIClient, trashed: Task, op: str
) -> None:
    operation = {"op": op, "id": str(trashed.pk)}
    operation |= {"data": {"title": "B"}} if op == "update" else {}
    body = {"operations": [operation]}
    response = alice_api.post("/api/tasks/batch", body, format="json")

    assert response.status_code == 404
    assert error_of(response)["index"] == 0


def test_restored_task_is_what_it_was(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    task = make_task(alice, description="With rain water", status=Status.DONE)
    before = alice_api.get(f"/api/tasks/{task.pk}").json()
    alice_api.delete(f"/api/tasks/{task.pk}")
    clock.advance(minutes=5)
    response = restore(alice_api, task)

    assert response.status_code == 200
    assert response["ETag"] == '"v3"'
    now = clock.time.isoformat().replace("+00:00", "Z")
    assert response.json() == before | {"version": 3, "updatedAt": now}
    assert alice_api.get(f"/api/tasks/{task.pk}").json() == response.json()
    assert ids(alice_api.get("/api/tasks")) == [str(task.pk)]
    assert alice_api.get("/api/tasks/trash").json() == EMPTY


@pytest.mark.parametrize(
    ("if_match", "status"),
    [('"v2"', 200), ("*", 200), ('"v1"', 412), ('W/"v2"', 412), ("v2", 400)],
)
def test_restore_heeds_if_match(
    alice_api: APIClient, trashed: Task, if_match: str, status: int
) -> None:
    response = restore(alice_api, trashed, HTTP_IF_MATCH=if_match)

    assert response.status_code == status
    is_live = Task.objects.live().filter(pk=trashed.pk).exists()
    assert is_live == (status == 200)
    if status == 412:
        assert response["ETag"] == '"v2"'
        assert error_of(response)["current"]["version"] == 2


def test_body_null_restores_as_no_body_does(
    alice_api: APIClient, trashed: Task
) -> None:
    response = restore(alice_api, trashed, data="null", content_type="application/json")

    assert response.status_code == 200


def test_live_task_cannot_be_restored(alice_api: APIClient, task: Task) -> None:
    response = restore(alice_api, task)

    assert response.status_code == 404
    assert error_of(response) == {"code": "NOT_FOUND", "message": "Task not found."}


def test_destroyed_task_is_gone_with_its_history(
    alice_api: APIClient, trashed: Task
) -> None:
    response = alice_api.delete(f"/api/tasks/trash/{trashed.pk}")

    assert response.status_code == 204
    assert response.content == b""
    assert not Task.objects.exists()
    assert not TaskChange.objects.exists()
    assert restore(alice_api, trashed).status_code == 404
    assert alice_api.get(f"/api/tasks/{trashed.pk}/history").status_code == 404
    assert alice_api.delete(f"/api/tasks/trash/{trashed.pk}").status_code == 404


def test_live_task_cannot_be_destroyed(alice_api: APIClient, task: Task) -> None:
    response = alice_api.delete(f"/api/tasks/trash/{task.pk}")

    assert response.status_code == 404
    assert Task.objects.live().exists()


@pytest.mark.parametrize(
    ("if_match", "status"), [('"v2"', 204), ("*", 204), ('"v1"', 412), ("v2", 400)]
)
def test_destroy_heeds_if_match(
    alice_api: APIClient, trashed: Task, if_match: str, status: int
) -> None:
    path = f"/api/tasks/trash/{trashed.pk}"
    response = alice_api.delete(path, HTTP_IF_MATCH=if_match)

    assert response.status_code == status
    assert Task.objects.exists() == (status != 204)


def test_stranger_can_neither_restore_nor_destroy(
    bob_api: APIClient, trashed: Task
) -> None:
    destroyed = bob_api.delete(f"/api/tasks/trash/{trashed.pk}")

    assert restore(bob_api, trashed).status_code == 403
    assert destroyed.status_code == 403
    assert Task.objects.trashed().exists()


def test_one_task_in_the_trash_is_read(alice_api: APIClient, trashed: Task) -> None:
    [item] = alice_api.get("/api/tasks/trash").json()["items"]
    url = f"/api/tasks/trash/{trashed.pk}"
    response = alice_api.get(url)

    assert response.json() == item
    assert (response["ETag"], response["Cache-Control"]) == (
        *('"v2"', "private, no-cache"),
    )
    assert alice_api.get(url, HTTP_IF_NONE_MATCH='"v2"').status_code == 304
    stale = alice_api.get(url, HTTP_IF_MATCH='"v1"')
    assert (stale.status_code, stale["ETag"]) == (412, '"v2"')


def test_live_task_is_not_in_the_trash(
    alice_api: APIClient, bob_api: APIClient, task: Task
) -> None:
    for api in (alice_api, bob_api):
        assert api.get(f"/api/tasks/trash/{task.pk}").status_code == 404


def test_stranger_reads_no_trashed_task(bob_api: APIClient, trashed: Task) -> None:
    response = bob_api.get(f"/api/tasks/trash/{trashed.pk}")

    assert response.status_code == 403
    assert error_of(response)["message"] == "This task belongs to somebody else."


def empty(api: APIClient) -> None:
    response = api.delete("/api/tasks/trash")
    assert (response.status_code, response.content) == (202, b"")


def test_what_is_emptied_is_gone_at_once(
    alice_api: APIClient, alice: User, trashed: Task
) -> None:
    empty(alice_api)
    body = {"operations": [{"op": "restore", "id": str(trashed.pk)}]}
    batch = alice_api.post("/api/tasks/batch", body, format="json")

    assert alice_api.get("/api/tasks/trash").json() == EMPTY
    assert alice_api.get(f"/api/tasks/trash/{trashed.pk}").status_code == 404
    assert restore(alice_api, trashed).status_code == batch.status_code == 404
    assert alice_api.get(f"/api/tasks/{trashed.pk}/history").status_code == 404
    assert alice_api.delete(f"/api/tasks/trash/{trashed.pk}").status_code == 404
    assert Task.objects.get().deleted_at


def test_emptying_is_of_the_callers_own_and_of_what_is_there(
    alice_api: APIClient, bob_api: APIClient, alice: User, bob: User, trashed: Task
) -> None:
    live, foreign = make_task(alice), trash(make_task(bob))
    before = alice_api.get("/api/tasks")
    empty(alice_api)
    after = alice_api.get("/api/tasks")

    assert (after["ETag"], ids(after)) == (before["ETag"], [str(live.pk)])
    assert ids(bob_api.get("/api/tasks/trash")) == [str(foreign.pk)]
    alice_api.delete(f"/api/tasks/{live.pk}")
    assert ids(alice_api.get("/api/tasks/trash")) == [str(live.pk)]
    assert restore(alice_api, live).status_code == 200
    alice_api.delete(f"/api/tasks/{live.pk}")
    empty(alice_api)
    assert alice_api.get("/api/tasks/trash").json() == EMPTY


def test_deletion_with_an_older_time_stays_when_it_comes_later(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    """It waited for the owner's row, or another server's clock is behind."""
    task = make_task(alice)
    empty(alice_api)
    clock.advance(minutes=-5)
    alice_api.delete(f"/api/tasks/{task.pk}")

    assert ids(alice_api.get("/api/tasks/trash")) == [str(task.pk)]


def test_renamed_label_does_not_bring_emptied_tasks_back(
    alice_api: APIClient, alice: User
) -> None:
    task = trash(make_task(alice, labels=["garden"]))
    empty(alice_api)
    [label] = alice_api.get("/api/labels").json()["items"]
    url, body = f"/api/labels/{label['id']}", {"name": "yard"}
    assert alice_api.patch(url, body, format="json").status_code == 200

    assert alice_api.get("/api/tasks/trash").json() == EMPTY
    assert Task.objects.get(pk=task.pk).version == 2
    assert alice_api.delete(url).status_code == 204


def test_leaving_member_does_not_bring_emptied_tasks_back(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    project = sharing.make_project(alice)
    member = sharing.share(project, bob)
    trash(sharing.task_in(project, assignee_id=bob.pk))
    empty(alice_api)
    sharing.leave(member)

    assert alice_api.get("/api/tasks/trash").json() == EMPTY
    call_command("housekeeping", stdout=StringIO())
    assert not Task.objects.exists()


def test_housekeeping_removes_the_rows_of_what_was_emptied(
    alice_api: APIClient, alice: User, bob: User, task: Task
) -> None:
    subtask = make_task(alice, parent_id=task.pk)
    trash(task)
    kept = [make_task(alice), trash(make_task(bob))]
    empty(alice_api)
    kept.append(trash(make_task(alice)))
    out = StringIO()
    call_command("housekeeping", stdout=out)

    assert "2 emptied tasks" in out.getvalue()
    pks = {each.pk for each in kept}
    assert {*Task.objects.values_list("pk", flat=True)} == pks
    assert {*TaskChange.objects.values_list("task_id", flat=True)} == pks
    assert subtask.pk not in pks


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("count", [1, 50])
def test_emptying_costs_the_same_however_much(
    alice_api: APIClient, alice: User, count: int
) -> None:
    for _ in range(count):
        trash(make_task(alice))
    with CaptureQueriesContext(connection) as queries:
        empty(alice_api)

    written = [q for q in queries if "SAVEPOINT" not in q["sql"]]
    assert len(written) <= 6


def test_emptying_frees_the_quota_at_once(
    alice_api: APIClient, alice: User, settings: Any
) -> None:
    settings.QUOTA_TASKS = 2

    def create() -> int:
        body = {"title": "x"}
        return alice_api.post("/api/tasks", body, format="json").status_code

    assert [create(), create(), create()] == [201, 201, 403]
    for task in Task.objects.all():
        alice_api.delete(f"/api/tasks/{task.pk}")
    empty(alice_api)
    assert create() == 201
    call_command("housekeeping", stdout=StringIO())
    stored, found = SpaceUsage.objects.get(pk=alice.pk), usage.count(alice.pk)
    assert (stored.tasks, stored.octets) == (found.tasks, found.octets)
    assert stored.tasks == 1
    assert [create(), create()] == [201, 403]


def test_purged_subtask_takes_those_below_it(alice: User, alice_api: APIClient) -> None:
    root = make_task(alice)
    child = make_task(alice, parent_id=root.pk)
    below, beside = (
        make_task(alice, parent_id=child.pk),
        make_task(alice, parent_id=root.pk),
    )
    alice_api.delete(f"/api/tasks/{root.pk}")
    assert alice_api.delete(f"/api/tasks/trash/{child.pk}").status_code == 204

    assert {*Task.objects.values_list("pk", flat=True)} == {root.pk, beside.pk}
    assert not Task.objects.filter(pk=below.pk).exists()
    alice_api.post(f"/api/tasks/{root.pk}/restore")
    assert alice_api.get("/api/tasks/trash").json()["total"] == 0
