import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import icalendar
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks.exports.formats import FORMATS
from tasks.exports.snapshot import PAGE_SIZE, Snapshot, as_of
from tasks.filters import SORT_NAMES
from tasks.models import Task
from tasks.operations import Delete, Restore, Update, perform
from tasks.serializers import TaskSerializer
from tests.factories import Priority, Status, make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, author, details_of, error_of, make_tasks, trash

NOON = at("2026-06-15T12:00:00")
FIELDS = [
    *["id", "userId", "createdById", "projectId", "parentId", "title", "description"],
    *["status", "priority", "labels", "assigneeId", "startDate", "dueDate"],
    *["isAllDay", "timeZone", "completedAt", "recurrence", "seriesId", "nextTaskId"],
    *["position", "version", "createdAt", "updatedAt"],
]
Wire = dict[str, Any]


def download(api: APIClient, query: str = "", **headers: str) -> Any:
    return api.get(f"/api/tasks/export?{query}", **headers)


def text_of(response: Any) -> str:
    assert response.status_code == 200, response.content
    return b"".join(response).decode()


def rows_of(response: Any) -> list[Wire]:
    return [json.loads(line) for line in text_of(response).splitlines()]


def listed(api: APIClient, query: str) -> list[Wire]:
    return api.get(f"/api/tasks?limit=100&{query}").json()["items"]


