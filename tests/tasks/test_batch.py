from random import Random
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task, TaskChange
from tests.factories import make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import (
    JSON,
    details_of,
    error_of,
    make_tasks,
    trash,
    untouched,
)


def batch(api: APIClient, operations: Any) -> Any:
    body = {"operations": operations}
    return api.post("/api/tasks/batch", body, format="json")


def create(title: str = "New", **data: Any) -> dict[str, Any]:
    return {"op": "create", "data": {"title": title} | data}


def update(task: Task, version: int | None = None, **data: Any) -> dict[str, Any]:
    operation = {"op": "update", "id": str(task.pk), "data": data}
    return operation | ({"version": version} if version else {})


def move(task: Task, **data: Any) -> dict[str, Any]:
    return {"op": "move", "id": str(task.pk), "data": data}


def delete(task: Task, version: int | None = None) -> dict[str, Any]:
    operation = {"op": "delete", "id": str(task.pk)}
    return operation | ({"version": version} if version else {})


def everything() -> list[Any]:
    """All that a batch can write."""
    tasks = Task.objects.order_by("id").values()
    return [*tasks, *TaskChange.objects.order_by("id").values(), *revisions()]


def revisions() -> list[Any]:
    return list(User.objects.order_by("id").values_list("revision", flat=True))


