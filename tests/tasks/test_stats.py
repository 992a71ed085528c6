import json
import zoneinfo
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks import access
from tasks.models import Membership, Project, Role, Task, inbox_id
from tasks.operations.projects import create_project
from tests.factories import Priority, Status, make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, author, details_of, ids, make_tasks, trash, walk

NOTHING = {
    "total": 0,
    "isExact": True,
    "byStatus": {"TODO": 0, "IN_PROGRESS": 0, "DONE": 0},
    "byPriority": {"LOW": 0, "MEDIUM": 0, "HIGH": 0, "URGENT": 0},
    "byProject": {},
    "overdue": 0,
    "dueToday": 0,
}


def test_nothing_counts_as_zero(alice_api: APIClient) -> None:
    response = alice_api.get("/api/tasks/stats")

    assert response.status_code == 200
    assert response.json() == NOTHING


def test_live_tasks_of_the_caller_are_counted(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    rows = [
        {"status": Status.TODO, "priority": Priority.LOW},
        {"status": Status.TODO, "priority": Priority.URGENT},
        {"status": Status.IN_PROGRESS, "priority": Priority.URGENT},
        {"status": Status.DONE, "priority": Priority.HIGH},
    ]
    make_tasks(alice, rows)
    make_task(bob)
    trash(make_task(alice))

    assert alice_api.get("/api/tasks/stats").json() == NOTHING | {
        "total": 4,
        "byStatus": {"TODO": 2, "IN_PROGRESS": 1, "DONE": 1},
        "byPriority": {"LOW": 1, "MEDIUM": 0, "HIGH": 1, "URGENT": 2},
        "byProject": {str(inbox_id(alice.pk)): 4},
    }


def test_overdue_is_open_and_past_its_time(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    clock.time = at("2026-06-15T12:00:00")
    yesterday, tomorrow = timedelta(days=-1), timedelta(days=1)
    rows = [
        {"due_at": clock.time + yesterday},
        {"due_at": clock.time + yesterday, "status": Status.IN_PROGRESS},
        {"due_at": clock.time + yesterday, "status": Status.DONE},
        {"due_at": clock.time + tomorrow},
        {},
    ]
    make_tasks(alice, rows)
    stats = alice_api.get("/api/tasks/stats").json()

    assert (stats["overdue"], stats["dueToday"]) == (2, 0)


@pytest.mark.parametrize("now", ["00:00:00", "12:00:00", "23:59:59.999999"])
def test_due_today_is_the_utc_day(
    alice_api: APIClient, alice: User, clock: Clock, now: str
) -> None:
    clock.time = at(f"2026-06-15T{now}")
    midnight, moment = at("2026-06-15T00:00:00"), timedelta(microseconds=1)
    rows = [
        {"due_at": midnight - moment},
        {"due_at": midnight},
        {"due_at": midnight + timedelta(days=1) - moment},
        {"due_at": midnight + timedelta(days=1)},
        {"due_at": midnight, "status": Status.DONE},
        {},
    ]
    make_tasks(alice, rows)

    assert alice_api.get("/api/tasks/stats").json()["dueToday"] == 2


@pytest.mark.parametrize(
    ("zone", "now", "start", "end"),
    [
        ("UTC", "06-15T23:59:59", "06-15T00:00:00", "06-16T00:00:00"),
        ("Europe/Berlin", "01-15T22:59:59", "01-14T23:00:00", "01-15T23:00:00"),
        ("Europe/Berlin", "01-15T23:00:00", "01-15T23:00:00", "01-16T23:00:00"),
        ("Pacific/Kiritimati", "06-15T12:00:00", "06-15T10:00:00", "06-16T10:00:00"),
        ("America/St_Johns", "06-15T02:29:59", "06-14T02:30:00", "06-15T02:30:00"),
        # Of 23 and of 25 hours.
        ("Europe/Berlin", "03-31T12:00:00", "03-30T23:00:00", "03-31T22:00:00"),
        ("Europe/Berlin", "10-27T12:00:00", "10-26T22:00:00", "10-27T23:00:00"),
        # Without a midnight, and with two.
        ("Africa/Cairo", "04-26T12:00:00", "04-25T22:00:00", "04-26T21:00:00"),
        ("America/Havana", "11-03T12:00:00", "11-03T04:00:00", "11-04T05:00:00"),
    ],
)
def test_due_today_is_the_day_of_the_time_zone(
    alice_api: APIClient,
    alice: User,
    clock: Clock,
    zone: str,
    now: str,
    start: str,
    end: str,
) -> None:
    clock.time = at(f"2024-{now}")
    moment = timedelta(microseconds=1)
    first, last = at(f"2024-{start}"), at(f"2024-{end}") - moment
    dues = [first - moment, first, last, last + moment]
    make_tasks(alice, [{"due_at": due} for due in dues])
    response = alice_api.get("/api/tasks/stats", {"timezone": zone})

    assert response.status_code == 200
    assert response.json()["dueToday"] == 2


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Berli",
        "europe/berlin",
        "Europe",
        "+02:00",
        "CET-1CEST",
        "localtime",
        "../UTC",
        "/etc/localtime",
        " UTC",
        "UTC\0",
        "é",
        "U" * 5000,
    ],
)
def test_unknown_time_zone_is_refused(alice_api: APIClient, name: str) -> None:
    response = alice_api.get("/api/tasks/stats", {"timezone": name})

    assert response.status_code == 400
    assert details_of(response) == [("timezone", "invalid")]
    assert "Europe/Berlin" in response.json()["error"]["details"][0]["message"]


