from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks.filters import SORT_NAMES
from tasks.models import Task
from tests.factories import Priority, Status, make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, details_of, error_of, ids, make_tasks, titles, trash

PARAMETERS = (
    "status, priority, dueBefore, dueAfter, dueDate, due, timezone, overdue, "
    "createdBefore, createdAfter, updatedBefore, updatedAfter, completedBefore, "
    "completedAfter, "
    "project, parent, assignee, createdBy, series, label, archived, scope, q, sort, "
    "page, limit, cursor"
)
ESCAPE_PLUS = "write the offset's + as %2B"
INSTANT = "Write a date and time with offset, such as 2026-12-31T09:00:00Z."
NOON = at("2026-06-15T12:00:00")
ROWS = [
    {"title": "rent", "status": Status.TODO, "priority": Priority.URGENT},
    {"title": "cat", "status": Status.IN_PROGRESS, "priority": Priority.LOW},
    {"title": "mow", "status": Status.DONE, "priority": Priority.HIGH},
    {"title": "book", "status": Status.TODO, "priority": Priority.LOW},
]


def found(api: APIClient, query: str) -> set[str]:
    return set(titles(api.get(f"/api/tasks?limit=100&{query}")))


def test_list_is_a_page_of_tasks(
    alice_api: APIClient, alice: User, bob: User, clock: Clock
) -> None:
    first = make_task(alice, title="first")
    clock.advance(minutes=1)
    second = make_task(alice, title="second")
    make_task(bob)
    response = alice_api.get("/api/tasks")

    assert response.status_code == 200
    assert response.json() == {
        "items": [
            alice_api.get(f"/api/tasks/{task.pk}").json() for task in (second, first)
        ],
        "total": 2,
        "page": 1,
        "totalIsExact": True,
        "totalPages": 1,
        "nextCursor": None,
    }


def test_list_of_nothing_is_empty(alice_api: APIClient) -> None:
    assert alice_api.get("/api/tasks").json() == {
        "items": [],
        "total": 0,
        "page": 1,
        "totalIsExact": True,
        "totalPages": 0,
        "nextCursor": None,
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"rent", "cat", "mow", "book"}),
        ("status=TODO", {"rent", "book"}),
        ("status=IN_PROGRESS,DONE", {"cat", "mow"}),
        ("status=DONE,DONE", {"mow"}),
        ("priority=LOW", {"cat", "book"}),
        ("priority=URGENT,HIGH", {"rent", "mow"}),
        ("priority=MEDIUM", set()),
        ("status=TODO&priority=LOW", {"book"}),
        ("status=TODO&q=oo", {"book"}),
    ],
)
def test_names_narrow_the_list(
    alice_api: APIClient, alice: User, query: str, expected: set[str]
) -> None:
    make_tasks(alice, ROWS)

    assert found(alice_api, query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("dueBefore=2026-06-15T12:00:00Z", {"before"}),
        ("dueAfter=2026-06-15T12:00:00Z", {"after"}),
        ("dueBefore=2026-06-15T14:00:00.000001%2B02:00", {"before", "noon"}),
        ("dueAfter=2026-06-15T11:59:59.999999Z", {"noon", "after"}),
        (
            "dueAfter=2026-06-15T11:59:59Z&dueBefore=2026-06-15T12:00:01Z",
            {"noon", "before", "after"},
        ),
        ("dueAfter=0001-01-01T00:00:00Z", {"before", "noon", "after"}),
        ("dueBefore=9999-12-31T23:59:59Z", {"before", "noon", "after"}),
        ("dueDate=none", {"never"}),
        ("dueDate=none&dueAfter=0001-01-01T00:00:00Z", set()),
    ],
)
def test_due_dates_narrow_the_list(
    alice_api: APIClient, alice: User, query: str, expected: set[str]
) -> None:
    moment = timedelta(microseconds=1)
    dues = {"before": NOON - moment, "noon": NOON, "after": NOON + moment}
    rows = [{"title": title, "due_at": due} for title, due in dues.items()]
    make_tasks(alice, [*rows, {"title": "never"}])

    assert found(alice_api, query) == expected


