"""The connection that each thread keeps: replaced when it has to be, else left."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import (
    close_old_connections,
    connection,
)
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task
from tests.factories import make_task
from tests.project.wire import AWAY, assert_error

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="of PostgreSQL's"),
]
OFTEN = 8  # psycopg prepares what was run five times


@pytest.fixture
def other() -> Iterator[Any]:
    """Another connection to the same database."""
    other = connection.copy()
    yield other
    other.close()


def ask(one: Any, sql: str, *values: Any) -> list[Any]:
    with one.cursor() as cursor:
        cursor.execute(sql, values)
        return [row[0] for row in cursor.fetchall()] if cursor.description else []


def get(api: APIClient, path: str) -> Any:
    """As the server does it: Django's test client keeps the connection unlooked at."""
    close_old_connections()
    response = api.get(path)
    close_old_connections()
    return response


def process() -> int:
    return int(connection.connection.info.backend_pid)


def test_connection_is_kept(alice_api: APIClient) -> None:
    before = process()

    assert [get(alice_api, "/api/auth/me").status_code for _ in range(3)] == [200] * 3
    assert process() == before


def test_connection_that_the_server_ended_is_replaced(
    alice_api: APIClient, other: Any
) -> None:
    ended = process()
    assert ask(other, "SELECT pg_terminate_backend(%s, 5000)", ended) == [True]

    assert get(alice_api, "/api/auth/me").status_code == 200
    assert process() != ended


def test_sound_connection_costs_no_statement(other: Any) -> None:
    ask(connection, "SELECT 'the last'")
    close_old_connections()
    with connection.cursor():  # has looked whether the connection is sound
        pass

    last = "SELECT query FROM pg_stat_activity WHERE pid = %s"
    assert ask(other, last, process()) == ["SELECT 'the last'"]


def test_news_from_the_server_is_no_reason_to_leave(
    alice_api: APIClient, other: Any
) -> None:
    ask(connection, "LISTEN news")
    before = process()
    ask(other, "NOTIFY news")

    assert get(alice_api, "/api/auth/me").status_code == 200
    assert process() == before


@pytest.fixture
def longer_titles(other: Any) -> Iterator[Any]:
    """Call it to change the table under the connection, as a migration would."""
    change = "ALTER TABLE tasks_task ALTER COLUMN title TYPE varchar({})"
    yield lambda: ask(other, change.format(300))
    close_old_connections()
    ask(other, change.format(255))


def test_prepared_statement_of_a_changed_table_fails_once(
    alice_api: APIClient, task: Task, longer_titles: Any
) -> None:
    path = f"/api/tasks/{task.pk}"
    assert {get(alice_api, path).status_code for _ in range(OFTEN)} == {200}
    longer_titles()

    refused = get(alice_api, path)
    assert_error(refused, 503, "SERVICE_UNAVAILABLE", AWAY)
    assert refused["Retry-After"] == "1"
    assert {get(alice_api, path).status_code for _ in range(OFTEN)} == {200}


def prepared(one: Any) -> set[str]:
    for _ in range(OFTEN):
        ask(one, "SELECT %s::int", 1)
    return set(ask(one, "SELECT name FROM pg_prepared_statements"))


def test_no_two_connections_prepare_under_one_name(other: Any) -> None:
    # Else a pooler that knows nothing of them would exchange them.
    ours, theirs = prepared(connection), prepared(other)

    assert ours
    assert theirs
    assert not ours & theirs


NOON = datetime(2030, 6, 1, 12, tzinfo=UTC)
MOMENTS = [
    NOON,
    NOON.replace(microsecond=1),
    NOON.replace(year=1600, microsecond=999_999),
    datetime.min.replace(tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
@pytest.mark.parametrize("moment", MOMENTS[:3], ids=str)
def test_moments_are_read_as_they_were_written(
    alice: User, moment: datetime, zone: str
) -> None:
    task = make_task(alice, due_at=moment)
    ask(connection, f"SET TIME ZONE '{zone}'")
    try:
        for tasks in (Task.objects.all(), Task.objects.iterator()):
            [read] = [found.due_at for found in tasks if found.pk == task.pk]
            assert read == moment
    finally:
        ask(connection, "SET TIME ZONE 'UTC'")


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_moments_are_in_utc(alice: User, moment: datetime) -> None:
    make_task(alice, due_at=moment)

    read = Task.objects.get().due_at
    assert read == moment
    assert read.utcoffset() == timedelta(0)


def plans(table: str) -> list[int]:
    """How often each prepared statement about this table had a plan for any values."""
    sql = "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE %s"
    return ask(connection, sql, f'%"{table}"%')


@pytest.mark.parametrize("query", ["status=TODO", "q=plants", "dueDate=none"])
def test_filtered_list_is_planned_for_its_values(
    alice_api: APIClient, query: str
) -> None:
    connection.close()
    for _ in range(OFTEN):
        cache.clear()
        get(alice_api, f"/api/tasks?{query}")

    assert plans("tasks_task") == []


def test_session_of_a_kept_list_is_planned_once(alice_api: APIClient) -> None:
    connection.close()
    for _ in range(2 * OFTEN):
        get(alice_api, "/api/tasks")

    assert plans("tasks_task") == []
    [generic] = plans("accounts_session")
    assert generic
