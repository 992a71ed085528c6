"""The statements that read tasks, made once for each way to filter and sort them."""

import secrets
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.db.models import Exists
from django_filters.utils import translate_validation
from rest_framework.exceptions import ValidationError

from accounts.reading import Along, Fragment, Prepared, Slot
from tasks import search
from tasks.filters import SORTS, TaskFilter
from tasks.models import MOST_COUNTED, Priority, Status, Task, TaskQuerySet
from tasks.serializers import FIELDS


def an_instant() -> datetime:
    return datetime(9999, 1, 1, microsecond=secrets.randbelow(10**6), tzinfo=UTC)


# Stand for values of requests in statements made once. Nobody can guess them, so no
# filter is ever taken for one.
OWNER, TASK, NOW = uuid4(), uuid4(), an_instant()
START, KNOWN = 2**62, 2**62 + 1
SAMPLES: dict[str, Any] = {
    "created_at": an_instant(),
    "updated_at": an_instant(),
    "due_at": an_instant(),
    "title": secrets.token_hex(),
    "priority": 32_000,
}


# What a filter can name, and the 1 of EXISTS: few enough to have a plan each.
LITERALS = {*Status.values, *Priority.values}
# So are these; other lengths of a page are told each time.
USUAL_LIMITS = {10, 20, 50, 100}


class Plan:
    """The statements of one way to filter and sort, made when first asked for."""

    def __init__(self, asked: tuple[tuple[str, str], ...]) -> None:
        self.asked = dict(asked)
        self.is_search = "q" in self.asked
        chosen = narrowed(self.asked)
        if not chosen.is_valid():
            raise cast(ValidationError, translate_validation(chosen.errors))
        sort = chosen.form.cleaned_data["sort"] or "-createdAt"
        self.key, self.descending = SORTS[sort.lstrip("-")], sort.startswith("-")
        sample = SAMPLES[self.key]
        self.slots = {"owner": OWNER, "task": TASK, "now": NOW, "value": sample}
        self.slots |= {"start": START, "known": KNOWN}
        self.tasks = changed(chosen)
        self.rows = self.prepared([self.tasks])[0]
        self.made: dict[tuple[str, int | None, bool], Along] = {}

    def along(self, pages: Any) -> Along:
        """What to read for a page: by number or, in parts, after a cursor's row."""
        kind = kind_of(pages)
        limit = pages.limit if pages.limit in USUAL_LIMITS else None
        made = self.made.get(key := (kind, limit, not pages.offset))
        if made is None:
            made = self.made[key] = self.found(pages, kind, bounds(*key[1:]))
        return made

    def found(self, pages: Any, kind: str, bounds: Fragment) -> Along:
        if self.is_search:
            return self.searched(pages, kind, bounds)
        parts = [part.fragment for part in self.page(pages, kind)]
        limited = [
            (f"{sql}{bounds[0]}", [*values, *bounds[1]]) for sql, values in parts
        ]
        # A plan for a rare value is the wrong one for a common value, and vice versa.
        is_planned_anew = bool(self.asked.keys() - {"sort"})
        scalars = [self.count()] if kind == "numbered" else []
        return Along(search.union(limited), self.order(), [], scalars, is_planned_anew)

    def searched(self, pages: Any, kind: str, bounds: Fragment) -> Along:
        tables = search.tables(
            [part.fragment for part in self.walk(pages, kind)],
            self.hits().fragment,
            [part.fragment for part in self.page(pages, kind)],
            self.order(),
        )
        rows = f'SELECT * FROM "found" x{self.order()}{bounds[0]}'  # noqa: S608
        scalars = search.COUNTS if kind == "numbered" else []
        return Along((rows, bounds[1]), self.order(), tables, scalars, True)

    def order(self) -> str:
        direction = "DESC" if self.descending else "ASC"
        nulls = " NULLS LAST" if self.key == "due_at" else ""
        key = f'x."{self.key}" {direction}{nulls}'
        return f' ORDER BY {key}, x."id" {direction}'

    def count(self) -> Fragment:
        ids = self.tasks.order_by().values_list("pk")
        sql, values = Prepared(ids, LITERALS, **self.slots).fragment
        limited = f"{sql} LIMIT {MOST_COUNTED + 1}"
        return f"SELECT COUNT(*) FROM ({limited}) counted", values  # noqa: S608

    def page(self, pages: Any, kind: str) -> list[Prepared]:
        # Searches put their few matches in order afterwards.
        tasks = self.tasks.order_by() if self.is_search else self.tasks
        return self.prepared(self.parts(tasks, kind, pages))

    def walk(self, pages: Any, kind: str) -> list[Prepared]:
        """The same, whether or not it has the text that is searched for."""
        others = {k: v for k, v in self.asked.items() if k != "q"}
        return self.prepared(self.parts(changed(narrowed(others)), kind, pages))

    def hits(self) -> Prepared:
        """All tasks with the text, whosever they are."""
        searched = TaskFilter({"q": self.asked["q"]}, queryset=Task.objects.all())
        return self.prepared([searched.qs.order_by()])[0]

    def prepared(self, parts: list[Any]) -> list[Prepared]:
        rows = [part.values_list(*FIELDS) for part in parts]
        return [Prepared(row, LITERALS, **self.slots) for row in rows]

    def parts(self, tasks: TaskQuerySet, kind: str, pages: Any) -> list[TaskQuerySet]:
        if kind == "numbered":
            return [tasks]
        tasks = tasks if pages.is_unmoving else tasks.unmoved_since(START)
        value = SAMPLES[self.key] if kind == "after" else None
        return [tasks.filter(part) for part in pages.beyond(value, TASK)]


@lru_cache(maxsize=1024)
def plan(asked: tuple[tuple[str, str], ...]) -> Plan:
    return Plan(asked)


def narrowed(asked: dict[str, str]) -> TaskFilter:
    theirs = Task.objects.owned_by(OWNER).live()
    return TaskFilter(asked, queryset=theirs, now=NOW)


def changed(chosen: TaskFilter) -> TaskQuerySet:
    """Nothing, if the cache or the client is known to have it."""
    owners = get_user_model().objects.filter(pk=OWNER).exclude(revision=KNOWN)
    return cast(TaskQuerySet, chosen.qs.filter(Exists(owners)))


def kind_of(pages: Any) -> str:
    if not pages.position:
        return "numbered"
    return "after null" if pages.position[0] is None else "after"


def bounds(limit: int | None, is_first: bool) -> Fragment:
    """LIMIT and OFFSET; one row more than the page tells whether there is another."""
    sql = f" LIMIT {'%s' if limit is None else limit + 1}"
    sql += f" OFFSET {'0' if is_first else '%s'}"
    named = [("rows", limit is None), ("offset", not is_first)]
    return sql, [Slot(name) for name, is_told in named if is_told]