def test_overdue_tasks_are_open_and_past_their_time(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    moment = timedelta(microseconds=1)
    rows = [
        {"title": "late", "due_at": clock.time - moment},
        {"title": "begun", "due_at": clock.time - moment, "status": Status.IN_PROGRESS},
        {"title": "done", "due_at": clock.time - moment, "status": Status.DONE},
        {"title": "now", "due_at": clock.time},
        {"title": "never"},
    ]
    make_tasks(alice, rows)

    assert found(alice_api, "overdue=true") == {"late", "begun"}
    assert found(alice_api, "overdue=false") == {"done", "now", "never"}


SEARCHED = [
    {"title": "100% sure"},
    {"title": "100 of 100"},
    {"title": "snake_case"},
    {"title": "snake case"},
    {"title": "back\\slash"},
    {"title": "other", "description": "Buy OAT milk"},
    {"title": 'it\'s "quoted"'},
]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("%", {"100% sure"}),
        ("_", {"snake_case"}),
        ("\\", {"back\\slash"}),
        ("100", {"100% sure", "100 of 100"}),
        ("0%", {"100% sure"}),
        ("SNAKE", {"snake_case", "snake case"}),
        ("oat M", {"other"}),
        ("t's \"", {'it\'s "quoted"'}),
        (" ", {"100% sure", "100 of 100", "snake case", "other", 'it\'s "quoted"'}),
        ("oats", set()),
        ("' OR 1=1 --", set()),
        ("a" * 255, set()),
    ],
)
def test_search_finds_the_text_itself(
    alice_api: APIClient, alice: User, q: str, expected: set[str]
) -> None:
    make_tasks(alice, SEARCHED)
    response = alice_api.get("/api/tasks", {"q": q})

    assert set(titles(response)) == expected


@pytest.mark.parametrize("q", ["Ä", "ä", "Ärger", "äRG", "ж", "Ж"])
def test_search_ignores_case_beyond_ascii(
    alice_api: APIClient, alice: User, q: str
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite folds the case of ASCII only")
    make_tasks(alice, [{"title": "Viel ärger, Жук"}, {"title": "Arger"}])
    response = alice_api.get("/api/tasks", {"q": q})

    assert titles(response) == ["Viel ärger, Жук"]


def test_search_reads_every_unicode_character(
    alice_api: APIClient, alice: User
) -> None:
    make_tasks(alice, [{"title": "Lift off 🚀"}, {"title": "Lift"}])

    assert titles(alice_api.get("/api/tasks", {"q": "🚀"})) == ["Lift off 🚀"]


SORTED = [
    {"title": "b", "priority": Priority.HIGH, "due_at": NOON},
    {"title": "a", "priority": Priority.URGENT},
    {"title": "d", "priority": Priority.LOW, "due_at": NOON + timedelta(days=1)},
    {"title": "c", "priority": Priority.MEDIUM, "due_at": NOON - timedelta(days=1)},
]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("createdAt", "badc"),
        ("-createdAt", "cdab"),
        ("updatedAt", "adcb"),
        ("-updatedAt", "bcda"),
        ("dueDate", "cbda"),
        ("-dueDate", "dbca"),
        ("priority", "dcba"),
        ("-priority", "abcd"),
        ("title", "abcd"),
        ("-title", "dcba"),
    ],
)
def test_list_is_sorted_with_nulls_last(
    alice_api: APIClient, alice: User, clock: Clock, sort: str, expected: str
) -> None:
    tasks = []
    for row in SORTED:
        clock.advance(minutes=1)
        tasks.append(make_task(alice, **row))
    clock.advance(minutes=1)
    body = {"description": "Changed last"}
    alice_api.patch(f"/api/tasks/{tasks[0].pk}", body, format="json")

    assert "".join(titles(alice_api.get(f"/api/tasks?sort={sort}"))) == expected


