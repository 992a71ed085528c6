"""Queries compiled once return what the ORM returns, whatever values are bound."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import CharField, DateTimeField, UUIDField
from django.db.models.fields.tuple_lookups import Tuple, TupleLessThan
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from taskapi.db.compiled import CompiledQuery, Placeholder
from tasks.models import Task
from tests.factories import make_task

pytestmark = pytest.mark.django_db

OWNER = Placeholder("owner", UUIDField())
TITLE = Placeholder("title", CharField())
COLUMNS = ("id", "title", "created_at", "due_at")


def by_title() -> CompiledQuery:
    tasks = Task.objects.filter(user_id=OWNER, title=TITLE).order_by("created_at")
    return CompiledQuery.compile(tasks.values_list(*COLUMNS))


def test_rows_are_those_of_the_orm(alice: User, bob: User) -> None:
    query = by_title()
    make_task(bob, title="A")
    for title in ("A", "B"):
        make_task(alice, title=title, due_at=datetime(2030, 1, 1, tzinfo=UTC))
        expected = Task.objects.filter(user=alice, title=title)
        rows = query.rows({"owner": alice.pk, "title": title})

        assert [tuple(row) for row in rows] == list(expected.values_list(*COLUMNS))


def test_value_that_equals_a_placeholder_is_a_value(alice: User) -> None:
    make_task(alice, title="owner")
    tasks = Task.objects.filter(title="owner", description=None, user_id=OWNER)
    query = CompiledQuery.compile(tasks.values_list("title"))

    assert [*map(tuple, query.rows({"owner": alice.pk}))] == [("owner",)]
    assert query.rows({"owner": uuid4()}) == []


def test_value_that_is_missing_is_an_error(alice: User) -> None:
    with pytest.raises(KeyError):
        by_title().rows({"owner": alice.pk})


@pytest.mark.parametrize("title", ["%", "%s", "a%(b)s", "\\", "'", '"', "_", "ä€😀"])
def test_text_is_bound_as_it_is(alice: User, title: str) -> None:
    make_task(alice, title=title)
    make_task(alice, title="other")
    contains = Task.objects.filter(title__icontains=TITLE).values_list("title")
    query = CompiledQuery.compile(contains)

    assert [*map(tuple, query.rows({"title": title}))] == [(title,)]


def test_suffix_limits_and_skips(alice: User) -> None:
    for title in "abc":
        make_task(alice, title=title)
    tasks = Task.objects.order_by("title").values_list("title")
    query = CompiledQuery.compile(tasks, (" LIMIT %s OFFSET %s", [1, 1]))

    assert [*map(tuple, query.rows({}))] == [("b",)]


def test_tuples_take_placeholders(alice: User) -> None:
    first = make_task(alice, title="a")
    make_task(alice, title="b")
    at = Placeholder("at", DateTimeField())
    before = TupleLessThan(Tuple("created_at", "id"), (at, OWNER))
    query = CompiledQuery.compile(Task.objects.filter(before).values_list("title"))
    value = first.created_at + timedelta(microseconds=1)
    rows = query.rows({"at": value, "owner": UUID(int=0)})

    assert ("a",) in [*map(tuple, rows)]


def test_statement_is_visible_to_django(alice: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        by_title().rows({"owner": alice.pk, "title": "A"})

    assert len(queries) == 1


@pytest.mark.parametrize("is_prepared", [True, False])
def test_rows_are_read_after_a_statement_that_failed(is_prepared: bool) -> None:
    def read(sql: str, *params: Any) -> Any:
        return CompiledQuery((sql, [*params]), is_prepared=is_prepared).rows({})

    with pytest.raises(DatabaseError), transaction.atomic():
        read("SELECT nonsense FROM nowhere")

    assert [*map(tuple, read("SELECT %s", "1"))] == [("1",)]