@pytest.fixture
def mixed(alice: User, clock: Clock) -> list[Task]:
    """Twelve tasks with ties and nulls in every key."""
    tasks = []
    for number in range(6):
        clock.advance(minutes=1)
        rows = [
            {
                "title": "aab"[number % 3] + "xy"[row],
                "description": [None, "", "some; text, \\n"][number % 3],
                "status": Status.values[number % 3],
                "priority": Priority.values[number % 4],
                "due_at": NOON + timedelta(days=number // 2) if number % 3 else None,
            }
            for row in range(2)
        ]
        tasks += make_tasks(alice, rows)
    return tasks


# What is in it


@pytest.mark.parametrize("sort", SORT_NAMES)
def test_export_is_in_the_order_of_the_list(
    alice_api: APIClient, mixed: list[Task], sort: str
) -> None:
    whole = listed(alice_api, f"sort={sort}")

    assert len(whole) == 12
    assert rows_of(download(alice_api, f"format=jsonl&sort={sort}")) == whole


@pytest.mark.parametrize(
    "query",
    [
        "",
        "status=TODO",
        "status=TODO,DONE&priority=LOW,HIGH",
        "dueDate=none",
        "dueAfter=2026-06-15T12:00:00Z&dueBefore=2026-06-18T12:00:00Z",
        "overdue=true",
        "overdue=false",
        "q=AY",
        "q=nothing+like+it",
    ],
)
def test_export_is_narrowed_like_the_list(
    alice_api: APIClient, mixed: list[Task], query: str
) -> None:
    assert rows_of(download(alice_api, f"format=jsonl&{query}")) == listed(
        alice_api, query
    )


def test_csv_has_a_column_for_each_field(
    alice_api: APIClient, mixed: list[Task]
) -> None:
    text = text_of(download(alice_api, "format=csv&sort=title"))

    header, *records = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == FIELDS
    whole = listed(alice_api, "sort=title")
    # An empty text is told from null by an apostrophe.
    plain = {"description": {"": "'", None: ""}}
    for row in whole:
        row["labels"] = ",".join(row["labels"])
        row["isAllDay"] = "false"
    assert records == [
        [str(plain.get(name, {}).get(row[name], row[name] or "")) for name in FIELDS]
        for row in whole
    ]


def test_calendar_has_every_field(alice_api: APIClient, mixed: list[Task]) -> None:
    perform([Update({"title": "Changed"}, mixed[0].pk)], author(mixed[0].user))
    text = text_of(download(alice_api, "format=ics&sort=title"))

    calendar = icalendar.Calendar.from_ical(text)
    assert calendar["VERSION"] == "2.0"
    assert calendar["PRODID"]
    assert calendar.errors == []
    assert [facts(todo) for todo in calendar.todos] == [
        {
            "UID": row["id"],
            "SUMMARY": row["title"],
            "DESCRIPTION": row["description"],
            "STATUS": STATUS[row["status"]],
            "PRIORITY": PRIORITY[row["priority"]],
            "SEQUENCE": row["version"] - 1,
            "DUE": second(row["dueDate"]),
            "PERCENT-COMPLETE": PERCENT.get(row["status"]),
            "COMPLETED": second(row["completedAt"]),
            "CREATED": second(row["createdAt"]),
            "LAST-MODIFIED": second(row["updatedAt"]),
            "DTSTAMP": second(row["updatedAt"]),
        }
        for row in listed(alice_api, "sort=title")
    ]


STATUS = {"TODO": "NEEDS-ACTION", "IN_PROGRESS": "IN-PROCESS", "DONE": "COMPLETED"}
PRIORITY = {"LOW": 9, "MEDIUM": 5, "HIGH": 3, "URGENT": 1}
PERCENT = {"TODO": 0, "DONE": 100}
MOMENTS = {"DUE", "COMPLETED", "CREATED", "LAST-MODIFIED", "DTSTAMP"}
KNOWN = ["UID", "SUMMARY", "DESCRIPTION", "STATUS", "PRIORITY", "SEQUENCE", *MOMENTS]
KNOWN += ["PERCENT-COMPLETE"]


def facts(todo: Any) -> dict[str, Any]:
    """Every property of the to-do, None where there is none."""
    assert todo.errors == []
    assert set(todo) <= set(KNOWN)
    return {
        name: todo[name].dt if name in MOMENTS and name in todo else todo.get(name)
        for name in KNOWN
    }


def second(wire: str | None) -> Any:
    return wire and at(wire[:19])


def test_export_of_nothing_is_an_empty_file(alice_api: APIClient) -> None:
    assert text_of(download(alice_api, "format=jsonl")) == ""
    columns = ",".join(f'"{name}"' for name in FIELDS)
    assert text_of(download(alice_api, "format=csv")) == f"{columns}\r\n"
    calendar = icalendar.Calendar.from_ical(text_of(download(alice_api, "format=ics")))
    assert calendar.todos == []


def test_tasks_of_others_and_trash_are_left_out(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    make_task(bob)
    trash(make_task(alice))
    mine = make_task(alice)

    rows = rows_of(download(alice_api, "format=jsonl"))

    assert [row["id"] for row in rows] == [str(mine.pk)]


# How it is asked for


@pytest.mark.parametrize(
    ("format", "media_type"),
    [
        ("jsonl", "application/jsonl"),
        ("csv", "text/csv; charset=utf-8"),
        ("ics", "text/calendar; charset=utf-8"),
    ],
)
def test_it_is_a_streamed_download(
    alice_api: APIClient, task: Task, format: str, media_type: str
) -> None:
    response = download(alice_api, f"format={format}")

    assert response.streaming
    assert response["Content-Type"] == media_type
    expected = f'attachment; filename="tasks.{format}"'
    assert response["Content-Disposition"] == expected
    assert response["Cache-Control"] == "no-store"
    assert "ETag" not in response
    assert "RateLimit" in response


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [("format", "required")]),
        ("format=", [("format", "blank")]),
        ("format=xlsx", [("format", "invalid_choice")]),
        ("format=CSV", [("format", "invalid_choice")]),
        ("format=csv&format=ics", [("format", "repeated")]),
        ("format=csv&bom=yes", [("bom", "invalid_choice")]),
        ("format=csv&bom=", [("bom", "blank")]),
        ("format=csv&bom=true&bom=true", [("bom", "repeated")]),
        ("format=csv&status=NOPE", [("status", "invalid_choice")]),
        ("format=csv&sort=id", [("sort", "invalid_choice")]),
        ("format=csv&page=1", [("page", "unknown")]),
        ("format=csv&limit=1", [("limit", "unknown")]),
        ("format=csv&cursor=x", [("cursor", "unknown")]),
        ("format=csv&stauts=TODO", [("stauts", "unknown")]),
    ],
)
def test_bad_query_is_refused(
    alice_api: APIClient, query: str, expected: list[tuple[str, str]]
) -> None:
    for accept in ("*/*", "text/csv"):
        response = download(alice_api, query, HTTP_ACCEPT=accept)

        assert details_of(response) == expected


