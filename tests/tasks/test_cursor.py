import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks.filters import SORT_NAMES
from tasks.models import Task, TaskQuerySet
from tests.factories import Priority, Status, make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import (
    at,
    details_of,
    error_of,
    ids,
    make_tasks,
    pages,
    trash,
    walk,
)

FOREIGN = "This cursor is not from a list of yours with these filters."
NOON = at("2026-06-15T12:00:00")


@pytest.fixture
def mixed(alice: User, clock: Clock) -> list[Task]:
    """Fourteen tasks with ties and nulls in every key."""
    tasks = []
    for number in range(7):
        clock.advance(minutes=1)
        rows = [
            {
                "title": "aab"[number % 3] + "xy"[row],
                "priority": Priority.values[number % 4],
                "due_at": NOON + timedelta(days=number // 2) if number % 3 else None,
            }
            for row in range(2)
        ]
        tasks += make_tasks(alice, rows)
    return tasks


def first_cursor(api: APIClient, query: str = "") -> str:
    return api.get(f"/api/tasks?limit=1{query}").json()["nextCursor"]


@pytest.mark.parametrize("sort", SORT_NAMES)
@pytest.mark.parametrize("limit", [1, 3])
def test_walk_equals_the_pages(
    alice_api: APIClient, mixed: list[Task], sort: str, limit: int
) -> None:
    whole = ids(alice_api.get(f"/api/tasks?limit=100&sort={sort}"))

    assert len(whole) == 14
    assert walk(alice_api, {"sort": sort, "limit": limit}) == whole


@pytest.mark.parametrize(
    "narrowing",
    [{"dueDate": "none"}, {"q": "x"}, {"priority": "LOW,HIGH"}, {"overdue": "false"}],
)
@pytest.mark.parametrize("sort", ["dueDate", "-dueDate", "title", "-createdAt"])
def test_walk_keeps_to_the_filters(
    alice_api: APIClient, mixed: list[Task], narrowing: dict[str, str], sort: str
) -> None:
    query = narrowing | {"sort": sort}
    whole = ids(alice_api.get("/api/tasks", query | {"limit": 100}))

    assert 1 < len(whole) < 14 or "overdue" in narrowing
    assert walk(alice_api, query | {"limit": 2}) == whole


def test_limit_may_change_on_the_way(alice_api: APIClient, mixed: list[Task]) -> None:
    whole = ids(alice_api.get("/api/tasks"))
    first = alice_api.get("/api/tasks?limit=5")
    cursor = first.json()["nextCursor"]
    rest = alice_api.get("/api/tasks", {"cursor": cursor, "limit": 100})

    assert ids(first) + ids(rest) == whole


@pytest.mark.parametrize("first", [{}, {"sort": "-createdAt"}])
@pytest.mark.parametrize("then", [{}, {"sort": "-createdAt"}, {"limit": "20"}])
def test_default_said_aloud_is_the_same_list(
    alice_api: APIClient,
    mixed: list[Task],
    first: dict[str, str],
    then: dict[str, str],
) -> None:
    whole = ids(alice_api.get("/api/tasks"))
    cursor = alice_api.get("/api/tasks", {"limit": 5, **first}).json()["nextCursor"]
    rest = alice_api.get("/api/tasks", {"cursor": cursor, **then})

    assert ids(rest) == whole[5:]


def test_id_in_the_path_has_no_case(alice_api: APIClient, task: Task) -> None:
    for title in ("One", "Two"):
        alice_api.patch(f"/api/tasks/{task.pk}", {"title": title}, format="json")
    path = f"/api/tasks/{str(task.pk).upper()}/history"
    cursor = alice_api.get(f"{path}?limit=1").json()["nextCursor"]
    rest = alice_api.get(path.lower(), {"cursor": cursor})

    assert [each["version"] for each in rest.json()["items"]] == [2, 1]


def test_walk_can_begin_at_any_page(alice_api: APIClient, mixed: list[Task]) -> None:
    whole = ids(alice_api.get("/api/tasks"))
    cursor = alice_api.get("/api/tasks?limit=4&page=2").json()["nextCursor"]
    rest = alice_api.get("/api/tasks", {"cursor": cursor})

    assert ids(rest) == whole[8:]


@pytest.mark.usefixtures("clock")
def test_pages_by_cursor_count_nothing(alice_api: APIClient, mixed: list[Task]) -> None:
    cursor = first_cursor(alice_api)
    with CaptureQueriesContext(connection) as queries:
        body = alice_api.get("/api/tasks", {"cursor": cursor}).json()

    unknown = {"total", "totalIsExact", "page", "totalPages"}
    assert {body[name] for name in unknown} == {None}
    assert len(queries) == 2  # the session and the page
    assert not any("COUNT(" in query["sql"] for query in queries.captured_queries)


@pytest.mark.parametrize("limit", [2, 4])
def test_last_page_has_no_cursor(alice_api: APIClient, alice: User, limit: int) -> None:
    make_tasks(alice, [{}] * 4)
    *others, last = list(pages(alice_api, "/api/tasks", {"limit": limit}))

    assert len(others) == 4 / limit - 1
    assert len(ids(last)) == limit
    assert last.json()["nextCursor"] is None


@pytest.mark.parametrize(
    "garbage",
    [
        "x",
        "1",
        "null",
        "::",
        "a:b:c",
        ".",
        "\0",
        "Ä:Ö:Ü",
        "🚀",
        " ",
        "W10:1abcde:" + "A" * 43,
        "a" * 5000,
        "eyJpZCI6MX0=",
    ],
)
def test_garbage_is_refused(
    alice_api: APIClient, mixed: list[Task], garbage: str
) -> None:
    response = alice_api.get("/api/tasks", {"cursor": garbage})

    assert details_of(response) == [("cursor", "invalid")]
    assert error_of(response)["details"][0]["message"] == FOREIGN


def test_every_tampered_character_is_noticed(
    alice_api: APIClient, mixed: list[Task]
) -> None:
    cursor = first_cursor(alice_api)
    for index in range(0, len(cursor), 7):
        other = "A" if cursor[index] != "A" else "B"
        tampered = cursor[:index] + other + cursor[index + 1 :]
        response = alice_api.get("/api/tasks", {"cursor": tampered})

        assert details_of(response) == [("cursor", "invalid")], tampered


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_cut_cursor_is_refused(
    alice_api: APIClient, mixed: list[Task], cut: int
) -> None:
    response = alice_api.get("/api/tasks", {"cursor": first_cursor(alice_api)[:-cut]})

    assert details_of(response) == [("cursor", "invalid")]


def test_cursor_of_somebody_else_is_refused(
    alice_api: APIClient, bob_api: APIClient, mixed: list[Task]
) -> None:
    cursor = first_cursor(alice_api)

    assert alice_api.get("/api/tasks", {"cursor": cursor}).status_code == 200
    response = bob_api.get("/api/tasks", {"cursor": cursor})
    assert details_of(response) == [("cursor", "invalid")]


@pytest.mark.parametrize(
    "query",
    [
        "&sort=title",
        "&sort=-title",
        "&q=x",
        "&status=TODO",
        "&status=TODO,DONE",
        "&sort=title&status=TODO",
        "&overdue=false",
    ],
)
def test_cursor_of_another_filter_or_sort_is_refused(
    alice_api: APIClient, mixed: list[Task], query: str
) -> None:
    plain, narrowed = first_cursor(alice_api), first_cursor(alice_api, query)
    there = alice_api.get(f"/api/tasks?cursor={plain}{query}")
    back = alice_api.get(f"/api/tasks?cursor={narrowed}")

    assert details_of(there) == details_of(back) == [("cursor", "invalid")]
    assert alice_api.get(f"/api/tasks?cursor={narrowed}{query}").status_code == 200


def test_cursor_of_another_path_is_refused(
    alice_api: APIClient, mixed: list[Task]
) -> None:
    cursor = first_cursor(alice_api)
    for path in ["trash", f"{mixed[0].pk}/history"]:
        response = alice_api.get(f"/api/tasks/{path}", {"cursor": cursor})

        assert details_of(response) == [("cursor", "invalid")]


def test_page_and_cursor_exclude_each_other(
    alice_api: APIClient, mixed: list[Task]
) -> None:
    query = {"cursor": first_cursor(alice_api), "page": 1}
    response = alice_api.get("/api/tasks", query)

    assert details_of(response) == [("page", "invalid")]
    hint = "Send page or cursor, not both."
    assert error_of(response)["details"][0]["message"] == hint


def rewrite(api: APIClient, task: Task, dice: random.Random) -> None:
    """Change every key by which a list can be sorted."""
    due = dice.choice([None, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"])
    body = {
        "title": dice.choice(["Aaa", "mmm", "zzz"]),
        "priority": dice.choice(Priority.names),
        "dueDate": due,
    }
    api.patch(f"/api/tasks/{task.pk}", body, format="json")


@pytest.mark.parametrize("sort", SORT_NAMES)
def test_walk_among_writes_neither_repeats_nor_skips_what_stood_still(
    alice_api: APIClient,
    alice: User,
    mixed: list[Task],
    clock: Clock,
    sort: str,
) -> None:
    dice = random.Random(1)
    by_id = {str(task.pk): task for task in mixed}
    places = {pk: place for place, pk in enumerate(by_id)}  # ids are made at random
    touched: set[str] = set()

    def meanwhile(seen: list[str]) -> None:
        clock.advance(seconds=1)
        make_task(alice, title=dice.choice("am"), due_at=dice.choice([None, NOON]))
        behind = sorted(places.keys() & seen, key=places.__getitem__)
        ahead = sorted(places.keys() - seen, key=places.__getitem__)
        for chosen in dice.sample(behind, 1) + dice.sample(ahead, min(2, len(ahead))):
            if chosen not in touched:
                touched.add(chosen)
                act = dice.choice([rewrite, rewrite, delete])
                act(alice_api, by_id[chosen], dice)

    seen = walk(alice_api, {"sort": sort, "limit": 3}, between=meanwhile)

    assert len(seen) == len(set(seen))
    assert by_id.keys() - touched <= set(seen)
    assert len(touched) >= 6


def delete(api: APIClient, task: Task, dice: random.Random) -> None:
    api.delete(f"/api/tasks/{task.pk}")


@pytest.mark.parametrize("sort", ["createdAt", "-updatedAt", "title"])
def test_walk_through_a_filter_survives_tasks_leaving_and_joining_it(
    alice_api: APIClient, mixed: list[Task], clock: Clock, sort: str
) -> None:
    query = {"sort": sort, "limit": 3, "status": "TODO"}
    leaving = ids(alice_api.get("/api/tasks", query | {"limit": 5}))[4]
    back = {"status": "TODO"}

    def meanwhile(seen: list[str]) -> None:
        clock.advance(seconds=1)
        body = back if len(seen) > 3 else {"status": "DONE"}
        for pk in (leaving, seen[0]):
            alice_api.patch(f"/api/tasks/{pk}", body, format="json")

    seen = walk(alice_api, query, between=meanwhile)

    assert len(seen) == len(set(seen))
    assert {str(t.pk) for t in mixed} - {leaving} <= set(seen)


def test_restored_task_does_not_appear_twice(
    alice_api: APIClient, mixed: list[Task]
) -> None:
    def meanwhile(seen: list[str]) -> None:
        alice_api.delete(f"/api/tasks/{seen[0]}")
        alice_api.post(f"/api/tasks/{seen[0]}/restore")

    for sort in ("updatedAt", "-createdAt"):
        seen = walk(alice_api, {"sort": sort, "limit": 5}, between=meanwhile)

        assert sorted(seen) == sorted(str(task.pk) for task in mixed)


def test_task_made_between_count_and_page_pushes_none_off_the_walk(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = [str(make_task(alice).pk) for _ in range(4)]
    count = TaskQuerySet.count

    def count_then_write(tasks: Any) -> int:
        counted = count(tasks)
        make_task(alice, title="In between")
        return counted

    monkeypatch.setattr(TaskQuerySet, "count", count_then_write)
    seen = walk(alice_api, {"limit": 4})

    assert set(old) <= set(seen)


def test_cursor_outlives_the_row_it_points_to(
    alice_api: APIClient, mixed: list[Task]
) -> None:
    whole = ids(alice_api.get("/api/tasks"))
    first = alice_api.get("/api/tasks?limit=5")
    gone = trash(Task.objects.get(pk=ids(first)[-1]))
    alice_api.delete(f"/api/tasks/trash/{gone.pk}")
    rest = alice_api.get("/api/tasks", {"cursor": first.json()["nextCursor"]})

    assert ids(rest) == whole[5:]


def test_walk_of_done_tasks_by_due_date_passes_from_dates_to_nulls(
    alice_api: APIClient, alice: User
) -> None:
    rows = [{"due_at": NOON}, {"due_at": NOON}, {}, {}, {"due_at": NOON}]
    make_tasks(alice, [row | {"status": Status.DONE} for row in rows])
    for sort in ("dueDate", "-dueDate"):
        query = {"sort": sort, "status": "DONE", "limit": 1}
        dues = [
            page.json()["items"][0]["dueDate"]
            for page in pages(alice_api, "/api/tasks", query)
        ]

        assert dues == ["2026-06-15T12:00:00Z"] * 3 + [None] * 2
