"""Lists of tasks, read by queries that are compiled once for each shape.

A shape is a set of filters and a sort; the values of the filters, the user and the page
are bound with each request. `tasks.filters` declares the filters, `tasks.access` the
tasks that they filter.
"""

from functools import cache, cached_property, lru_cache, partial
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    DateTimeField,
    TextField,
    UUIDField,
)
from django.utils import timezone

from taskapi.api.pagination import after, keyset_filters, not_modified_since
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
from tasks.filters import (
    BY_ACCOUNT,
    FOLDED_KEYS,
    LABEL_KEY,
    ONE,
    Shape,
    TaskFilter,
    Where,
    due_days,
    labels_of,
    parse_filters,
)
from tasks.models import Task, TaskLabel
from tasks.queries import search
from tasks.queries.sources import NOWHERE, Selection, Source, Sources

NOW = Placeholder("now", DateTimeField())
TASK = Placeholder("task", UUIDField())
TEXT = Placeholder("q", TextField())
LABEL = Placeholder("label", TextField())
# Parameters: a literal LIMIT would make PostgreSQL cache a generic plan.
USER_ID, PROJECT_ID = COLUMNS.index("user_id"), COLUMNS.index("project_id")
LIMIT: SQLFragment = (" LIMIT %s", [Placeholder("limit", BigIntegerField())])
OFFSET = Placeholder("offset", BigIntegerField())
# Of each part: so many are enough for the page.
WANTED: SQLFragment = (" LIMIT %s", [Placeholder("wanted", BigIntegerField())])
# So many rows of each project are cheaper to read than to look for the ones wanted.
DEEP_ROWS = 200
PAGE: SQLFragment = (f"{LIMIT[0]} OFFSET %s", [*LIMIT[1], OFFSET])


class TaskListQuery(NamedTuple):
    """What a query string asks for: a list, and the values of its filters."""

    shape: Shape
    where: Where
    values: dict[str, Any]
    key: str
    descending: bool
    # What is overdue or due today changes with time and without a write.
    is_cacheable: bool


def parse_list_query(query: str, user: Any) -> TaskListQuery:
    """ValidationError for a bad filter or sort."""
    sent = parse_query(query).items()
    filters = [
        (k, named_me(str(v), user) if k in BY_ACCOUNT else str(v))
        for k, v in sent
        if k in TaskFilter.base_filters
    ]
    return build_list_query(tuple(sorted(filters)))


def named_me(ids: str, user: Any) -> str:
    """The user's own id as `me`: own tasks by others are in an index of their own."""
    own = str(user.pk)
    return ",".join("me" if id.lower() == own else id for id in ids.split(","))


# Without page and cursor, which each page of a walk has others of.
@lru_cache(maxsize=256)
def build_list_query(filters: tuple[tuple[str, str], ...]) -> TaskListQuery:
    shape, values, where = parse_filters(dict(filters))
    is_cacheable = not {"overdue", "due"} & dict(filters).keys()
    key, descending = shape.key, shape.descending
    return TaskListQuery(shape, where, values, key, descending, is_cacheable)