@pytest.mark.parametrize(
    ("query", "start"),
    [("&bom=true", b'\xef\xbb\xbf"id",'), ("&bom=false", b'"id",'), ("", b'"id",')],
)
def test_table_has_a_byte_order_mark_for_excel(
    alice_api: APIClient, task: Task, query: str, start: bytes
) -> None:
    response = download(alice_api, f"format=csv{query}")

    assert b"".join(response).startswith(start)


@pytest.mark.parametrize("format", ["ics", "jsonl"])
def test_byte_order_mark_is_for_tables_only(alice_api: APIClient, format: str) -> None:
    response = download(alice_api, f"format={format}&bom=true")

    assert details_of(response) == [("bom", "invalid")]


def test_missing_format_is_told_to_who_accepts_json_only(alice_api: APIClient) -> None:
    response = download(alice_api, HTTP_ACCEPT="application/json")

    assert details_of(response) == [("format", "required")]


@pytest.mark.parametrize(
    ("format", "accept", "status"),
    [
        ("csv", "text/csv", 200),
        ("csv", "text/*", 200),
        ("csv", "*/*", 200),
        ("csv", "text/html, text/csv;q=0.5", 200),
        ("jsonl", "application/jsonl", 200),
        ("ics", "text/calendar", 200),
        ("csv", "text/calendar", 406),
        ("ics", "text/csv", 406),
        # What generated clients send, whatever they ask for.
        ("jsonl", "application/json", 200),
        ("csv", "application/json", 200),
        ("ics", "application/json, */*;q=0.1", 200),
        ("csv", "", 200),
    ],
)
def test_accept_has_to_allow_the_format(
    alice_api: APIClient, task: Task, format: str, accept: str, status: int
) -> None:
    response = download(alice_api, f"format={format}", HTTP_ACCEPT=accept)

    assert response.status_code == status
    if status == 200:
        assert response["Content-Type"].startswith(FORMATS[format].media_type)
    else:
        assert error_of(response)["code"] == "NOT_ACCEPTABLE"


