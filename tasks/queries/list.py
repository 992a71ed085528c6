"""Lists of tasks, read by queries that are compiled once for each shape.

A shape is a set of filters and a sort; the values of the filters, the user and the page
are bound with each request. `tasks.filters` declares the filters, `tasks.access` the
tasks that they filter.
"""

from functools import cache, cached_property, lru_cache
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    DateTimeField,
    PositiveBigIntegerField,
    UUIDField,
)
from django.utils import timezone

from taskapi.api.pagination import keyset_filters, not_modified_since
from taskapi.api.query_params import parse_query
from taskapi.db.compiled import (
    CompiledQuery,
    Placeholder,
    Row,
    SQLFragment,
    fetch_all,
)
from tasks import access
from tasks.fields import COLUMNS
from tasks.filters import Shape, TaskFilter, parse_filters
from tasks.models import Task
from tasks.queries import search

PRINCIPAL = SimpleNamespace(pk=Placeholder("user", UUIDField()))
NOW = Placeholder("now", DateTimeField())
TASK = Placeholder("task", UUIDField())
REVISION = Placeholder("revision", PositiveBigIntegerField())
LIMIT = Placeholder("limit", BigIntegerField())
# LIMIT is a parameter: a literal would make PostgreSQL cache a generic plan.
PAGE: SQLFragment = (
    " LIMIT %s OFFSET %s",
    [LIMIT, Placeholder("offset", BigIntegerField())],
)


class TaskListQuery(NamedTuple):
    """What a query string asks for."""

    compiled: "CompiledTaskList"
    values: dict[str, Any]
    # What is overdue changes with time and without a write.
    is_cacheable: bool

    @classmethod
    def parse(cls, query: str) -> "TaskListQuery":
        """ValidationError for a bad filter or sort."""
        return parse_list_query(query)

    def rows(self, user: Any, pages: Any) -> list[Row]:
        """One row more than the page, if there is another, and `pages.total`."""
        values = {"user": user.pk, "now": timezone.now(), **self.values}
        values |= {"limit": pages.limit + 1, "offset": pages.offset}
        if pages.position:
            values["value"], values["task"], values["revision"] = pages.position
        return self.compiled.rows(values, pages)


@lru_cache(maxsize=256)
def parse_list_query(query: str) -> TaskListQuery:
    sent = parse_query(query).dict()
    filters = {k: str(v) for k, v in sent.items() if k in TaskFilter.base_filters}
    shape, values = parse_filters(filters)
    return TaskListQuery(compile_list(shape), values, "overdue" not in filters)


# A search takes up to 46 KB.
@lru_cache(maxsize=256)
def compile_list(shape: Shape) -> "CompiledTaskList":
    return CompiledTaskList(shape)


class CompiledTaskList:
    """The statements of one shape, each compiled when it is first used."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.is_search = "q" in dict(shape.filters)
        self.key, self.descending = shape.key, shape.descending
        self.key_field: Any = Task._meta.get_field(self.key)
        self.tasks = shape.apply(access.visible_to(PRINCIPAL).live(), NOW)
        # A plan for a rare value is the wrong one for a common value and vice versa.
        self.is_prepared = not shape.filters

    def rows(self, values: dict[str, Any], pages: Any) -> list[Row]:
        if self.is_search:
            return self.search_rows(values, pages)
        if pages.position:
            return self.rows_after(values, pages)
        query = self.page_query
        rows = query.rows(values, PAGE, is_prepared=self.is_prepared)
        # The last page tells the total.
        is_last = len(rows) <= pages.limit and (rows or not pages.offset)
        pages.total = pages.offset + len(rows) if is_last else self.count(values, pages)
        return rows

    @cached_property
    def page_query(self) -> CompiledQuery:
        return CompiledQuery(self.tasks.values_list(*COLUMNS))

    def count(self, values: dict[str, Any], pages: Any) -> int:
        # One more tells that there are more.
        values = values | {"limit": pages.max_count + 1}
        [row] = fetch_all(self.count_sql, values, is_prepared=self.is_prepared)
        return int(row[0])

    @cached_property
    def count_sql(self) -> SQLFragment:
        sql, params = CompiledQuery(self.tasks.order_by().values_list("pk")).fragment
        return f"SELECT COUNT(*) FROM ({sql} LIMIT %s) counted", [*params, LIMIT]  # noqa: S608

    def rows_after(self, values: dict[str, Any], pages: Any) -> list[Row]:
        rows: list[Row] = []
        has_value = values["value"] is not None
        for query in self.cursor_queries(has_value):
            values = values | {"limit": pages.limit + 1 - len(rows)}
            if values["limit"]:
                rows += query.rows(values, PAGE, is_prepared=self.is_prepared)
        return rows

    @cache  # noqa: B019 - a list lives as long as compile_list keeps it
    def cursor_queries(self, has_value: bool) -> list[CompiledQuery]:
        return [
            CompiledQuery(part.values_list(*COLUMNS))
            for part in self.parts(self.tasks, has_value)
        ]

    def parts(self, tasks: Any, has_value: bool | None) -> list[Any]:
        """The tasks after a cursor's row; all of them without one."""
        if has_value is None:
            return [tasks]
        value = Placeholder("value", self.key_field) if has_value else None
        tasks = not_modified_since(tasks, self.key, REVISION)
        filters = keyset_filters(self.key_field, self.descending, value, TASK)
        return [tasks.filter(part) for part in filters]

    def search_rows(self, values: dict[str, Any], pages: Any) -> list[Row]:
        values["wanted"] = pages.offset + pages.limit + 1
        values["depth"] = search.scan_depth(pages.offset)
        has_value = pages.position and values["value"] is not None
        sql = self.search_sql(has_value if pages.position else None)
        rows = fetch_all(sql, values, is_prepared=False)
        if not pages.position:
            pages.total, pages.is_complete = rows[0][0], bool(rows[0][1])
        return [self.page_query.convert(row[2:]) for row in rows if row[2] is not None]

    @cache  # noqa: B019
    def search_sql(self, has_value: bool | None) -> SQLFragment:
        window = self.shape.without("q").apply(access.visible_to(PRINCIPAL).live(), NOW)
        matches = self.tasks.order_by()
        all_matches = self.shape.only("q").apply(Task.objects.all(), NOW).order_by()
        return search.search_sql(
            [fragment(part) for part in self.parts(window, has_value)],
            fragment(all_matches),
            [fragment(part) for part in self.parts(matches, has_value)],
            self.order_sql(),
            PAGE,
        )

    def order_sql(self) -> str:
        direction = "DESC" if self.descending else "ASC"
        nulls = " NULLS LAST" if self.key_field.null else ""
        return f' ORDER BY x."{self.key}" {direction}{nulls}, x."id" {direction}'


def fragment(tasks: Any) -> SQLFragment:
    return CompiledQuery(tasks.values_list(*COLUMNS)).fragment


@cache
def position_getter(key: str) -> Any:
    """Takes a sort key's value and the id from a row."""
    return itemgetter(COLUMNS.index(key), COLUMNS.index("id"))


@cache
def task_query() -> CompiledQuery:
    return CompiledQuery(Task.objects.live().filter(pk=TASK).values_list(*COLUMNS))


def get_row(principal: Any, pk: UUID) -> Row:
    """The values of COLUMNS of a live task; TaskNotFound, TaskForbidden."""
    rows = task_query().rows({"task": pk})
    if not rows:
        raise access.TaskNotFound
    access.check_visible(rows[0][COLUMNS.index("user_id")], principal.pk)
    return rows[0]
