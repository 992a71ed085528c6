"""The statements that read tasks, made once for each way to filter and sort them."""

import secrets
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast
from uuid import uuid4

from django_filters.utils import translate_validation
from rest_framework.exceptions import ValidationError

from accounts.reading import Along, Fragment, Prepared, Slot
from tasks.filters import SORTS, TaskFilter
from tasks.models import MOST_COUNTED, Task, TaskQuerySet
from tasks.queries import search
from tasks.serializers import FIELDS


def an_instant() -> datetime:
    return datetime(9999, 1, 1, microsecond=secrets.randbelow(10**6), tzinfo=UTC)


# Stand for values of requests in statements made once. Nobody can guess them, so no
# filter is ever taken for one.
OWNER, TASK, NOW = uuid4(), uuid4(), an_instant()
START = 2**62
SAMPLES: dict[str, Any] = {
    "created_at": an_instant(),
    "updated_at": an_instant(),
    "due_at": an_instant(),
    "title": secrets.token_hex(),
    "priority": 32_000,
}


# How many are not written into the statement: PostgreSQL would take a plan for the
# average owner to be good enough for all.
LIMITS = " LIMIT %s OFFSET %s"
ROWS = [Slot("rows"), Slot("offset")]


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
        self.slots["start"] = START
        self.tasks = cast(TaskQuerySet, chosen.qs)
        self.rows = self.prepared([self.tasks])[0]
        self.made: dict[str, Along] = {}

    def along(self, pages: Any) -> Along:
        """What to read for a page: by number or, in parts, after a cursor's row."""
        kind = kind_of(pages)
        if kind not in self.made:
            read = self.searched if self.is_search else self.found
            self.made[kind] = read(pages, kind)
        return self.made[kind]

    def found(self, pages: Any, kind: str) -> Along:
        parts = [part.fragment for part in self.page(pages, kind)]
        limited = [(f"{sql}{LIMITS}", [*values, *ROWS]) for sql, values in parts]
        # A plan for a rare value is the wrong one for a common value, and vice versa.
        is_planned_anew = bool(self.asked.keys() - {"sort"})
        scalars = [self.count()] if kind == "numbered" else []
        return Along(search.union(limited), self.order(), [], scalars, is_planned_anew)

    def searched(self, pages: Any, kind: str) -> Along:
        tables = search.tables(
            [part.fragment for part in self.walk(pages, kind)],
            self.hits().fragment,
            [part.fragment for part in self.page(pages, kind)],
            self.order(),
        )
        rows = f'SELECT * FROM "found" x{self.order()}{LIMITS}'  # noqa: S608
        scalars = search.COUNTS if kind == "numbered" else []
        return Along((rows, ROWS), self.order(), tables, scalars, True)

    def order(self) -> str:
        direction = "DESC" if self.descending else "ASC"
        nulls = " NULLS LAST" if self.key == "due_at" else ""
        key = f'x."{self.key}" {direction}{nulls}'
        return f' ORDER BY {key}, x."id" {direction}'

    def count(self) -> Fragment:
        ids = self.tasks.order_by().values_list("pk")
        sql, values = Prepared(ids, **self.slots).fragment
        limited = f"SELECT COUNT(*) FROM ({sql} LIMIT %s) counted"  # noqa: S608
        return limited, [*values, MOST_COUNTED + 1]

    def page(self, pages: Any, kind: str) -> list[Prepared]:
        # Searches put their few matches in order afterwards.
        tasks = self.tasks.order_by() if self.is_search else self.tasks
        return self.prepared(self.parts(tasks, kind, pages))

    def walk(self, pages: Any, kind: str) -> list[Prepared]:
        """The same, whether or not it has the text that is searched for."""
        others = {k: v for k, v in self.asked.items() if k != "q"}
        return self.prepared(
            self.parts(cast(TaskQuerySet, narrowed(others).qs), kind, pages)
        )

    def hits(self) -> Prepared:
        """All tasks with the text, whosever they are."""
        searched = TaskFilter({"q": self.asked["q"]}, queryset=Task.objects.all())
        return self.prepared([searched.qs.order_by()])[0]

    def prepared(self, parts: list[Any]) -> list[Prepared]:
        rows = [part.values_list(*FIELDS) for part in parts]
        return [Prepared(row, **self.slots) for row in rows]

    def parts(self, tasks: TaskQuerySet, kind: str, pages: Any) -> list[TaskQuerySet]:
        if kind == "numbered":
            return [tasks]
        tasks = tasks if pages.is_unmoving else tasks.unmoved_since(START)
        value = SAMPLES[self.key] if kind == "after" else None
        return [tasks.filter(part) for part in pages.beyond(value, TASK)]


# A search takes up to 46 KB, and there are as many as texts are searched for.
@lru_cache(maxsize=256)
def plan(asked: tuple[tuple[str, str], ...]) -> Plan:
    return Plan(asked)


def narrowed(asked: dict[str, str]) -> TaskFilter:
    theirs = Task.objects.owned_by(OWNER).live()
    return TaskFilter(asked, queryset=theirs, now=NOW)


def kind_of(pages: Any) -> str:
    if not pages.position:
        return "numbered"
    return "after null" if pages.position[0] is None else "after"