def test_operations_are_done_in_order(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    kept, gone = make_task(alice, title="kept"), make_task(alice, title="gone")
    before = alice_api.get(f"/api/tasks/{kept.pk}").json()
    clock.advance(minutes=5)
    response = batch(
        alice_api,
        [create("made", priority="LOW"), update(kept, status="DONE"), delete(gone)],
    )

    assert response.status_code == 200
    now = clock.time.isoformat().replace("+00:00", "Z")
    made = Task.objects.get(title="made")
    done = {"status": "DONE", "completedAt": now, "updatedAt": now, "version": 2}
    assert response.json() == {
        "results": [
            {
                "op": "create",
                "id": str(made.pk),
                "task": untouched(alice)
                | {
                    "id": str(made.pk),
                    "title": "made",
                    "description": None,
                    "status": "TODO",
                    "priority": "LOW",
                    "dueDate": None,
                    "version": 1,
                    "createdAt": now,
                    "updatedAt": now,
                },
            },
            {"op": "update", "id": str(kept.pk), "task": before | done},
            {"op": "delete", "id": str(gone.pk), "task": None},
        ]
    }
    assert alice_api.get(f"/api/tasks/{kept.pk}").json() == before | done
    assert alice_api.get(f"/api/tasks/{gone.pk}").status_code == 404


def test_many_tasks_each_get_their_own_values(
    alice_api: APIClient, alice: User
) -> None:
    tasks = make_tasks(alice, [{}] * 40)
    asked = [
        update(task, title=f"Task {n}", description=str(n) if n % 2 else None)
        for n, task in enumerate(tasks)
    ]
    batch(alice_api, asked)

    assert [
        Task.objects.values_list("title", "description", "version").get(pk=task.pk)
        for task in tasks
    ] == [(f"Task {n}", str(n) if n % 2 else None, 2) for n in range(40)]


def test_several_operations_on_one_task_build_on_each_other(
    alice_api: APIClient, task: Task
) -> None:
    response = batch(
        alice_api,
        [
            update(task, 1, title="second"),
            update(task, 2, priority="HIGH"),
            update(task, 3, status="DONE"),
        ],
    )

    assert response.status_code == 200
    body = alice_api.get(f"/api/tasks/{task.pk}").json()
    assert (body["title"], body["priority"]) == ("second", "HIGH")
    assert (body["status"], body["version"]) == ("DONE", 4)
    # Each result tells what the task is after the batch.
    assert [r["task"] for r in response.json()["results"]] == [body] * 3
    assert list(TaskChange.objects.order_by("version").values_list("version")) == [
        (1,),
        (2,),
        (3,),
        (4,),
    ]


def test_task_is_updated_and_then_deleted(alice_api: APIClient, task: Task) -> None:
    response = batch(alice_api, [update(task, title="Last words"), delete(task, 2)])

    assert [r["task"] for r in response.json()["results"]] == [None, None]
    [trashed] = alice_api.get("/api/tasks/trash").json()["items"]
    assert (trashed["title"], trashed["version"]) == ("Last words", 3)


def test_task_deleted_by_the_batch_is_gone_for_the_rest_of_it(
    alice_api: APIClient, task: Task
) -> None:
    before = everything()
    response = batch(alice_api, [delete(task), update(task, title="Undead")])

    assert response.status_code == 404
    assert error_of(response)["index"] == 1
    assert everything() == before


def test_operation_that_changes_nothing_writes_nothing(
    alice_api: APIClient, task: Task
) -> None:
    response = batch(alice_api, [update(task), update(task, title=task.title)])

    assert [r["task"]["version"] for r in response.json()["results"]] == [1, 1]
    assert TaskChange.objects.count() == 1


@pytest.mark.parametrize("place", ["version", "data"])
@pytest.mark.parametrize(("version", "status"), [(1, 200), (2, 412)])
def test_version_is_a_precondition(
    alice_api: APIClient, task: Task, place: str, version: int, status: int
) -> None:
    operation = update(task, title="B")
    (operation if place == "version" else operation["data"])["version"] = version
    response = batch(alice_api, [operation])

    assert response.status_code == status
    task.refresh_from_db()
    assert (task.title == "B") == (status == 200)


def test_two_versions_that_differ_are_refused(alice_api: APIClient, task: Task) -> None:
    operation = update(task, 1, title="B")
    operation["data"]["version"] = 2
    response = batch(alice_api, [operation])

    assert details_of(response) == [("operations.0.version", "invalid")]


@pytest.mark.parametrize(
    ("failing", "status", "code", "message"),
    [
        ("missing", 404, "NOT_FOUND", "Task not found."),
        ("trashed", 404, "NOT_FOUND", "Task not found."),
        ("foreign", 403, "FORBIDDEN", "This task belongs to somebody else."),
    ],
)
@pytest.mark.parametrize("op", [update, delete])
def test_failure_names_its_operation_and_undoes_the_others(
    alice_api: APIClient,
    alice: User,
    bob: User,
    task: Task,
    failing: str,
    status: int,
    code: str,
    message: str,
    op: Any,
) -> None:
    tasks = {
        "missing": Task(pk=uuid4()),
        "trashed": trash(make_task(alice)),
        "foreign": make_task(bob),
    }
    before = everything()
    asked = [create(), update(task, title="B"), op(tasks[failing]), create()]
    response = batch(alice_api, asked)

    assert response.status_code == status
    assert error_of(response) == {
        "code": code,
        "message": f"operations[2]: {message}",
        "index": 2,
    }
    assert everything() == before


@pytest.mark.parametrize(
    "op", [lambda t: update(t, 7, title="C"), lambda t: delete(t, 7)]
)
def test_stale_operation_undoes_the_others_and_tells_the_current_task(
    alice_api: APIClient, task: Task, op: Any
) -> None:
    current, before = alice_api.get(f"/api/tasks/{task.pk}").json(), everything()
    response = batch(alice_api, [create(), op(task)])

    assert response.status_code == 412
    sentence = "The task has changed; error.current is what it is now."
    assert error_of(response) == {
        "code": "PRECONDITION_FAILED",
        "message": f"operations[1]: {sentence}",
        "index": 1,
        "current": current,
    }
    assert everything() == before


def test_current_task_of_a_refusal_is_not_what_the_batch_would_have_made_of_it(
    alice_api: APIClient, task: Task
) -> None:
    current = alice_api.get(f"/api/tasks/{task.pk}").json()
    response = batch(
        alice_api, [update(task, 1, title="B"), update(task, 1, title="C")]
    )

    assert response.status_code == 412
    assert error_of(response)["index"] == 1
    assert error_of(response)["current"] == current


@pytest.mark.parametrize(
    ("operation", "detail"),
    [
        (create(""), ("data.title", "blank")),
        (create("x", status="LATER"), ("data.status", "invalid_choice")),
        (create("x", colour="red"), ("data.colour", "unknown")),
        (create("x", revision=1), ("data.revision", "unknown")),
        ({"op": "create", "data": {}}, ("data.title", "required")),
        ({"op": "create"}, ("data", "invalid")),
        ({"op": "create", "data": None}, ("data", "null")),
        ({"op": "create", "data": []}, ("data", "not_a_dict")),
        (
            {"op": "create", "data": {"title": "x"}, "id": str(uuid4())},
            ("id", "invalid"),
        ),
        (
            {"op": "create", "data": {"title": "x"}, "version": 1},
            ("version", "invalid"),
        ),
        ({"op": "update", "data": {}}, ("id", "invalid")),
        ({"op": "update", "id": str(uuid4())}, ("data", "invalid")),
        ({"op": "update", "id": "1", "data": {}}, ("id", "invalid")),
        ({"op": "delete", "id": uuid4().hex}, ("id", "invalid")),
        ({"op": "delete", "id": uuid4().urn}, ("id", "invalid")),
        ({"op": "delete", "id": f"{{{uuid4()}}}"}, ("id", "invalid")),
        ({"op": "update", "id": 1, "data": {}}, ("id", "invalid")),
        ({"op": "update", "id": True, "data": {}}, ("id", "invalid")),
        ({"op": "update", "id": None, "data": {}}, ("id", "null")),
        ({"op": "delete", "id": str(uuid4()), "version": "1"}, ("version", "invalid")),
        ({"op": "delete", "id": str(uuid4()), "version": True}, ("version", "invalid")),
        ({"op": "delete", "id": str(uuid4()), "version": 0}, ("version", "min_value")),
        ({"op": "delete", "id": str(uuid4()), "data": {}}, ("data", "invalid")),
        ({"op": "delete"}, ("id", "invalid")),
        ({"op": "delete", "id": str(uuid4()), "if": 1}, ("if", "unknown")),
        ({"op": "destroy", "id": str(uuid4())}, ("op", "invalid_choice")),
        ({"op": ["create"], "data": {"title": "x"}}, ("op", "invalid_choice")),
        ({"data": {"title": "x"}}, ("op", "required")),
        (5, ("", "invalid")),
        (None, ("", "null")),
        ([], ("", "invalid")),
    ],
)
def test_invalid_operation_is_named_by_its_index(
    alice_api: APIClient, task: Task, operation: Any, detail: tuple[str, str]
) -> None:
    before = everything()
    response = batch(alice_api, [create(), update(task, title="B"), operation])

    path = f"operations.2.{detail[0]}".rstrip(".")
    assert details_of(response) == [(path, detail[1])]
    assert everything() == before


@pytest.mark.parametrize(
    "operation",
    [
        lambda task: create(projectId=str(uuid4())),
        lambda task: update(task, projectId=str(uuid4())),
        lambda task: move(task, projectId=str(uuid4())),
    ],
)
def test_id_of_nothing_is_named_by_its_place_in_the_body(
    alice_api: APIClient, task: Task, operation: Any
) -> None:
    before = everything()
    response = batch(alice_api, [create(), operation(task)])

    assert response.status_code == 400
    assert error_of(response) == {
        "code": "VALIDATION_ERROR",
        "message": "operations.1.data.projectId: There is no such project.",
        "details": [
            {
                "field": "operations.1.data.projectId",
                "code": "invalid",
                "message": "There is no such project.",
            }
        ],
    }
    assert everything() == before


def test_half_a_character_is_refused(alice_api: APIClient, alice: User) -> None:
    body = r'{"operations": [{"op": "\ud800", "data": {}}]}'
    path = "/api/tasks/batch"
    response = alice_api.generic("POST", path, body, content_type=JSON)

    assert details_of(response) == [("operations.0.op", "invalid_choice")]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, ("operations", "required")),
        ({"operations": []}, ("operations", "empty")),
        ({"operations": None}, ("operations", "null")),
        ({"operations": {}}, ("operations", "not_a_list")),
        ({"operations": "create"}, ("operations", "not_a_list")),
        ({"operations": [create()] * 101}, ("operations", "max_length")),
        ({"operations": [create()], "atomic": False}, ("atomic", "unknown")),
        ([create()], ("", "invalid")),
    ],
)
def test_body_that_is_no_batch_is_refused(
    alice_api: APIClient, body: Any, detail: tuple[str, str]
) -> None:
    response = alice_api.post("/api/tasks/batch", body, format="json")

    assert details_of(response) == [detail]
    assert not Task.objects.exists()


