"""Subtasks: parents, depth, circles, moves, and the trash."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task, inbox_id
from tests.factories import make_task, space
from tests.tasks.sharing import delete, make_project, share, task_in
from tests.tasks.wire import details_of, error_of, titles


def post(api: APIClient, path: str = "", **body: Any) -> Any:
    return api.post(f"/api/tasks{path}", body, format="json")


def child(api: APIClient, parent: str | None, title: str = "child") -> str:
    response = post(api, title=title, parentId=parent)
    assert response.status_code == 201, response.content
    return str(response.json()["id"])


def chain(api: APIClient, length: int) -> list[str]:
    """Tasks, each below the one before."""
    ids: list[str] = []
    for level in range(length):
        ids.append(child(api, ids[-1] if ids else None, f"level {level}"))
    return ids


def patch(api: APIClient, pk: str, **body: Any) -> Any:
    return api.patch(f"/api/tasks/{pk}", body, format="json")


def test_tasks_are_four_levels_deep_at_most(alice_api: APIClient) -> None:
    ids = chain(alice_api, 4)
    response = post(alice_api, title="too deep", parentId=ids[-1])

    assert details_of(response) == [("parentId", "invalid")]
    assert Task.objects.count() == 4


def test_task_is_not_below_itself(alice_api: APIClient) -> None:
    ids = chain(alice_api, 3)
    for below in ids:
        assert details_of(patch(alice_api, ids[0], parentId=below)) == [
            ("parentId", "invalid")
        ]


def test_moved_subtree_is_not_too_deep(alice_api: APIClient) -> None:
    upper, lower = chain(alice_api, 3), chain(alice_api, 2)

    assert patch(alice_api, lower[0], parentId=upper[1]).status_code == 200
    assert details_of(patch(alice_api, lower[0], parentId=upper[2])) == [
        ("parentId", "invalid")
    ]


@pytest.mark.parametrize("kind", ["missing", "trashed"])
def test_parent_that_is_not_there_is_named(
    alice_api: APIClient, alice: User, kind: str
) -> None:
    parent = make_task(alice)
    alice_api.delete(f"/api/tasks/{parent.pk}")
    pk = str(parent.pk)
    if kind == "missing":
        alice_api.delete(f"/api/tasks/trash/{parent.pk}")

    assert details_of(post(alice_api, title="x", parentId=pk)) == [
        ("parentId", "invalid")
    ]


def test_parent_of_a_stranger_is_forbidden(alice_api: APIClient, bob: User) -> None:
    theirs = make_task(bob)
    response = post(alice_api, title="x", parentId=str(theirs.pk))

    assert response.status_code == 403
    assert error_of(response)["code"] == "FORBIDDEN"


def test_subtasks_go_to_the_trash_and_come_back(alice_api: APIClient) -> None:
    ids = chain(alice_api, 4)
    alone = child(alice_api, ids[0], "deleted before")
    alice_api.delete(f"/api/tasks/{alone}")
    alice_api.delete(f"/api/tasks/{ids[1]}")

    assert titles(alice_api.get("/api/tasks")) == ["level 0"]
    restored = post(alice_api, f"/{ids[1]}/restore")
    assert restored.status_code == 200
    assert restored.json()["parentId"] == ids[0]
    assert titles(alice_api.get("/api/tasks?sort=createdAt")) == [
        f"level {n}" for n in range(4)
    ]
    assert Task.objects.trashed().get().title == "deleted before"


def test_task_without_its_parent_comes_back_to_the_top(alice_api: APIClient) -> None:
    parent, below = chain(alice_api, 2)
    alice_api.delete(f"/api/tasks/{below}")
    alice_api.delete(f"/api/tasks/{parent}")
    restored = post(alice_api, f"/{below}/restore")

    assert restored.json()["parentId"] is None


def test_destroyed_task_takes_what_went_with_it(alice_api: APIClient) -> None:
    ids = chain(alice_api, 3)
    alice_api.delete(f"/api/tasks/{ids[0]}")
    assert alice_api.delete(f"/api/tasks/trash/{ids[0]}").status_code == 204

    assert not Task.objects.exists()


def test_order_by_hand_is_what_the_last_move_said(alice_api: APIClient) -> None:
    a, b, c = (child(alice_api, None, title) for title in "abc")
    for moved, body in (
        (c, {"before": a}),  # c a b
        (a, {"after": b}),  # c b a
        (c, {"after": b}),  # b c a
    ):
        assert post(alice_api, f"/{moved}/move", **body).status_code == 200

    assert titles(alice_api.get("/api/tasks?sort=position")) == ["b", "c", "a"]
    before = alice_api.get(f"/api/tasks/{c}")
    again = post(alice_api, f"/{c}/move", before=a)
    assert again.json() == before.json()
    child(alice_api, None, "new")
    assert titles(alice_api.get("/api/tasks?sort=position"))[-1] == "new"


def test_move_beside_a_task_elsewhere_is_refused(alice_api: APIClient) -> None:
    top, below = chain(alice_api, 2)
    other = child(alice_api, None)

    assert details_of(post(alice_api, f"/{other}/move", before=below)) == [
        ("before", "invalid")
    ]
    moved = post(alice_api, f"/{other}/move", parentId=top, before=below)
    assert moved.json()["parentId"] == top


@pytest.fixture(params=["alone", "member elsewhere"])
def member(request: pytest.FixtureRequest, alice: User, bob: User) -> None:
    if request.param == "member elsewhere":
        share(make_project(bob), alice)


@pytest.mark.usefixtures("member")
def test_batch_refers_to_what_it_makes(alice_api: APIClient) -> None:
    operations = [
        {"op": "create", "ref": "a", "data": {"title": "parent"}},
        {"op": "create", "ref": "b", "data": {"title": "x", "parentId": {"ref": "a"}}},
        {"op": "update", "id": {"ref": "b"}, "data": {"title": "child"}},
    ]
    response = post(alice_api, "/batch", operations=operations)

    assert response.status_code == 200, response.content
    parent, made, changed = [each["task"] for each in response.json()["results"]]
    assert made["id"] == changed["id"]
    assert (changed["title"], changed["parentId"]) == ("child", parent["id"])


@pytest.mark.parametrize("ref", ["b", 1, None, ""])
def test_reference_to_nothing_is_named(alice_api: APIClient, ref: Any) -> None:
    operations = [
        {"op": "create", "ref": "a", "data": {"title": "x"}},
        {"op": "delete", "id": {"ref": ref}},
    ]
    response = post(alice_api, "/batch", operations=operations)

    assert details_of(response) == [("operations.1.id", "invalid")]
    assert not Task.objects.exists()


@pytest.mark.usefixtures("member")
def test_copy_has_its_own_subtasks(alice_api: APIClient, alice: User) -> None:
    ids = chain(alice_api, 3)
    post(alice_api, f"/{ids[0]}/move", projectId=str(make_project(alice).pk))
    response = post(alice_api, f"/{ids[0]}/copy", projectId=str(inbox_id(alice.pk)))

    assert response.status_code == 201, response.content
    copied = response.json()["id"]
    [below] = alice_api.get(f"/api/tasks?parent={copied}").json()["items"]
    assert below["title"] == "level 1"
    assert Task.objects.count() == 6


def trees(owner: User, number: int, size: int) -> list[Task]:
    """Tasks with so many subtasks each."""
    roots = [make_task(owner) for _ in range(number)]
    now = timezone.now()
    below = {"title": "below", "position": "m", **space(owner)}
    below |= {"created_at": now, "updated_at": now}
    Task.objects.bulk_create(
        Task(parent_id=root.pk, **below) for root in roots for _ in range(size)
    )
    return roots


def test_a_task_has_five_hundred_below_it(alice_api: APIClient, alice: User) -> None:
    [root] = trees(alice, 1, 498)
    top, below = child(alice_api, str(root.pk)), chain(alice_api, 2)
    assert patch(alice_api, below[0], parentId=top).status_code == 400
    assert patch(alice_api, below[1], parentId=top).status_code == 200
    assert details_of(post(alice_api, title="x", parentId=top)) == [
        ("parentId", "invalid")
    ]


def test_restored_task_without_room_comes_to_the_top_with_its_subtasks(
    alice_api: APIClient, alice: User
) -> None:
    [root] = trees(alice, 1, 497)
    top = child(alice_api, str(root.pk))
    below = child(alice_api, top)
    alice_api.delete(f"/api/tasks/{top}")
    for _ in range(2):
        child(alice_api, str(root.pk))
    assert post(alice_api, f"/{top}/restore").json()["parentId"] is None
    assert alice_api.get(f"/api/tasks/{below}").json()["parentId"] == top


@pytest.mark.parametrize("op", ["delete", "restore", "create"])
def test_a_batch_concerns_two_thousand_tasks_at_most(
    alice_api: APIClient, alice: User, op: str
) -> None:
    """However many of them are the subtasks of those that it names."""
    roots = [str(each.pk) for each in trees(alice, 5, 499)]
    if op == "restore":
        for root in roots:
            alice_api.delete(f"/api/tasks/{root}")
    before = Task.objects.trashed().count()
    todo: list[Any] = [{"op": op, "id": root} for root in roots]
    if op == "create":
        values = [{"title": "x", "parentId": root} for root in roots]
        todo = [{"op": op, "data": each} for each in values]
    response = post(alice_api, "/batch", operations=todo)

    assert response.status_code == 409, response.content
    assert "more than 2,000 tasks" in error_of(response)["message"]
    assert (Task.objects.trashed().count(), Task.objects.count()) == (before, 2500)
    response = post(alice_api, "/batch", operations=todo[:3])
    assert response.status_code == 200, response.content


@pytest.mark.parametrize("how", ["move", "copy", "restore", "create"])
def test_statements_do_not_go_with_the_subtasks(
    alice_api: APIClient, alice: User, bob: User, how: str
) -> None:
    source, target = make_project(alice), make_project(alice)
    share(source, bob)
    share(target, bob)
    statements = []
    for size in (2, 30):
        root = task_in(source, assignee_id=bob.pk)
        for _ in range(size):
            task_in(source, parent_id=root.pk, assignee_id=bob.pk)
        path, body = f"/{root.pk}/{how}", {"projectId": str(target.pk)}
        if how == "restore":
            alice_api.delete(f"/api/tasks/{root.pk}")
            delete(source)
            body = {}
        if how == "create":
            data = {"title": "x", "parentId": str(root.pk), "projectId": str(source.pk)}
            path, body = (
                "/batch",
                {"operations": [{"op": "create", "data": data}] * size},
            )
        with CaptureQueriesContext(connection) as queries:
            assert post(alice_api, path, **body).status_code < 300
        statements.append([each["sql"][:200] for each in queries])
        if how == "restore":
            alice_api.post(f"/api/projects/{source.pk}/restore")

    few, many = statements
    assert len(few) == len(many), statements


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("post", "", "parentId"),
        ("patch", "/{task}", "parentId"),
        ("post", "/{task}/move", "parentId"),
        ("post", "/{task}/move", "before"),
        ("post", "/{task}/move", "after"),
    ],
)
def test_task_that_went_with_its_project_cannot_be_named(
    alice_api: APIClient, alice: User, method: str, path: str, name: str
) -> None:
    project = make_project(alice)
    named, task = task_in(project), make_task(alice)
    delete(project)
    body = {"title": "x", name: str(named.pk)}
    if path.endswith("move"):
        del body["title"]

    url = "/api/tasks" + path.format(task=task.pk)
    answer = getattr(alice_api, method)(url, body, format="json")

    assert answer.status_code == 400
    assert [each["field"] for each in error_of(answer)["details"]] == [name]
