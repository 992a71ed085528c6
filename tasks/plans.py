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

from accounts.reading import Prepared
from tasks.filters import SORTS, TaskFilter
from tasks.models import Task, TaskQuerySet

# What an answer shows, in the model's order.
FIELDS = [
    field.attname
    for field in Task._meta.concrete_fields
    if field.name not in {"revision", "deleted_at"}
]


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
        self.made: dict[str, list[Prepared]] = {}

    def order(self) -> str:
        direction = "DESC" if self.descending else "ASC"
        nulls = " NULLS LAST" if self.key == "due_at" else ""
        key = f'x."{self.key}" {direction}{nulls}'
        return f' ORDER BY {key}, x."id" {direction}'

    def count(self) -> Prepared:
        if "count" not in self.made:
            ids = self.tasks.order_by().values_list("pk")
            self.made["count"] = [Prepared(ids, **self.slots)]
        return self.made["count"][0]

    def page(self, pages: Any) -> list[Prepared]:
        """The page by number or, in parts, what comes after a cursor's row."""
        kind = kind_of(pages)
        if kind not in self.made:
            # Searches put their few matches in order afterwards.
            tasks = self.tasks.order_by() if self.is_search else self.tasks
            self.made[kind] = self.prepared(self.parts(tasks, kind, pages))
        return self.made[kind]

    def walk(self, pages: Any) -> list[Prepared]:
        """The same, whether or not it has the text that is searched for."""
        kind = kind_of(pages)
        if f"walk {kind}" not in self.made:
            others = {k: v for k, v in self.asked.items() if k != "q"}
            parts = self.parts(changed(narrowed(others)), kind, pages)
            self.made[f"walk {kind}"] = self.prepared(parts)
        return self.made[f"walk {kind}"]

    def hits(self) -> Prepared:
        """All tasks with the text, whosever they are."""
        if "hits" not in self.made:
            searched = TaskFilter({"q": self.asked["q"]}, queryset=Task.objects.all())
            self.made["hits"] = self.prepared([searched.qs.order_by()])
        return self.made["hits"][0]

    def prepared(self, parts: list[Any]) -> list[Prepared]:
        rows = [part.values_list(*FIELDS) for part in parts]
        return [Prepared(row, **self.slots) for row in rows]

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