def test_default_sort_is_the_last_made_first(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    for title in "abc":
        clock.advance(minutes=1)
        make_task(alice, title=title)

    assert titles(alice_api.get("/api/tasks")) == ["c", "b", "a"]


@pytest.mark.parametrize("sort", SORT_NAMES)
@pytest.mark.parametrize("due_at", [None, NOON])
def test_equal_rows_are_ordered_by_id(
    alice_api: APIClient, alice: User, clock: Clock, sort: str, due_at: Any
) -> None:
    tasks = make_tasks(alice, [{"due_at": due_at}] * 7)
    Task.objects.update(position="i")  # of tasks they differ
    expected = sorted((str(t.pk) for t in tasks), reverse=sort.startswith("-"))
    pages = [alice_api.get(f"/api/tasks?sort={sort}&limit=3&page={n}") for n in "123"]

    assert [pk for page in pages for pk in ids(page)] == expected


@pytest.mark.parametrize(
    ("query", "count", "page", "total_pages"),
    [
        ("", 20, 1, 2),
        ("limit=1", 1, 1, 25),
        ("limit=100", 25, 1, 1),
        ("limit=10&page=2", 10, 2, 3),
        ("limit=10&page=3", 5, 3, 3),
        ("limit=5&page=5", 5, 5, 5),
        ("limit=10&page=4", 0, 4, 3),
        ("page=1000000000&limit=100", 0, 1000000000, 1),
    ],
)
def test_pages_count_up_to_the_end_and_are_empty_after_it(
    alice_api: APIClient,
    alice: User,
    query: str,
    count: int,
    page: int,
    total_pages: int,
) -> None:
    make_tasks(alice, [{}] * 25)
    body = alice_api.get(f"/api/tasks?{query}").json()

    assert len(body["items"]) == count
    is_last = page >= total_pages
    assert (body["nextCursor"] is None) == is_last
    assert (body["total"], body["page"]) == (25, page)
    assert body["totalPages"] == total_pages


@pytest.mark.parametrize(
    ("query", "detail", "hint"),
    [
        ("limit=0", ("limit", "invalid"), "Send a whole number from 1 to 100."),
        ("limit=101", ("limit", "invalid"), "from 1 to 100"),
        ("limit=-1", ("limit", "invalid"), "from 1 to 100"),
        ("limit=1.0", ("limit", "invalid"), "from 1 to 100"),
        ("limit=1_0", ("limit", "invalid"), "from 1 to 100"),
        ("limit=%2B1", ("limit", "invalid"), "from 1 to 100"),
        ("limit=%201", ("limit", "invalid"), "from 1 to 100"),
        ("limit=1%0A", ("limit", "invalid"), "from 1 to 100"),
        ("limit=١٢", ("limit", "invalid"), "from 1 to 100"),
        ("limit=" + "9" * 5000, ("limit", "invalid"), "from 1 to 100"),
        ("page=0", ("page", "invalid"), "from 1 to 1000000000"),
        ("page=last", ("page", "invalid"), "from 1 to 1000000000"),
        ("page=1000000001", ("page", "invalid"), "from 1 to 1000000000"),
        ("status=todo", ("status", "invalid_choice"), "TODO, IN_PROGRESS, DONE"),
        ("status=TODO,", ("status", "invalid_choice"), "TODO, IN_PROGRESS, DONE"),
        ("status=TODO, DONE", ("status", "invalid_choice"), "TODO, IN_PROGRESS"),
        ("status=%25", ("status", "invalid_choice"), "'%' is not one of: TODO"),
        ("status=%25s", ("status", "invalid_choice"), "'%s' is not one of: TODO"),
        ("priority=%25(", ("priority", "invalid_choice"), "'%(' is not one of: LOW"),
        ("priority=1", ("priority", "invalid_choice"), "LOW, MEDIUM, HIGH, URGENT"),
        ("sort=due", ("sort", "invalid_choice"), ", ".join(SORT_NAMES)),
        ("sort=--title", ("sort", "invalid_choice"), ", ".join(SORT_NAMES)),
        ("sort=title,priority", ("sort", "invalid_choice"), ", ".join(SORT_NAMES)),
        ("overdue=yes", ("overdue", "invalid_choice"), "true, false"),
        ("overdue=True", ("overdue", "invalid_choice"), "true, false"),
        ("dueDate=null", ("dueDate", "invalid_choice"), "none"),
        ("dueBefore=2026-12-31", ("dueBefore", "invalid"), INSTANT),
        ("dueBefore=2026-13-01T00:00:00Z", ("dueBefore", "invalid"), INSTANT),
        ("dueAfter=2026-12-31T09:00:00", ("dueAfter", "invalid"), INSTANT),
        ("dueAfter=2026-12-31T09:00:00+01:00", ("dueAfter", "invalid"), ESCAPE_PLUS),
        ("dueAfter=2026-12-31T09:00:00.5+0100", ("dueAfter", "invalid"), "%2B"),
        ("dueAfter=0001-01-01T00:00:00%2B23:59", ("dueAfter", "invalid"), INSTANT),
        ("dueBefore=9999-12-31T23:59:59-00:01", ("dueBefore", "invalid"), INSTANT),
        ("dueBefore=%00", ("dueBefore", "invalid"), INSTANT),
        ("q=%00", ("q", "null_characters_not_allowed"), ""),
        ("q=" + "a" * 256, ("q", "max_length"), "255"),
    ],
)
def test_bad_value_is_refused_with_what_is_accepted(
    alice_api: APIClient, query: str, detail: tuple[str, str], hint: str
) -> None:
    response = alice_api.get(f"/api/tasks?{query}")

    assert details_of(response) == [detail]
    assert hint in error_of(response)["details"][0]["message"]


@pytest.mark.parametrize(
    "name", ["colour", "Status", "pageSize", "offset", "status[]", "user", "format"]
)
def test_unknown_parameter_is_named_with_what_is_accepted(
    alice_api: APIClient, name: str
) -> None:
    response = alice_api.get("/api/tasks", {name: "1"})

    assert details_of(response) == [(name, "unknown")]
    hint = f"Unknown parameter. Accepted: {PARAMETERS}."
    assert error_of(response)["details"][0]["message"] == hint


@pytest.mark.parametrize("name", PARAMETERS.split(", "))
def test_empty_parameter_is_refused(alice_api: APIClient, name: str) -> None:
    assert details_of(alice_api.get(f"/api/tasks?{name}=")) == [(name, "blank")]


@pytest.mark.parametrize("name", PARAMETERS.split(", "))
def test_repeated_parameter_is_refused(alice_api: APIClient, name: str) -> None:
    response = alice_api.get(f"/api/tasks?{name}=1&{name}=1")

    assert details_of(response) == [(name, "repeated")]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("count", [1, 50])
@pytest.mark.parametrize("query", ["", "&q=plant&status=TODO&sort=dueDate"])
def test_list_costs_the_same_however_long(
    alice_api: APIClient, alice: User, count: int, query: str
) -> None:
    make_tasks(alice, [{}] * count)
    with CaptureQueriesContext(connection) as queries:
        response = alice_api.get(f"/api/tasks?limit=100{query}")

    assert len(response.json()["items"]) == count
    # The session and the page; a page that is not full tells the total.
    assert len(queries) == 2


@pytest.mark.parametrize("path", ["/api/tasks", "/api/tasks/trash"])
@pytest.mark.parametrize(("count", "exact"), [(2, True), (3, True), (4, False)])
def test_total_stops_where_counting_does_and_says_so(
    alice_api: APIClient,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    count: int,
    exact: bool,
) -> None:
    monkeypatch.setattr("taskapi.api.pagination.KeysetPagination.max_count", 3)
    for task in make_tasks(alice, [{}] * count):
        if path.endswith("trash"):
            trash(task)
    first = alice_api.get(f"{path}?limit=2").json()
    last = alice_api.get(f"{path}?limit=2&page=2").json()

    assert (first["total"], first["totalIsExact"]) == (min(count, 3), exact)
    assert first["totalPages"] == -(-min(count, 3) // 2)
    # What is not counted is shown all the same.
    assert len(first["items"]) + len(last["items"]) == count


def test_every_kind_of_write_shows_in_the_list(
    alice_api: APIClient, alice: User
) -> None:
    kept, deleted = make_task(alice, title="kept"), make_task(alice, title="deleted")
    alice_api.patch(f"/api/tasks/{kept.pk}", {"title": "renamed"}, format="json")
    trash(deleted)

    assert titles(alice_api.get("/api/tasks")) == ["renamed"]


@pytest.mark.parametrize("sort", ["priority", "-priority"])
def test_walk_by_priority_passes_none_beyond_those_asked_for(
    alice_api: APIClient, alice: User, sort: str
) -> None:
    """An owner may have millions of them."""
    make_tasks(alice, [{"priority": priority} for priority in Priority])
    with CaptureQueriesContext(connection) as queries:
        response = alice_api.get(f"/api/tasks?priority=HIGH,MEDIUM&sort={sort}")
    [sql] = [q["sql"] for q in queries if "tasks_task" in q["sql"]]

    found = [item["priority"] for item in response.json()["items"]]
    assert found == sorted(["MEDIUM", "HIGH"], reverse=sort == "priority")
    for bound in (f">= {Priority.MEDIUM.value}", f"<= {Priority.HIGH.value}"):
        assert f'"priority" {bound}' in sql


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("due=today", "bc"),
        ("due=week", "bcde"),
        ("due=today&timezone=UTC", "bc"),
        # 2026-06-15 12:00 UTC is 2026-06-16 there, from 10:00 UTC on.
        ("due=today&timezone=Pacific/Kiritimati", "cd"),
        ("due=week&timezone=Pacific/Kiritimati", "cdef"),
        ("timezone=Europe/Berlin", "abcdefgh"),
    ],
)
def test_tasks_due_on_days_of_a_time_zone(
    alice_api: APIClient, alice: User, clock: Clock, query: str, found: str
) -> None:
    clock.time = at("2026-06-15T12:00:00")
    dues = {
        "a": "2026-06-14T23:59:59",
        "b": "2026-06-15T00:00:00",
        "c": "2026-06-15T23:59:59",
        "d": "2026-06-16T00:00:00",
        "e": "2026-06-21T23:59:59",
        "f": "2026-06-22T00:00:00",
        "g": "2026-06-22T10:00:00",
    }
    rows = [{"title": title, "due_at": at(due)} for title, due in dues.items()]
    make_tasks(alice, [*rows, {"title": "h"}])

    assert sorted(titles(alice_api.get(f"/api/tasks?{query}"))) == [*found]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("due=tomorrow", ("due", "invalid_choice")),
        ("due=today&timezone=Mars", ("timezone", "invalid")),
        ("timezone=europe/berlin", ("timezone", "invalid")),
    ],
)
def test_bad_day_is_refused(
    alice_api: APIClient, query: str, detail: tuple[str, str]
) -> None:
    assert details_of(alice_api.get(f"/api/tasks?{query}")) == [detail]
