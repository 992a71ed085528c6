"""Reads of tasks, in the statement that reads the caller's session."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.reading import Along, Asker, Prepared, Reading
from taskapi.api import caching as lists
from taskapi.api.preconditions import is_unchanged
from taskapi.api.query_params import parameters, query_of
from tasks import metrics
from tasks.filters import TaskFilter
from tasks.models import Task
from tasks.queries import search
from tasks.queries.plans import TASK, Plan, plan
from tasks.serializers import FIELDS

Row = Sequence[Any]
OWNER, VERSION = FIELDS.index("user_id"), FIELDS.index("version")


class OneTask(Reading):
    """A live task, whoever's it is."""

    def __init__(self, pk: UUID) -> None:
        self.pk = pk

    def along(self) -> tuple[Along, Mapping[str, Any]]:
        return along_one_task(), {"task": self.pk}

    def row(self, user_id: UUID) -> Row:
        """What the user may read of it; Task.DoesNotExist, Task.Forbidden."""
        [row] = self.rows
        if row[0] is None:
            raise Task.DoesNotExist
        row = one_task().row(row)
        if str(row[OWNER]) != str(user_id):
            raise Task.Forbidden
        return row


@cache
def one_task() -> Prepared:
    tasks = Task.objects.live().filter(pk=TASK).values_list(*FIELDS)
    return Prepared(tasks, task=TASK)


@cache
def along_one_task() -> Along:
    return Along(one_task().fragment)


@lru_cache(maxsize=256)
def plan_of(query: str) -> tuple[Plan, bool]:
    """How to read what a query string asks for, and whether the answer lasts until a
    write; ValidationError.
    """
    sent = parameters(query).items()
    asked = {k: v for k, v in sent if k in TaskFilter.base_filters}
    # What is overdue changes as time goes by.
    return plan(tuple(sorted(asked.items()))), "overdue" not in asked


class TaskPage(Reading):
    """A page of a user's tasks, and how many there are."""

    def __init__(self, request: Request, asker: Asker, pages: Any) -> None:
        self.plan, is_lasting = plan_of(query_of(request))
        self.pages, self.owner = pages, asker.id
        pages.begin(request, asker.id, Task, self.plan.key, self.plan.descending)
        self.entry = lists.Entry(request, asker)
        if is_lasting:
            self.key = self.entry.key

    def known(self) -> int | None:
        return self.entry.known(self.kept) if self.key else None

    def along(self) -> tuple[Along, Mapping[str, Any]]:
        pages = self.pages
        values = {"owner": self.owner, "rows": pages.limit + 1, "offset": pages.offset}
        if pages.position:
            values["value"], values["task"], values["start"] = pages.position
        if self.plan.is_search:
            values["wanted"] = pages.offset + pages.limit + 1
            values["depth"] = search.depth(pages.offset)
        return self.plan.along(pages), values

    def answer(
        self, revision: int, render: Callable[[list[Row]], bytes]
    ) -> HttpResponse:
        """200 with the page, or 304 if the client has it."""
        request = self.entry.request
        if not self.key:
            # Only its content can vouch for it.
            body = render(self.page(revision))
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

    def fresh_body(self, revision: int, render: Callable[[list[Row]], bytes]) -> bytes:
        body = render(self.page(revision))
        self.entry.keep(revision, body)
        return body

    def page(self, revision: int) -> list[Row]:
        """The page's rows, read when their owner was at `revision`."""
        counts = len(self.plan.along(self.pages).scalars)
        if counts:
            self.pages.found, *is_whole = self.rows[0][:counts]
            self.pages.is_whole = all(is_whole)
        found = [row[counts:] for row in self.rows if row[counts] is not None]
        if self.plan.rows.converters:
            found = [self.plan.rows.row(row) for row in found]
        place = itemgetter(FIELDS.index(self.plan.key), FIELDS.index("id"))
        kept: list[Row] = self.pages.keep(found, revision, place)
        return kept
