"""The compiled queries of lists are kept for a bounded number of shapes."""

import gc
import weakref

import pytest
from rest_framework.test import APIClient

from tasks.models import Task
from tasks.queries import list as lists
from tests.tasks.wire import ids

SHAPES = ["?limit=1", "?limit=1&q=plants", "?limit=1&status=TODO&sort=dueDate"]


@pytest.mark.django_db
@pytest.mark.parametrize("query", SHAPES)
def test_shape_that_is_no_longer_cached_is_freed(
    alice_api: APIClient, task: Task, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[lists.CompiledTaskList]] = []
    compile_shape = lists.CompiledTaskList.__init__

    def remember(self: lists.CompiledTaskList, shape: lists.Shape) -> None:
        made.append(weakref.ref(self))
        compile_shape(self, shape)

    monkeypatch.setattr(lists.CompiledTaskList, "__init__", remember)
    lists.build_list_query.cache_clear()
    lists.compile_list.cache_clear()
    alice_api.post("/api/tasks", {"title": "plants"}, format="json")
    first = alice_api.get(f"/api/tasks{query}")
    cursor = first.json()["nextCursor"]
    assert len(ids(alice_api.get(f"/api/tasks{query}&cursor={cursor}"))) == 1
    lists.build_list_query.cache_clear()
    lists.compile_list.cache_clear()
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
