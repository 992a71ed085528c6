"""Counts of the tasks of a list, by statements that are compiled once for each shape.

Only the newest MAX_COUNT tasks are counted: what is counted is what grows.
"""

from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, DateTimeField
from django.utils import timezone

from taskapi.api import time_zones
from taskapi.api.pagination import MAX_COUNT
from taskapi.db.compiled import CompiledQuery, Placeholder, SQLFragment
from tasks.filters import DEFAULT_SORT, Shape, due_days
from tasks.models import Priority, Status
from tasks.queries import search
from tasks.queries.list import NOW, TEXT, compiled_list
from tasks.queries.sources import Selection, Sources

COLUMNS = ("project_id", "status", "priority", "due_at", "created_at", "id")
LIMIT: SQLFragment = (" LIMIT %s", [Placeholder("limit", BigIntegerField())])
OFFSET: SQLFragment = (" OFFSET %s", [Placeholder("offset", BigIntegerField())])
TODAY, TOMORROW = (Placeholder(n, DateTimeField()) for n in ("today", "tomorrow"))
NEWEST_FIRST = ' ORDER BY x."created_at" DESC, x."id" DESC'
OPEN = f"\"status\" <> '{Status.DONE}'"
COUNTS: dict[str, SQLFragment] = {
    "total": ("1 = 1", []),
    **{each.value: (f"\"status\" = '{each}'", []) for each in Status},
    **{each.name: (f'"priority" = {each.value}', []) for each in Priority},
    "overdue": (f'"due_at" < %s AND {OPEN}', [NOW]),
    "due_today": (f'"due_at" >= %s AND "due_at" < %s AND {OPEN}', [TODAY, TOMORROW]),
}


class CompiledStats:
    """The statements of one shape, whose order does not count."""

    def __init__(self, shape: Shape, sources: Sources) -> None:
        tasks = compiled_list(Shape(shape.filters, DEFAULT_SORT), sources)
        found = tasks.filtered(tasks.shape)
        if tasks.is_search:
            found = [(s, each.filter(search.in_index(TEXT))) for s, each in found]
        self.parts = [
            s.compile_deep(each.values_list(*COLUMNS), LIMIT) for s, each in found
        ]
        self.is_prepared = tasks.is_prepared
        self.has_projects = sources.has_projects

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
        values["today"], values["tomorrow"] = time_zones.days_from(now, zone)
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
        parts = [part.fragment for part in self.parts]
        if not self.has_projects:
            return parts[0]
        sql, params = search.union(parts)
        sql = f"SELECT x.* FROM ({sql}) x{NEWEST_FIRST}{LIMIT[0]}"  # noqa: S608
        return sql, [*params, *LIMIT[1]]


compiled_stats = lru_cache(maxsize=200)(CompiledStats)
