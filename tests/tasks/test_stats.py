import zoneinfo
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import Priority, Status, make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, details_of, make_tasks, trash

NOTHING = {
    "total": 0,
    "isExact": True,
    "byStatus": {"TODO": 0, "IN_PROGRESS": 0, "DONE": 0},
    "byPriority": {"LOW": 0, "MEDIUM": 0, "HIGH": 0, "URGENT": 0},
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
    monkeypatch.setattr("tasks.models.tasks.MAX_COUNT", 3)
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


def test_query_parameter_is_refused(alice_api: APIClient) -> None:
    response = alice_api.get("/api/tasks/stats?status=TODO")

    assert details_of(response) == [("status", "unknown")]
