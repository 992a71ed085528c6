"""Reads of tasks, in the statement that reads the caller's session."""

from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from accounts.reading import Fragment, Prepared, Reading
from tasks import cache as lists
from tasks import metrics, search
from tasks.filters import TaskFilter
from tasks.models import Task
from tasks.plans import FIELDS, TASK, plan
from tasks.preconditions import is_unchanged

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

    def tables(self) -> list[tuple[str, Fragment]]:
        if not self.plan.is_search:
            return []
        return search.tables(
            [prepared(self.values) for prepared in self.plan.walk(self.pages)],
            self.plan.hits()(self.values),
            [prepared(self.values) for prepared in self.plan.page(self.pages)],
            self.order(),
            self.pages.offset,
            self.pages.limit,
        )

    def scalars(self) -> list[Fragment]:
        if self.pages.position:
            return []
        if self.plan.is_search:
            return search.COUNTS
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
        if self.plan.is_search:
            return f'SELECT * FROM "found" x{self.order()}{limits}', limit  # noqa: S608
        parts = [prepared(self.values) for prepared in self.plan.page(self.pages)]
        sql = " UNION ALL ".join(
            f"SELECT * FROM ({sql}{limits}) y"  # noqa: S608
            for sql, _ in parts
        )
        return sql, [value for _, params in parts for value in (*params, *limit)]

    def order(self) -> str:
        return self.plan.order()

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
        counts = len(self.scalars())
        if counts:
            self.pages.found, *is_whole = self.rows[0][:counts]
            self.pages.is_whole = all(is_whole)
        prepared = self.plan.page(self.pages)[0]
        found = [row[counts:] for row in self.rows if row[counts] is not None]
        tasks = [Task.from_db("default", FIELDS, prepared.row(row)) for row in found]
        kept: list[Task] = self.pages.keep(tasks, revision)
        return kept
