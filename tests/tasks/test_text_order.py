"""Titles are sorted and texts are found alike on every database, in every locale."""

import unicodedata
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from taskapi.db.text import fold
from tasks.admin.search import title_contains
from tasks.models import Task
from tasks.queries import search
from tests.tasks.wire import details_of, make_tasks, walk

TITLES = ["Zebra", "apple", "Ärger", "éclair", "Молоко", "ΟΔΟΣ", "Straße", "50% off_"]


@pytest.fixture(params=[1, 5000], ids=["by the index", "in the window"])
def _both_ways(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MIN_SCAN", request.param)
    monkeypatch.setattr(search, "MAX_SCAN", 0)


def found(api: APIClient, text: str) -> list[str]:
    items = api.get("/api/tasks", {"q": text}).json()["items"]
    return sorted(task["title"] for task in items)


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("МОЛОК", "Молоко"),
        ("олоко", "Молоко"),
        ("οδος", "ΟΔΟΣ"),
        ("STRASSE", "Straße"),
        ("raße", "Straße"),
        ("E\u0301CLAIR", "éclair"),
        ("\u00c4rg", "Ärger"),
        ("0% O", "50% off_"),
        ("F_", "50% off_"),
    ],
)
@pytest.mark.parametrize("field", ["title", "description"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_text_is_found_in_any_case_and_composition(
    alice_api: APIClient, alice: User, text: str, title: str, field: str, form: Any
) -> None:
    rows = [{field: unicodedata.normalize(form, each)} for each in TITLES]
    make_tasks(alice, [{"title": f"-{n}"} | row for n, row in enumerate(rows)])
    [one] = found(alice_api, text)
    task = Task.objects.get(title=one)

    assert fold(getattr(task, field)) == fold(title)


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize("text", ["50_", "%_%", "мол_ко", "zebrä"])
def test_what_is_not_contained_is_not_found(
    alice_api: APIClient, alice: User, text: str
) -> None:
    make_tasks(alice, [{"title": title} for title in TITLES])

    assert found(alice_api, text) == []


@pytest.mark.parametrize("sort", ["title", "-title"])
@pytest.mark.parametrize("query", [{}, {"q": "a"}])
def test_titles_are_sorted_without_case(
    alice_api: APIClient, alice: User, sort: str, query: dict[str, str]
) -> None:
    titles = ["Zebra a", "apple", "Banana", "APPLE", "банан a", "Арбуз a", "cable"]
    make_tasks(alice, [{"title": title} for title in titles])
    whole = alice_api.get("/api/tasks", query | {"sort": sort}).json()["items"]
    pairs = [(fold(task["title"]), task["id"]) for task in whole]

    assert pairs == sorted(pairs, reverse=sort == "-title")
    assert len(pairs) == len(titles)
    for limit in (1, 2, 3):
        asked = query | {"sort": sort, "limit": limit}
        assert walk(alice_api, asked) == [task["id"] for task in whole]


def test_cursor_of_the_order_with_case_is_refused(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would skip rows: it was issued for another order."""
    make_tasks(alice, [{"title": title} for title in TITLES])
    with monkeypatch.context() as patch:
        patch.setattr("taskapi.api.pagination.CharField", type(None))
        old = alice_api.get("/api/tasks?sort=title&limit=2").json()["nextCursor"]
    response = alice_api.get("/api/tasks", {"sort": "title", "cursor": old})

    assert isinstance(old, str)
    assert details_of(response) == [("cursor", "invalid")]


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL's")
@pytest.mark.parametrize("text", [*TITLES, "E\u0301", "ΣΑΣ σας", "ﬁn", "日本語", "İ"])
def test_postgresql_folds_as_python_does(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tasks_fold(%s)", [text])
        assert cursor.fetchone() == (fold(text),)


ROWS = """
INSERT INTO tasks_task (id, user_id, title, status, priority, version, revision,
    created_at, updated_at)
SELECT gen_random_uuid(), %s, 'Water the plants ' || n, 'TODO', 2, 1, 0, now(), now()
FROM generate_series(1, 5000) n
"""


@pytest.fixture
def many_tasks(alice: User) -> None:
    """So many that an index is worth reading, and statistics that say so."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS, [alice.pk])
        cursor.execute("ANALYZE tasks_task")


@pytest.mark.usefixtures("many_tasks")
@pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL's")
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"q": "молоко"}, "task_text_trigram"),
        ({"q": "rent", "status": "TODO"}, "task_text_trigram"),
        ({"sort": "title"}, "task_title_folded"),
        ({"sort": "-title"}, "task_title_folded"),
    ],
)
def test_statement_of_the_list_reads_the_index(
    alice_api: APIClient, query: dict[str, str], index: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert alice_api.get("/api/tasks", query).status_code == 200
    asked = [q["sql"] for q in queries if "ORDER BY" in q["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {asked[0]}")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert f"{index} " in plan, plan


@pytest.mark.usefixtures("many_tasks")
@pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL's")
def test_search_of_the_admin_reads_the_index() -> None:
    tasks = Task.objects.filter(title_contains(["молоко"]))

    assert "task_text_trigram " in tasks.explain()