def test_only_get_is_allowed(alice_api: APIClient) -> None:
    response = alice_api.post("/api/tasks/export", {}, format="json")

    assert response.status_code == 405
    assert set(response["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("accept", ["*/*", "text/csv"])
def test_options_of_a_format_lists_the_methods(
    alice_api: APIClient, accept: str
) -> None:
    path = "/api/tasks/export?format=csv"
    response = alice_api.options(path, HTTP_ACCEPT=accept)

    assert (response.status_code, response.content) == (204, b"")
    assert response["Allow"] == "GET, HEAD, OPTIONS"
    assert "Content-Type" not in response


# One moment


def change(api: APIClient, task: Task) -> None:
    body = {
        "title": "zzz",
        "description": "new",
        "status": "IN_PROGRESS" if task.status == "DONE" else "DONE",
        "priority": "LOW" if task.priority == Priority.URGENT else "URGENT",
        "dueDate": "2031-01-01T00:00:00Z",
    }
    response = api.patch(f"/api/tasks/{task.pk}", body, format="json")
    assert response.status_code == 200


def change_twice(api: APIClient, task: Task) -> None:
    change(api, task)
    change(api, Task.objects.get(pk=task.pk))


def delete(api: APIClient, task: Task) -> None:
    assert api.delete(f"/api/tasks/{task.pk}").status_code == 204


def delete_and_restore(api: APIClient, task: Task) -> None:
    delete(api, task)
    assert api.post(f"/api/tasks/{task.pk}/restore").status_code == 200


def copy_and_delete(api: APIClient, task: Task) -> None:
    operations = [
        {"op": "create", "data": {"title": task.title}},
        {"op": "delete", "id": str(task.pk)},
    ]
    response = api.post("/api/tasks/batch", {"operations": operations}, format="json")
    assert response.status_code == 200


@pytest.mark.parametrize(
    "act", [change, change_twice, delete, delete_and_restore, copy_and_delete]
)
@pytest.mark.parametrize("query", ["", "sort=title", "status=TODO", "q=x"])
def test_what_is_written_while_it_is_sent_is_not_in_it(
    alice_api: APIClient,
    mixed: list[Task],
    clock: Clock,
    act: Callable[[APIClient, Task], None],
    query: str,
) -> None:
    before = listed(alice_api, query)
    response = download(alice_api, f"format=jsonl&{query}")
    clock.advance(minutes=1)
    for task in mixed:
        act(alice_api, task)

    assert rows_of(response) == before
    assert listed(alice_api, query) != before


def test_task_destroyed_while_it_is_sent_is_left_out(
    alice_api: APIClient, mixed: list[Task]
) -> None:
    response = download(alice_api, "format=jsonl&sort=createdAt")
    delete(alice_api, mixed[3])
    alice_api.delete(f"/api/tasks/trash/{mixed[3].pk}")

    rows = rows_of(response)

    expected = [str(task.pk) for task in mixed if task != mixed[3]]
    assert sorted(row["id"] for row in rows) == sorted(expected)


def test_every_version_can_be_put_back(alice: User, clock: Clock) -> None:
    task = make_task(alice, title="One", due_at=NOON)
    show = TaskSerializer().to_representation
    states = {1: show(task)}
    for operation in [
        Update({"title": "Two", "description": "d"}, task.pk),
        Update({"status": Status.DONE, "priority": Priority.URGENT}, task.pk),
        Delete(id=task.pk),
        Restore(id=task.pk),
        Update({"status": Status.TODO, "due_at": None}, task.pk),
        Update({"due_at": NOON + timedelta(microseconds=5)}, task.pk),
        Update({"description": None, "priority": Priority.LOW}, task.pk),
    ]:
        clock.advance(seconds=1)
        [now] = perform([operation], author(alice))
        states[now.version] = show(now)

    assert len(states) == 8
    for version, state in states.items():
        assert show(as_of(version, Task.objects.get())) == state


def test_versions_that_skipped_can_be_put_back(alice: User, clock: Clock) -> None:
    # As after a restore to an older moment (docs/operations.md).
    task = make_task(alice)
    Task.objects.update(version=1_000_001)
    before = TaskSerializer().to_representation(Task.objects.get())
    clock.advance(seconds=1)
    perform([Update({"title": "Two"}, task.pk)], author(alice))

    shown = as_of(1_000_001, Task.objects.get())

    assert TaskSerializer().to_representation(shown) == before


# Many of them


@pytest.mark.usefixtures("clock")
def test_it_reads_page_by_page(alice_api: APIClient, alice: User) -> None:
    make_tasks(alice, [{"title": f"Task {n}"} for n in range(2 * PAGE_SIZE + 1)])
    with CaptureQueriesContext(connection) as queries:
        response = download(alice_api, "format=jsonl")
        first = len(queries)
        rows = rows_of(response)

    assert len({row["id"] for row in rows}) == len(rows) == 2 * PAGE_SIZE + 1
    # For each page the sizes of its tasks, and the tasks.
    assert len(queries) - first == 2 * 3


def test_no_transaction_is_open_while_it_is_sent(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tasks(alice, [{}] * 3)
    depth = len(connection.savepoint_ids)
    for _ in Snapshot(Task.objects.filter(user_id=alice.pk)).pages(size=1):
        assert len(connection.savepoint_ids) == depth