def test_time_zones_are_those_of_the_package(alice_api: APIClient) -> None:
    """A slim image has no others, and two machines must not differ."""
    assert zoneinfo.TZPATH == ()
    for name in ("Europe/Kyiv", "Asia/Kolkata", "Etc/GMT+12"):
        assert (
            alice_api.get(
                f"/api/tasks/stats?timezone={name.replace('+', '%2B')}"
            ).status_code
            == 200
        )


@pytest.mark.parametrize(("count", "exact"), [(2, True), (3, True), (4, False)])
def test_stats_are_of_the_newest_tasks_where_there_are_too_many_to_count(
    alice_api: APIClient,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    exact: bool,
) -> None:
    monkeypatch.setattr("tasks.queries.stats.MAX_COUNT", 3)
    make_task(alice, priority=Priority.URGENT, now=at("2026-01-01T00:00:00"))
    make_tasks(alice, [{}] * (count - 1))
    stats = alice_api.get("/api/tasks/stats").json()

    assert stats["isExact"] is exact
    assert stats["total"] == min(count, 3)
    assert stats["byPriority"]["URGENT"] == exact


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("count", [0, 50])
def test_stats_cost_one_query(alice_api: APIClient, alice: User, count: int) -> None:
    make_tasks(alice, [{}] * count)
    with CaptureQueriesContext(connection) as queries:
        alice_api.get("/api/tasks/stats")

    assert [q for q in queries.captured_queries if "tasks_task" in q["sql"]] == [
        queries.captured_queries[-1]
    ]
    assert len(queries) == 2  # the caller, the counts


@pytest.mark.parametrize("name", ["sort", "page", "limit", "cursor", "colour"])
def test_parameter_that_is_no_filter_is_refused(
    alice_api: APIClient, name: str
) -> None:
    response = alice_api.get(f"/api/tasks/stats?{name}=1")

    assert details_of(response) == [(name, "unknown")]


FILTERS = [
    "",
    "status=TODO,DONE",
    "priority=LOW&status=TODO",
    "label=A",
    "label=a,b",
    "assignee=me",
    "assignee=none",
    "createdBy=me",
    "parent=none",
    "q=plants",
    "q=PLA&status=DONE",
    "dueDate=none",
    "overdue=true",
    "overdue=false",
    "due=today",
    "due=week&timezone=Asia/Tokyo",
    "scope=own",
    "scope=shared",
    "scope=all&archived=all",
    "archived=true",
    "archived=false",
]


class Spaces:
    """Alice's tasks in three projects and one of Bob's, and some that nobody counts."""

    def __init__(self, alice: User, bob: User, now: datetime) -> None:
        self.projects = {
            name: create_project({"name": name}, author(owner))
            for name, owner in (
                *(("mine", alice), ("old", alice), ("gone", alice)),
                *(("shared", bob), ("attic", bob)),
            )
        }
        for name in ("shared", "attic"):
            about = {"user": alice, "role": Role.VIEWER, "joined_at": now}
            Membership.objects.create(project=self.projects[name], **about)
        for name, project in self.projects.items():
            make_tasks(project.owner, [*self.rows(name, project, alice, now)])
        for name, column in (
            *(("old", "archived_at"), ("gone", "deleted_at")),
            ("attic", "archived_at"),
        ):
            Project.objects.filter(name=name).update(**{column: now})
        make_tasks(bob, [{}])
        access.update_reads_projects(alice.pk)

    def rows(
        self, name: str, project: Project, alice: User, now: datetime
    ) -> Iterator[dict[str, Any]]:
        project_id = project.pk
        for number, status in enumerate(Status):
            yield {
                "title": f"Water the {name} plants" if number else "x",
                "project_id": project_id,
                "status": status,
                "priority": [Priority.LOW, Priority.URGENT][number % 2],
                "labels": ["a", "b"][:number],
                "due_at": now + timedelta(days=number * 4 - 1) if number < 2 else None,
                "assignee_id": alice.pk if number == 1 else None,
            }

    def query(self, text: str) -> str:
        for name, project in self.projects.items():
            text = text.replace(f"<{name}>", str(project.pk))
        return text


@pytest.fixture
def spaces(alice: User, bob: User, clock: Clock) -> Spaces:
    clock.time = at("2026-06-15T12:00:00")
    return Spaces(alice, bob, clock.time)


BY_PROJECT = [
    *("project=<mine>", "project=<old>", "project=<mine>,<shared>&q=plants"),
    *("project=<shared>&scope=own", "project=<old>&archived=false"),
]


