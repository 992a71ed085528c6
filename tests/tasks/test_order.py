"""Order by hand: no two siblings have the same place, whatever came back to it."""

from typing import Any

from rest_framework.test import APIClient


def make(api: APIClient, title: str, parent: str | None = None) -> str:
    body = {"title": title, "parentId": parent}
    return str(api.post("/api/tasks", body, format="json").json()["id"])


def move(api: APIClient, task: str, **place: str) -> None:
    response = api.post(f"/api/tasks/{task}/move", place, format="json")
    assert response.status_code == 200, response.content


def restore(api: APIClient, task: str) -> Any:
    response = api.post(f"/api/tasks/{task}/restore")
    assert response.status_code == 200, response.content
    return response.json()


def in_order(api: APIClient, **query: str) -> list[str]:
    """The titles by position, each of which is one task's alone."""
    asked = {"sort": "position", "limit": "100", **query}
    items = api.get("/api/tasks", asked).json()["items"]
    assert len({each["position"] for each in items}) == len(items)
    return [each["title"] for each in items]


def test_restored_task_whose_place_was_taken_comes_right_after_that(
    alice_api: APIClient,
) -> None:
    a, b, c, d = [make(alice_api, title) for title in "abcd"]
    move(alice_api, c, after=a)
    alice_api.delete(f"/api/tasks/{c}")
    move(alice_api, d, after=a)  # to where c has been
    restore(alice_api, c)

    assert in_order(alice_api) == ["a", "d", "c", "b"]
    move(alice_api, b, after=d)
    assert in_order(alice_api) == ["a", "d", "b", "c"]


def test_task_restored_last_has_a_place_of_its_own_too(alice_api: APIClient) -> None:
    a, b, c = [make(alice_api, title) for title in "abc"]
    move(alice_api, c, before=a)
    alice_api.delete(f"/api/tasks/{c}")
    move(alice_api, b, before=a)  # to where c has been
    alice_api.delete(f"/api/tasks/{a}")
    restore(alice_api, c)

    assert in_order(alice_api) == ["b", "c"]


def test_restored_task_that_comes_to_the_top_level_is_the_last_there(
    alice_api: APIClient,
) -> None:
    parent = make(alice_api, "parent")
    child = make(alice_api, "child", parent)
    alice_api.delete(f"/api/tasks/{child}")
    alice_api.delete(f"/api/tasks/{parent}")
    make(alice_api, "other")

    assert restore(alice_api, child)["parentId"] is None
    assert in_order(alice_api) == ["other", "child"]


def test_tasks_that_a_batch_puts_under_a_parent_are_in_its_order(
    alice_api: APIClient,
) -> None:
    parent = make(alice_api, "parent")
    tasks = [make(alice_api, f"{n:02}") for n in range(40)]
    body: list[Any] = [
        {"op": op, "id": task, "data": {"parentId": parent}}
        for op, task in zip(["move", "update"] * 20, tasks, strict=True)
    ]
    new = {"title": "new", "parentId": parent}
    body.insert(20, {"op": "create", "data": new})
    asked = {"operations": body}

    assert alice_api.post("/api/tasks/batch", asked, format="json").status_code == 200

    numbers = [f"{n:02}" for n in range(40)]
    expected = [*numbers[:20], "new", *numbers[20:]]
    assert in_order(alice_api, parent=parent) == expected
