"""Searches hold the same tasks wherever these are found: near, or by the index."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts.models import User
from tasks.filters import SORT_NAMES
from tasks.queries import search
from tests.factories import Priority, Status
from tests.tasks import model
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, ids, make_tasks, walk

NOON = at("2026-06-15T12:00:00")
TEXTS = ["Rent", "not rent", "a 100% cat", "rents_", "cat"]
WORDS = ["rent", "RENT", "cat", "%", "_", "nt", "none"]


@pytest.fixture
def _tasks(alice: User, bob: User, clock: Clock) -> None:
    """Thirty tasks of alice, with ties and nulls; bob has the same."""
    for number in range(10):
        clock.advance(minutes=1)
        rows = [
            {
                "title": TEXTS[(number + row) % 4 if number > 4 else 4],
                "description": TEXTS[number % 5] if row == 2 else None,
                "status": Status.values[(number + row) % 3],
                "priority": Priority.values[number % 2],
                "due_at": NOON + timedelta(days=number // 3) if row else None,
            }
            for row in range(3)
        ]
        make_tasks(alice, rows)
        make_tasks(bob, rows)


def everything(api: APIClient) -> list[dict[str, Any]]:
    return api.get("/api/tasks?limit=100").json()["items"]


def expected(api: APIClient, query: dict[str, Any]) -> list[str]:
    matching = [task for task in everything(api) if model.matches(task, query)]
    ordered = model.ordered(matching, query.get("sort", "-createdAt"))
    return [task["id"] for task in ordered]


queries = st.fixed_dictionaries(
    {"q": st.sampled_from(WORDS), "sort": st.sampled_from(SORT_NAMES)},
    optional={
        "status": st.sampled_from(["TODO", "TODO,DONE"]),
        "priority": st.just("LOW"),
        "dueDate": st.just("none"),
    },
)


@pytest.mark.usefixtures("_tasks")
@given(
    query=queries,
    limit=st.integers(1, 12),
    page=st.integers(1, 6),
    near=st.sampled_from([1, 3, 8, 29, 30, 31]),
    farthest=st.sampled_from([0, 20]),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_search_is_the_model_s_wherever_the_matches_lie(
    alice_api: APIClient,
    query: dict[str, str],
    limit: int,
    page: int,
    near: int,
    farthest: int,
) -> None:
    whole = expected(alice_api, query)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MIN_SCAN", near)
        patch.setattr(search, "MAX_SCAN", farthest)
        asked = query | {"limit": limit}
        numbered = alice_api.get("/api/tasks", asked | {"page": page})
        walked = walk(alice_api, asked)

    body = numbered.json()
    offset = (page - 1) * limit
    assert ids(numbered) == whole[offset : offset + limit]
    assert walked == whole
    if body["totalIsExact"]:
        assert body["total"] == len(whole)
    else:
        # There is another page at least.
        assert offset + limit < body["total"] <= len(whole)
        assert body["nextCursor"]


@pytest.mark.parametrize("near", [1, 4, 100])
@pytest.mark.parametrize("sort", ["title", "-dueDate", "createdAt"])
def test_walk_through_a_search_shows_no_task_twice_that_moves(
    alice_api: APIClient,
    alice: User,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    sort: str,
    near: int,
) -> None:
    monkeypatch.setattr(search, "MIN_SCAN", near)
    due = [None, NOON]
    rows = [{"title": f"rent {n}", "due_at": due[n % 2]} for n in range(6)]
    tasks = {str(task.pk) for task in make_tasks(alice, rows)}
    make_tasks(alice, [{"title": f"r {n}"} for n in range(6)])

    def move(seen: list[str]) -> None:
        clock.advance(seconds=1)
        body = {"title": "z rent", "dueDate": None}
        alice_api.patch(f"/api/tasks/{seen[0]}", body, format="json")

    seen = walk(alice_api, {"q": "rent", "sort": sort, "limit": 2}, between=move)

    assert sorted(seen) == sorted(tasks)


@pytest.mark.parametrize("near", [5, 7])
def test_total_of_a_full_page_counts_what_was_walked(
    alice_api: APIClient,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    near: int,
) -> None:
    make_tasks(alice, [{}] * 10)
    monkeypatch.setattr(search, "MIN_SCAN", near)
    monkeypatch.setattr(search, "MAX_SCAN", 0)
    first = alice_api.get("/api/tasks?q=plants&limit=4").json()
    exact = alice_api.get("/api/tasks?q=plants&limit=4&page=2").json()

    assert (first["total"], first["totalIsExact"]) == (near, False)
    assert (exact["total"], exact["totalIsExact"]) == (10, True)
