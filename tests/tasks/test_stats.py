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