def test_hundred_operations_are_done(alice_api: APIClient, alice: User) -> None:
    response = batch(alice_api, [create(str(n)) for n in range(100)])

    assert response.status_code == 200
    made = [r["task"]["title"] for r in response.json()["results"]]
    assert made == [str(n) for n in range(100)]
    assert Task.objects.count() == 100


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("kind", ["create", "update", "delete", "mixed"])
def test_statements_do_not_grow_with_the_operations(
    alice_api: APIClient, alice: User, kind: str
) -> None:
    def operations(count: int) -> list[dict[str, Any]]:
        tasks = make_tasks(alice, [{}] * count)
        changed = [update(t, title=f"B {n}") for n, t in enumerate(tasks)]
        made, gone = [create(str(n)) for n in range(count)], map(delete, tasks)
        kinds = {"create": made, "update": changed, "delete": list(gone)}
        mixed = [*made[::2], *changed[::2], *kinds["delete"][1::2]]
        return (kinds | {"mixed": mixed})[kind]

    def statements(count: int) -> int:
        asked = operations(count)
        with CaptureQueriesContext(connection) as queries:
            assert batch(alice_api, asked).status_code == 200
        return len(queries)

    assert statements(4) == statements(40)


def test_batch_moves_the_revision_once(alice_api: APIClient, alice: User) -> None:
    batch(alice_api, [create(str(n)) for n in range(10)])

    assert revisions() == [1]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="has no time limit")
@pytest.mark.parametrize("op", ["create", "update"])
def test_batch_of_long_random_texts_is_in_time(
    alice_api: APIClient, alice: User, op: str
) -> None:
    """Each statement is, that is: the trigram index takes seconds for all of them."""
    random = Random(1)
    letters = [chr(n) for n in range(0x21, 0xD7FF) if chr(n).isalnum()]
    texts = ["".join(random.choices(letters, k=5000)) for _ in range(100)]
    operations: list[Any] = [
        {"op": "create", "data": {"title": "x", "description": text}} for text in texts
    ]
    if op == "update":
        made = make_tasks(alice, [{}] * 100)
        operations = [
            {"op": "update", "id": str(task.pk), "data": {"description": text}}
            for task, text in zip(made, texts, strict=True)
        ]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '1500ms'")

    response = alice_api.post(
        "/api/tasks/batch", {"operations": operations}, format="json"
    )

    assert response.status_code == 200
    assert set(Task.objects.values_list("description", flat=True)) == set(texts)
    assert len(set(Task.objects.values_list("revision", flat=True))) == 1
    assert TaskChange.objects.filter(task__in=Task.objects.all()).count() >= 100
