"""Reads of tasks, in the statement that reads the caller's session."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, cast
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.db.models import Exists
from django.http import HttpResponse
from django.utils import timezone
from django_filters.utils import translate_validation
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from accounts.reading import Fragment, Prepared, Reading
from tasks import cache as lists
from tasks import metrics
from tasks.filters import SORTS, TaskFilter
from tasks.models import Task, TaskQuerySet
from tasks.preconditions import is_unchanged

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
NEVER = -1


class OneTask(Reading):
    """A live task, whoever's it is."""

    def __init__(self, pk: UUID) -> None:
        self.pk = pk

    def statement(self) -> Fragment:
        return one_task()({"task": self.pk})

    def task(self) -> Task:
        """The task; Task.DoesNotExist."""
        [row] = self.rows
        if row[0] is None:
            raise Task.DoesNotExist
        return Task.from_db("default", FIELDS, one_task().row(row))


@cache
def one_task() -> Prepared:
    tasks = Task.objects.live().filter(pk=TASK).values_list(*FIELDS)
    return Prepared(tasks, task=TASK)


class Plan:
    """The statements of one way to filter and sort, made when first asked for."""

    def __init__(self, asked: tuple[tuple[str, str], ...]) -> None:
        theirs = Task.objects.owned_by(OWNER).live()
        chosen = TaskFilter(dict(asked), queryset=theirs, now=NOW)
        if not chosen.is_valid():
            raise cast(ValidationError, translate_validation(chosen.errors))
        # Nothing is read that the cache or the client is known to have.
        changed = get_user_model().objects.filter(pk=OWNER).exclude(revision=KNOWN)
        self.tasks = cast(TaskQuerySet, chosen.qs.filter(Exists(changed)))
        sort = chosen.form.cleaned_data["sort"] or "-createdAt"
        self.key, self.descending = SORTS[sort.lstrip("-")], sort.startswith("-")
        sample = SAMPLES[self.key]
        self.slots = {"owner": OWNER, "task": TASK, "now": NOW, "value": sample}
        self.slots |= {"start": START, "known": KNOWN}
        self.made: dict[str, list[Prepared]] = {}

    def count(self) -> Prepared:
        if "count" not in self.made:
            ids = self.tasks.order_by().values_list("pk")
            self.made["count"] = [Prepared(ids, **self.slots)]
        return self.made["count"][0]

    def page(self, pages: Any) -> list[Prepared]:
        """The page by number or, in parts, what comes after a cursor's row."""
        kind = "numbered"
        if pages.position:
            kind = "after null" if pages.position[0] is None else "after"
        if kind not in self.made:
            parts = [part.values_list(*FIELDS) for part in self.parts(kind, pages)]
            self.made[kind] = [Prepared(part, **self.slots) for part in parts]
        return self.made[kind]

    def parts(self, kind: str, pages: Any) -> list[TaskQuerySet]:
        if kind == "numbered":
            return [self.tasks]
        tasks = self.tasks if pages.is_unmoving else self.tasks.unmoved_since(START)
        value = SAMPLES[self.key] if kind == "after" else None
        return [tasks.filter(part) for part in pages.beyond(value, TASK)]


@lru_cache(maxsize=1024)
def plan(asked: tuple[tuple[str, str], ...]) -> Plan:
    return Plan(asked)


class TaskPage(Reading):
    """A page of a user's tasks, and how many there are."""

    def __init__(self, request: Request, user_id: UUID, pages: Any) -> None:
        asked = {
            k: v
            for k, v in request.query_params.items()
            if k in TaskFilter.base_filters
        }
        self.plan = plan(tuple(sorted(asked.items())))
        self.pages = pages
        pages.begin(request, user_id, Task, self.plan.key, self.plan.descending)
        self.values = {"owner": user_id, "now": timezone.now()}
        if pages.position:
            value, pk, start = pages.position
            self.values |= {"value": value, "task": pk, "start": start}
        self.entry = lists.Entry(request, user_id)
        # A plan for a rare word is the wrong one for a common word, and vice versa.
        self.is_planned_anew = bool(asked.keys() - {"sort"})
        # Changes as time goes by, without a write.
        if "overdue" not in asked:
            self.key = self.entry.key

    def scalars(self) -> list[Fragment]:
        if self.pages.position:
            return []
        sql, params = self.plan.count()(self.values)
        most = self.pages.most_counted + 1
        count = f"SELECT COUNT(*) FROM ({sql} LIMIT %s) counted"  # noqa: S608
        return [(count, [*params, most])]

    def statement(self) -> Fragment:
        known = self.entry.known(self.kept) if self.key else None
        self.values["known"] = NEVER if known is None else known
        # One row more than the page tells whether there is another.
        limits = " LIMIT %s OFFSET %s"
        limit = [self.pages.limit + 1, self.pages.offset]
        parts = [prepared(self.values) for prepared in self.plan.page(self.pages)]
        sql = " UNION ALL ".join(
            f"SELECT * FROM ({sql}{limits}) y"  # noqa: S608
            for sql, _ in parts
        )
        return sql, [value for _, params in parts for value in (*params, *limit)]

    def order(self) -> str:
        direction = "DESC" if self.plan.descending else "ASC"
        nulls = " NULLS LAST" if self.plan.key == "due_at" else ""
        key = f'x."{self.plan.key}" {direction}{nulls}'
        return f' ORDER BY {key}, x."id" {direction}'

    def answer(
        self, revision: int, render: Callable[[list[Task]], bytes]
    ) -> HttpResponse:
        """200 with the page, or 304 if the client has it."""
        request = self.pages.request._request
        if not self.key:
            # Only its content can vouch for it.
            body = render(self.tasks(revision))
            tag = f'W/"{lists.digest(body)}"'
        else:
            tag = self.entry.tag(revision)
        headers = lists.HEADERS | {"ETag": tag}
        if is_unchanged(request, tag):
            return HttpResponse(status=304, headers=headers)
        if self.key:
            body = self.kept_body(revision) or self.fresh_body(revision, render)
        return HttpResponse(body, content_type="application/json", headers=headers)

    def kept_body(self, revision: int) -> bytes:
        kept, body = lists.opened(self.kept)
        hit = kept == revision
        (metrics.HITS if hit else metrics.MISSES).inc()
        return body if hit else b""

    def fresh_body(self, revision: int, render: Callable[[list[Task]], bytes]) -> bytes:
        body = render(self.tasks(revision))
        self.entry.keep(revision, body)
        return body

    def tasks(self, revision: int) -> list[Task]:
        """The page's tasks, read when their owner was at `revision`."""
        counts = 0 if self.pages.position else 1
        if counts:
            self.pages.found = self.rows[0][0]
        prepared = self.plan.page(self.pages)[0]
        found = [row[counts:] for row in self.rows if row[counts] is not None]
        tasks = [Task.from_db("default", FIELDS, prepared.row(row)) for row in found]
        kept: list[Task] = self.pages.keep(tasks, revision)
        return kept