@pytest.mark.parametrize("query", [*FILTERS, *BY_PROJECT])
def test_stats_count_what_the_list_lists(
    alice_api: APIClient, spaces: Spaces, query: str
) -> None:
    query = spaces.query(query)
    stats = alice_api.get(f"/api/tasks/stats?{query}").json()
    listed = alice_api.get(f"/api/tasks?limit=100&{query}").json()["items"]

    def count(name: str, values: Iterable[str]) -> dict[str, int]:
        return {v: sum(each[name] == v for each in listed) for v in values}

    assert stats["total"] == len(listed)
    assert stats["byStatus"] == count("status", Status.values)
    assert stats["byPriority"] == count("priority", Priority.names)
    projects = {each["projectId"] for each in listed}
    assert stats["byProject"] == count("projectId", projects)


def test_archived_and_deleted_projects_do_not_count(
    alice_api: APIClient, spaces: Spaces
) -> None:
    stats = alice_api.get("/api/tasks/stats").json()
    mine, shared = spaces.projects["mine"], spaces.projects["shared"]

    assert stats["byProject"] == {str(mine.pk): 3, str(shared.pk): 3}
    assert (stats["total"], stats["overdue"], stats["dueToday"]) == (6, 2, 0)


def matches(task: dict[str, Any], about: dict[str, str], archived: set[str]) -> bool:
    labels = {*about.get("label", "").lower().split(",")}
    makers = about.get("createdBy", "").split(",")
    return (
        ("label" not in about or bool(labels & {x.lower() for x in task["labels"]}))
        and ("createdBy" not in about or task["createdById"] in makers)
        and about.get("q", "") in task["title"]
        and ("archived" in about or task["projectId"] not in archived)
    )


@pytest.mark.parametrize("sort", ["createdAt", "-createdAt", "title"])
@pytest.mark.parametrize(
    "query",
    [
        *({"label": "A"}, {"label": "a", "q": "plants"}, {"label": "a,b"}),
        *({"label": "a", "archived": "all"}, {"label": "a", "project": "<shared>"}),
        *({"createdBy": "<bob>"}, {"createdBy": "<bob>", "project": "<shared>"}),
        *({"createdBy": "<bob>,<alice>"}, {"createdBy": "<alice>"}),
    ],
)
def test_walk_through_what_is_filtered_by_one_value(
    alice_api: APIClient,
    spaces: Spaces,
    alice: User,
    bob: User,
    query: dict[str, str],
    sort: str,
) -> None:
    by_bob = make_task(alice, labels=["A"], title="plants by Bob")
    Task.objects.filter(pk=by_bob.pk).update(created_by_id=bob.pk)
    about = {"sort": sort}
    for name, value in query.items():
        people = value.replace("<alice>", str(alice.pk)).replace("<bob>", str(bob.pk))
        about[name] = spaces.query(people)
    plain = {k: v for k, v in about.items() if k in {"sort", "project"}}
    everything = alice_api.get("/api/tasks", {"archived": "all", "limit": 100} | plain)
    archived = {str(spaces.projects[name].pk) for name in ("old", "attic")}
    found = [
        each["id"]
        for each in everything.json()["items"]
        if matches(each, about, archived)
    ]

    assert found
    assert ids(alice_api.get("/api/tasks", about | {"limit": 100})) == found
    assert walk(alice_api, about | {"limit": 1}) == found
    del about["sort"]
    assert alice_api.get("/api/tasks/stats", about).json()["total"] == len(found)


@pytest.mark.parametrize("query", [*FILTERS, *BY_PROJECT])
def test_export_has_what_the_list_lists(
    alice_api: APIClient, spaces: Spaces, query: str
) -> None:
    query = spaces.query(query)
    response = alice_api.get(f"/api/tasks/export?format=jsonl&{query}")
    rows = [json.loads(line) for line in b"".join(response).splitlines()]

    assert response.status_code == 200
    assert rows == alice_api.get(f"/api/tasks?limit=100&{query}").json()["items"]


@pytest.mark.parametrize("path", ["stats?", "export?format=csv&"])
def test_project_of_a_stranger_is_refused(
    alice_api: APIClient, spaces: Spaces, path: str
) -> None:
    Membership.objects.all().delete()
    query = spaces.query("project=<shared>")
    missing = alice_api.get(f"/api/tasks/{path}project={uuid4()}")

    assert alice_api.get(f"/api/tasks/{path}{query}").status_code == 403
    assert details_of(missing) == [("project", "invalid")]


def test_newest_tasks_of_several_spaces_are_counted(
    alice_api: APIClient, spaces: Spaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.queries.stats.MAX_COUNT", 4)
    stats = alice_api.get("/api/tasks/stats").json()
    newest = alice_api.get("/api/tasks?limit=4").json()["items"]

    assert (stats["total"], stats["isExact"]) == (4, False)
    projects = {each["projectId"] for each in newest}
    counts = {p: sum(each["projectId"] == p for each in newest) for p in projects}
    assert stats["byProject"] == counts
