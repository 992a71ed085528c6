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
    TextField,
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
)
from taskapi.db.text import Fold
from tasks import access
from tasks.fields import COLUMNS
from tasks.filters import FOLDED_KEYS, Shape, TaskFilter, parse_filters
from tasks.models import Task
from tasks.queries import search

PRINCIPAL = SimpleNamespace(pk=Placeholder("user", UUIDField()))
NOW = Placeholder("now", DateTimeField())
TASK = Placeholder("task", UUIDField())
TEXT = Placeholder("q", TextField())
REVISION = Placeholder("revision", PositiveBigIntegerField())
# Parameters: a literal LIMIT would make PostgreSQL cache a generic plan.
LIMIT: SQLFragment = (" LIMIT %s", [Placeholder("limit", BigIntegerField())])
OFFSET = Placeholder("offset", BigIntegerField())
PAGE: SQLFragment = (f"{LIMIT[0]} OFFSET %s", [*LIMIT[1], OFFSET])


class TaskListQuery(NamedTuple):
    """What a query string asks for: a list, and the values of its filters."""

    list: "CompiledTaskList"
    values: dict[str, Any]
    # What is overdue changes with time and without a write.
    is_cacheable: bool


def parse_list_query(query: str) -> TaskListQuery:
    """ValidationError for a bad filter or sort."""
    sent = parse_query(query).items()
    filters = [(k, str(v)) for k, v in sent if k in TaskFilter.base_filters]
    return build_list_query(tuple(sorted(filters)))


# Without page and cursor, which each page of a walk has others of.
@lru_cache(maxsize=256)
def build_list_query(filters: tuple[tuple[str, str], ...]) -> TaskListQuery:
    shape, values = parse_filters(dict(filters))
    return TaskListQuery(compile_list(shape), values, "overdue" not in dict(filters))


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
        # Takes the sort key's value and the id from a row.
        self.get_position = itemgetter(COLUMNS.index(self.key), COLUMNS.index("id"))
        self.tasks = shape.apply(access.visible_to(PRINCIPAL).live(), NOW)
        # A plan for a rare value is the wrong one for a common value and vice versa.
        self.is_prepared = not shape.filters
        # Caches of this object: on the class they would keep every shape for ever.
        self.pages_after = cache(self.compile_pages_after)
        self.search_page = cache(self.compile_search_page)

    def rows(self, user: Any, filters: dict[str, Any], pages: Any) -> list[Row]:
        """One row more than the page, if there is another, and `pages.total`."""
        values = {"user": user.pk, "now": timezone.now(), **filters}
        values |= {"limit": pages.limit + 1, "offset": pages.offset}
        if pages.position:
            values["value"], values["task"], values["revision"] = pages.position
        if self.is_search:
            return self.search(values, pages)
        if pages.position:
            return self.rows_after(values, pages.limit + 1)
        rows = self.page.rows(values)
        # The last page gives the total.
        is_last = len(rows) <= pages.limit and (rows or not pages.offset)
        pages.total = pages.offset + len(rows)
        if not is_last:
            # One more, to know whether there are more.
            pages.total = self.count.rows(values | {"limit": pages.max_count + 1})[0][0]
        return rows

    def rows_after(self, values: dict[str, Any], limit: int) -> list[Row]:
        rows: list[Row] = []
        for query in self.pages_after(values["value"] is not None):
            if len(rows) < limit:
                rows += query.rows(values | {"limit": limit - len(rows)})
        return rows

    def search(self, values: dict[str, Any], pages: Any) -> list[Row]:
        values["wanted"] = pages.offset + pages.limit + 1
        values["depth"] = search.scan_depth(pages.offset)
        has_value = pages.position and values["value"] is not None
        rows = self.search_page(has_value if pages.position else None).rows(values)
        if not pages.position:
            pages.total, pages.is_complete = rows[0][0], bool(rows[0][1])
        return [self.page.convert(row[2:]) for row in rows if row[2] is not None]

    @cached_property
    def page(self) -> CompiledQuery:
        return self.compile(self.tasks)

    @cached_property
    def count(self) -> CompiledQuery:
        ids = self.tasks.order_by().values_list("pk")
        sql, params = CompiledQuery.compile(ids, LIMIT).fragment
        counted = f"SELECT COUNT(*) FROM ({sql}) counted", params  # noqa: S608
        return CompiledQuery(counted, is_prepared=self.is_prepared)

    def compile_pages_after(self, has_value: bool) -> list[CompiledQuery]:
        return [self.compile(part) for part in self.parts(self.tasks, has_value)]

    def compile_search_page(self, has_value: bool | None) -> CompiledQuery:
        window = self.shape.without("q").apply(access.visible_to(PRINCIPAL).live(), NOW)
        all_matches = self.shape.only("q").apply(Task.objects.all(), NOW).order_by()
        matches = self.tasks.order_by().filter(search.in_index(TEXT))
        sql = search.search_sql(
            [fragment(part) for part in self.parts(window, has_value)],
            fragment(all_matches),
            [fragment(part) for part in self.parts(matches, has_value)],
            self.order_sql(),
            PAGE,
        )
        return CompiledQuery(sql, is_prepared=False)

    def compile(self, tasks: Any) -> CompiledQuery:
        rows = tasks.values_list(*COLUMNS)
        return CompiledQuery.compile(rows, PAGE, is_prepared=self.is_prepared)

    def parts(self, tasks: Any, has_value: bool | None) -> list[Any]:
        """The tasks after a cursor's row; all of them without one."""
        if has_value is None:
            return [tasks]
        value = Placeholder("value", self.key_field) if has_value else None
        tasks = not_modified_since(tasks, self.key, REVISION)
        filters = keyset_filters(self.key_field, self.descending, value, TASK)
        return [tasks.filter(part) for part in filters]

    def order_sql(self) -> str:
        direction = "DESC" if self.descending else "ASC"
        nulls = " NULLS LAST" if self.key_field.null else ""
        key = f'x."{self.key}"'
        if self.key in FOLDED_KEYS:
            key = Fold.sql(key)
        return f' ORDER BY {key} {direction}{nulls}, x."id" {direction}'


def fragment(tasks: Any) -> SQLFragment:
    return CompiledQuery.compile(tasks.values_list(*COLUMNS)).fragment


@cache
def task_query() -> CompiledQuery:
    tasks = Task.objects.live().filter(pk=TASK)
    return CompiledQuery.compile(tasks.values_list(*COLUMNS))


def get_row(principal: Any, pk: UUID) -> Row:
    """The values of COLUMNS of a live task; TaskNotFound, TaskForbidden."""
    rows = task_query().rows({"task": pk})
    if not rows:
        raise access.TaskNotFound
    access.check_visible(rows[0][COLUMNS.index("user_id")], principal.pk)
    return rows[0]
