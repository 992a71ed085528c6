"""The compiled queries of lists are kept for a bounded number of shapes."""

import gc
import tracemalloc
import weakref
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task
from tasks.queries import list as lists
from tasks.queries.sources import Sources
from tasks.queries.stats import CompiledStats
from tests.factories import make_task, make_user
from tests.tasks.sharing import make_project, share
from tests.tasks.wire import ids

MANY = {
    **{"q": "plants", "status": "TODO,DONE", "priority": "LOW,HIGH", "label": "a,b"},
    **{"overdue": "true", "sort": "dueDate", "dueBefore": "2026-01-01T00:00:00Z"},
    "createdAfter": "2026-01-01T00:00:00Z",
}
SHAPES = ["?limit=1", "?limit=1&q=plants", "?limit=1&status=TODO&sort=dueDate"]


@pytest.mark.django_db
@pytest.mark.parametrize("query", SHAPES)
def test_shape_that_is_no_longer_cached_is_freed(
    alice_api: APIClient, task: Task, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[lists.CompiledTaskList]] = []
    compile_shape = lists.CompiledTaskList.__init__

    def remember(self: lists.CompiledTaskList, *args: Any) -> None:
        made.append(weakref.ref(self))
        compile_shape(self, *args)

    monkeypatch.setattr(lists.CompiledTaskList, "__init__", remember)
    lists.build_list_query.cache_clear()
    lists.compiled_list.cache_clear()
    alice_api.post("/api/tasks", {"title": "plants"}, format="json")
    first = alice_api.get(f"/api/tasks{query}")
    cursor = first.json()["nextCursor"]
    assert len(ids(alice_api.get(f"/api/tasks{query}&cursor={cursor}"))) == 1
    lists.build_list_query.cache_clear()
    lists.compiled_list.cache_clear()
    gc.collect()

    assert made
    assert [each() for each in made] == [None] * len(made)


@pytest.mark.django_db
def test_pages_of_one_list_are_parsed_once(
    alice_api: APIClient, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, str]] = []
    parse = lists.parse_filters

    def counted(filters: dict[str, str]) -> object:
        calls.append(filters)
        return parse(filters)

    lists.build_list_query.cache_clear()
    monkeypatch.setattr(lists, "parse_filters", counted)
    for page in range(1, 5):
        ids(alice_api.get(f"/api/tasks?status=TODO&sort=title&page={page}"))

    assert calls == [{"sort": "title", "status": "TODO"}]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("label", ["a", "b", "C", "me", "none"]),
        ("parent", ["{0}", "{1}"]),
        ("assignee", ["{2}", "{3}"]),
        ("createdBy", ["{2}", "{3}"]),
        ("due", ["today", "week", "today&timezone=Asia/Tokyo"]),
    ],
)
def test_lists_that_differ_in_one_value_share_their_statements(
    alice_api: APIClient, alice: User, name: str, values: list[str]
) -> None:
    tasks = [make_task(alice) for _ in range(2)]
    members = [make_user(each) for each in ("carol", "dave")]
    for each in members:
        share(make_project(alice), each)
    lists.compiled_list.cache_clear()
    for value in values:
        known = value.format(*(each.pk for each in [*tasks, *members]))
        ids(alice_api.get(f"/api/tasks?{name}={known}"))

    assert lists.compiled_list.cache_info().currsize == 1


@pytest.mark.django_db
def test_bound_value_is_that_of_the_request(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    parents = [make_task(alice, title=name) for name in "ab"]
    children = [
        make_task(alice, parent_id=each.pk, labels=[each.title]) for each in parents
    ]
    for parent, child in zip(parents, children, strict=True):
        found = [str(child.pk)]
        assert ids(alice_api.get(f"/api/tasks?parent={parent.pk}")) == found
        assert ids(alice_api.get(f"/api/tasks?label={parent.title}")) == found
    share(make_project(alice), bob)
    about = "&limit=1&sort=title"
    for user in (alice, bob):
        made = ids(alice_api.get(f"/api/tasks?createdBy={user.pk}{about}"))
        assert made == ([str(parents[0].pk)] if user == alice else [])
    both = ids(alice_api.get("/api/tasks?label=a,b"))
    assert {*both} == {str(each.pk) for each in children}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("filters", "kind", "most_bytes"),
    [
        ({"status": "TODO", "sort": "title"}, lists.CompiledTaskList, 50_000),
        (MANY, lists.CompiledTaskList, 150_000),
        (MANY, CompiledStats, 50_000),
    ],
)
def test_a_list_keeps_its_statements_and_nothing_that_made_them(
    filters: dict[str, str], kind: Any, most_bytes: int
) -> None:
    shape = lists.build_list_query(tuple(sorted(filters.items()))).shape
    for warm in (True, False):
        tracemalloc.start()
        kept = kind(shape, Sources("visible", has_projects=True))
        assert all(statements_of(kept))
        gc.collect()
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert warm or size < most_bytes


def statements_of(kept: Any) -> list[Any]:
    """All that it is ever asked for."""
    if isinstance(kept, CompiledStats):
        return [kept.counts, kept.next]
    if kept.is_search:
        return [kept.search_page(each) for each in (None, True, False)]
    return [kept.page, kept.count, kept.pages_after(True), kept.pages_after(False)]
