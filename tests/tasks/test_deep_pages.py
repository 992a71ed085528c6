"""Pages far into lists of many projects, which read of each what may be on them."""

import random
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task
from tasks.queries import list as lists
from tasks.queries import search, stats
from tests.tasks.sharing import make_project, share, task_in
from tests.tasks.wire import at, ids

pytestmark = pytest.mark.django_db
NOON = at("2026-06-15T12:00:00")
SIZES = [[9, 9, 9], [25, 1, 0, 0], [0, 0, 0, 17], [1] * 8, [12, 0, 3]]


@pytest.fixture
def compiled_anew() -> Any:
    yield
    lists.compiled_list.cache_clear()
    stats.compiled_stats.cache_clear()


def fill(owner: User, member: User, sizes: list[int]) -> list[Task]:
    """The member's projects of others, in no order; times have ties."""
    chance, tasks = random.Random(str(sizes)), []
    for size in sizes:
        project = make_project(owner)
        share(project, member)
        for _ in range(size):
            title = chance.choice(["plants", "letters"])
            task = task_in(project, title=title)
            moment = NOON + timedelta(minutes=chance.randrange(12))
            Task.objects.filter(pk=task.pk).update(created_at=moment)
            tasks.append(task)
    return tasks


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("query", ["", "&sort=createdAt", "&status=TODO", "&q=plants"])
@pytest.mark.usefixtures("compiled_anew")
def test_deep_pages_are_those_of_the_whole_list(
    alice_api: APIClient,
    alice: User,
    bob: User,
    monkeypatch: pytest.MonkeyPatch,
    sizes: list[int],
    query: str,
) -> None:
    fill(bob, alice, sizes)
    whole = ids(alice_api.get(f"/api/tasks?limit=100{query}"))
    monkeypatch.setattr(lists, "DEEP_ROWS", 0)
    monkeypatch.setattr(search, "MIN_SCAN", 4)
    for limit in (1, 3, 7):
        found: list[str] = []
        for page in range(1, len(whole) // limit + 2):
            path = f"/api/tasks?limit={limit}&page={page}{query}"
            found += ids(alice_api.get(path))
        assert found == whole


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.usefixtures("compiled_anew")
def test_the_newest_of_all_projects_are_counted(
    alice_api: APIClient,
    alice: User,
    bob: User,
    monkeypatch: pytest.MonkeyPatch,
    sizes: list[int],
) -> None:
    fill(bob, alice, sizes)
    monkeypatch.setattr(stats, "MAX_COUNT", 6)
    newest = Task.objects.order_by("-created_at", "-id")[:6]
    expected: dict[str, int] = {}
    for task in newest:
        expected[str(task.project_id)] = expected.get(str(task.project_id), 0) + 1

    counts = alice_api.get("/api/tasks/stats").json()

    assert counts["byProject"] == expected
    assert counts["isExact"] is (len(newest) < 6 or sum(sizes) == 6)