class CompiledTaskList:
    """The statements of one shape, each compiled when it is first used."""

    def __init__(self, shape: Shape, sources: Sources) -> None:
        self.shape = shape
        self.is_search = "q" in dict(shape.filters)
        self.key, self.descending = shape.key, shape.descending
        self.key_field: Any = Task._meta.get_field(self.key)
        # Takes the sort key's value and the id from a row.
        self.get_position = itemgetter(COLUMNS.index(self.key), COLUMNS.index("id"))
        self.sources = sources
        self.is_by_label = shape.is_by_label
        # A plan for a rare value is the wrong one for a common value and vice versa.
        self.is_prepared = not shape.filters
        # Caches of this object: on the class they would keep every shape for ever.
        self.pages_after = cache(self.compile_pages_after)
        self.search_page = cache(self.compile_search_page)

    def filtered(self, shape: Shape) -> list[tuple[Source, Any]]:
        """Each source, and its tasks with these filters.

        Made anew for each statement: what is kept would take many times its SQL.
        """
        return [
            (each, shape.apply(each.tasks.live(), NOW, each.owner, each.is_own))
            for each in self.sources.each()
        ]

    def rows(
        self, user: Any, filters: dict[str, Any], selection: Selection, pages: Any
    ) -> list[Row]:
        """One row more than the page, if there is another, and `pages.total`."""
        values = {"user": user.pk, "now": timezone.now(), **filters}
        if "due" in filters:
            values |= due_days(filters, values["now"])
        values |= {"limit": pages.limit + 1, "offset": pages.offset}
        values["wanted"] = pages.offset + pages.limit + 1
        at = pages.position or (None, None, None)
        values["value"], values["task"], start = at
        values |= selection.values(start)
        if self.sources == NOWHERE:
            return self.nothing(pages)
        if self.is_search:
            return self.search(values, pages)
        if pages.position:
            return self.rows_after(values, pages.limit + 1)
        page = self.deep_page if values["wanted"] > DEEP_ROWS else self.page
        rows = page.rows(values)
        # The last page gives the total.
        is_last = len(rows) <= pages.limit and (rows or not pages.offset)
        pages.total = pages.offset + len(rows)
        if not is_last:
            # One more, to know whether there are more.
            pages.total = self.count.rows(values | {"limit": pages.max_count + 1})[0][0]
        return rows

    def nothing(self, pages: Any) -> list[Row]:
        pages.total = None if pages.position else 0
        return []

    def rows_after(self, values: dict[str, Any], limit: int) -> list[Row]:
        rows: list[Row] = []
        for query in self.pages_after(values["value"] is not None):
            if len(rows) < limit:
                rest = limit - len(rows)
                rows += query.rows(values | {"limit": rest, "wanted": rest})
        return rows

    def search(self, values: dict[str, Any], pages: Any) -> list[Row]:
        values["depth"] = search.scan_depth(pages.offset)
        has_value = pages.position and values["value"] is not None
        rows = self.search_page(has_value if pages.position else None).rows(values)
        if not pages.position:
            pages.total, pages.is_complete = rows[0][0], bool(rows[0][1])
        return [self.page.convert(row[2:]) for row in rows if row[2] is not None]

    @cached_property
    def page(self) -> CompiledQuery:
        return self.compile(self.filtered(self.shape))

    @cached_property
    def deep_page(self) -> CompiledQuery:
        """The same for pages far into the list."""
        return self.compile(self.filtered(self.shape), is_deep=True)

    @cached_property
    def count(self) -> CompiledQuery:
        parts = [
            source.compile(counted.order_by(), LIMIT).fragment
            for source, counted in self.countable()
        ]
        sql, params = parts[0]
        if self.sources.has_projects:  # the limit is that of each project
            sql, params = search.union(parts)
            sql, params = f"{sql}{LIMIT[0]}", [*params, *LIMIT[1]]
        counted = f"SELECT COUNT(*) FROM ({sql}) counted", params  # noqa: S608
        return CompiledQuery(counted, is_prepared=self.is_prepared)

    def countable(self) -> list[tuple[Source, Any]]:
        """The ids of each source: of labels' tasks without reading the tasks."""
        if [name for name, _ in self.shape.filters] != ["label"]:
            found = self.filtered(self.shape)
            return [(source, tasks.values_list("pk")) for source, tasks in found]
        chosen = self.shape.filters[0][1]
        keys = [LABEL] if chosen == ONE else [*chosen]
        live = TaskLabel.objects.filter(project__isnull=False)
        return [
            (
                each,
                live.filter(each.place, label__in=labels_of(each.owner, keys))
                .values_list("task_id")
                .distinct(),
            )
            for each in self.sources.each()
        ]

    def compile_pages_after(self, has_value: bool) -> list[CompiledQuery]:
        by_source = [
            [(source, part) for part in self.parts(source, tasks, has_value)]
            for source, tasks in self.filtered(self.shape)
        ]
        return [self.compile(list(parts)) for parts in zip(*by_source, strict=True)]

    def compile_search_page(self, has_value: bool | None) -> CompiledQuery:
        window = self.filtered(self.shape.without("q"))
        all_matches = self.shape.only("q").apply(Task.objects.all(), NOW).order_by()
        matches = [
            (source, tasks.order_by().filter(search.in_index(TEXT)))
            for source, tasks in self.filtered(self.shape)
        ]
        of = partial(self.rows_of, has_value=has_value)
        sql = search.search_sql(
            [s.compile_deep(r, search.WINDOW).fragment for s, r in of(window)],
            CompiledQuery.compile(all_matches.values_list(*COLUMNS)).fragment,
            [s.compile(r, search.OPTIMIZATION_FENCE).fragment for s, r in of(matches)],
            self.order_sql(),
            PAGE,
        )
        return CompiledQuery(sql, is_prepared=False)

    def rows_of(
        self, sources: list[tuple[Source, Any]], has_value: bool | None
    ) -> list[tuple[Source, Any]]:
        return [
            (source, part.values_list(*COLUMNS))
            for source, tasks in sources
            for part in self.parts(source, tasks, has_value)
        ]

    def compile(
        self, parts: list[tuple[Source, Any]], *, is_deep: bool = False
    ) -> CompiledQuery:
        """The page of the own tasks; of projects, out of the start of each."""
        if not self.sources.has_projects:
            rows = parts[0][1].values_list(*COLUMNS)
            return CompiledQuery.compile(rows, PAGE, is_prepared=self.is_prepared)
        starts = [
            (source.compile_deep if is_deep else source.compile)(
                tasks.values_list(*COLUMNS), WANTED
            )
            for source, tasks in parts
        ]
        sql, params = search.union([each.fragment for each in starts])
        sql = f"SELECT x.* FROM ({sql}) x{self.order_sql()}{PAGE[0]}"  # noqa: S608
        query = CompiledQuery((sql, [*params, *PAGE[1]]), is_prepared=self.is_prepared)
        query.converters = starts[0].converters
        return query

    def parts(self, source: Source, tasks: Any, has_value: bool | None) -> list[Any]:
        """The tasks after a cursor's row; all of them without one."""
        if has_value is None:
            return [tasks]
        value = Placeholder("value", self.key_field) if has_value else None
        tasks = not_modified_since(tasks, self.key, source.revision)
        if self.is_by_label:  # the scan of the label's index starts there
            tasks = tasks.filter(after(LABEL_KEY, self.descending, value, TASK))
        filters = keyset_filters(self.key_field, self.descending, value, TASK)
        return [tasks.filter(part) for part in filters]

    def order_sql(self) -> str:
        direction = "DESC" if self.descending else "ASC"
        nulls = " NULLS LAST" if self.key_field.null else ""
        key = f'x."{self.key}"'
        if self.key in FOLDED_KEYS:
            key = Fold.sql(key)
        return f' ORDER BY {key} {direction}{nulls}, x."id" {direction}'


# A list takes 25 KB, a search with eight filters 95 KB.
compiled_list = lru_cache(maxsize=200)(CompiledTaskList)


@cache
def task_query() -> CompiledQuery:
    tasks = Task.objects.live().filter(pk=TASK)
    return CompiledQuery.compile(tasks.values_list(*COLUMNS))


def get_row(principal: Any, pk: UUID) -> Row:
    """The values of COLUMNS of a live task; TaskNotFound, TaskForbidden."""
    rows = task_query().rows({"task": pk})
    if not rows:
        raise access.TaskNotFound
    row = rows[0]
    if principal.reads_projects or row[USER_ID] != principal.pk:
        task = Task(pk=pk, user_id=row[USER_ID], project_id=row[PROJECT_ID])
        access.access_to_task(principal, task).require_visible_task(task)
    return row
