"""Counts of the tasks of a list, by statements that are compiled once for each shape.

Only the newest MAX_COUNT tasks are counted: what is counted is what grows.
"""

from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField
from django.utils import timezone

from taskapi.api.pagination import MAX_COUNT
from taskapi.db.compiled import CompiledQuery, Placeholder, SQLFragment, WeightedCache
from tasks.due_days import placeholders, values_of
from tasks.filters import DEFAULT_SORT, Shape, due_days
from tasks.models import Priority, Status
from tasks.queries import search
from tasks.queries.list import COMPILED_LISTS, NOW, TEXT
from tasks.queries.sources import MAX_WEIGHT, Selection, Sources, weight

COLUMNS = (
    *("project_id", "status", "priority", "created_at", "id"),
    *("due_at", "is_all_day", "due_local", "day_ends_at"),
)
LIMIT: SQLFragment = (" LIMIT %s", [Placeholder("limit", BigIntegerField())])
OFFSET: SQLFragment = (" OFFSET %s", [Placeholder("offset", BigIntegerField())])
TODAY = [*placeholders("today").values()]
NEWEST_FIRST = ' ORDER BY x."created_at" DESC, x."id" DESC'
OPEN = f"\"status\" <> '{Status.DONE}'"
COUNTS: dict[str, SQLFragment] = {
    "total": ("1 = 1", []),
    **{each.value: (f"\"status\" = '{each}'", []) for each in Status},
    **{each.name: (f'"priority" = {each.value}', []) for each in Priority},
    "overdue": (
        f'"due_at" < %s AND ("day_ends_at" IS NULL OR "day_ends_at" <= %s) AND {OPEN}',
        [NOW, NOW],
    ),
    # As tasks.due_days has it for lists.
    "due_today": (
        'CASE WHEN "is_all_day" THEN "due_local" >= %s AND "due_local" < %s'
        f' ELSE "due_at" >= %s AND "due_at" < %s END AND {OPEN}',
        [*TODAY[2:4], *TODAY[:2]],
    ),
}


class CompiledStats:
    """The statements of one shape, whose order does not count."""

    def __init__(self, shape: Shape, sources: Sources) -> None:
        tasks = COMPILED_LISTS[Shape(shape.filters, DEFAULT_SORT), sources]
        found = [each for each, _ in tasks.filtered(tasks.shape)]
        if tasks.is_search:
            found = [each.filter(search.in_index(TEXT)) for each in found]
        self.parts = [CompiledQuery.compile(t.values_list(*COLUMNS)) for t in found]
        self.is_prepared = tasks.is_prepared

    def count(
        self, user: Any, filters: dict[str, Any], selection: Selection, zone: ZoneInfo
    ) -> dict[str, Any]:
        """The numbers of COUNTS, `by_project`, and `is_exact`: whether all tasks were
        counted; the day of `zone` is today.
        """
        now = timezone.now()
        values = {"user": user.pk, "now": now, **filters, **selection.values(None)}
        if "due" in filters:
            values |= due_days(filters, now)
        values |= {"limit": MAX_COUNT, "offset": MAX_COUNT}
        values |= values_of(now, zone, 1, "today")
        rows = self.counts.rows(values) if self.parts else []
        sums = [sum(column) for column in zip(*(row[1:] for row in rows), strict=True)]
        counts: dict[str, Any] = dict.fromkeys(COUNTS, 0)
        counts |= zip(COUNTS, sums, strict=False)
        is_full = counts["total"] == MAX_COUNT
        more = is_full and self.next.rows(values | {"limit": MAX_COUNT + 1})
        by_project = {row[0]: row[1] for row in rows}
        return counts | {"by_project": by_project, "is_exact": not more}

    @cached_property
    def counts(self) -> CompiledQuery:
        """One row for each project."""
        counts = [f"COUNT(*) FILTER (WHERE {sql})" for sql, _ in COUNTS.values()]
        params = [param for _, each in COUNTS.values() for param in each]
        sql, newest = self.newest()
        sql = f'SELECT "project_id", {", ".join(counts)} FROM ({sql}) t GROUP BY 1'  # noqa: S608
        query = CompiledQuery((sql, [*params, *newest]), is_prepared=self.is_prepared)
        converters = self.parts[0].converters
        query.converters = {0: converters[0]} if 0 in converters else {}
        return query

    @cached_property
    def next(self) -> CompiledQuery:
        """The first task that is not counted."""
        sql, params = self.newest()
        fragment = f"{sql}{OFFSET[0]}", [*params, *OFFSET[1]]
        return CompiledQuery(fragment, is_prepared=self.is_prepared)

    def newest(self) -> SQLFragment:
        parts = [
            (f"{sql}{LIMIT[0]}", [*params, *LIMIT[1]])
            for sql, params in (part.fragment for part in self.parts)
        ]
        if len(parts) == 1:
            return parts[0]
        sql, params = search.union(parts)
        sql = f"SELECT x.* FROM ({sql}) x{NEWEST_FIRST}{LIMIT[0]}"  # noqa: S608
        return sql, [*params, *LIMIT[1]]


COMPILED_STATS = WeightedCache(CompiledStats, weight, MAX_WEIGHT)
