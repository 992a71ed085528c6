"""What holds for every list of the admin: it costs no more because there is more."""

from functools import cached_property
from math import ceil
from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

PAGED_ROWS = 10_000
ROWS_AT_ONCE = 1_000
ESTIMATE = "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass"


class Roughly(int):
    """A number that was not counted to its end, and says so where it is shown."""

    words: str

    def __new__(cls, number: int, words: str) -> "Roughly":
        roughly = super().__new__(cls, number)
        roughly.words = words
        return roughly

    def __str__(self) -> str:
        return self.words


class BoundedPaginator(Paginator):
    """Counts as far as it pages. What lies further is for filters, the search and the
    other direction of the sort.
    """

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        counted: int = rows.order_by()[: PAGED_ROWS + 1].count()
        if counted <= PAGED_ROWS:
            return counted
        is_filtered = rows.query.where != self.everything(rows.model).query.where
        if is_filtered or connection.vendor != "postgresql":
            return Roughly(counted, f"more than {PAGED_ROWS:,}")
        return max(estimate(rows), Roughly(counted, f"more than {PAGED_ROWS:,}"))

    def everything(self, model: Any) -> QuerySet[Any]:
        page: Any = admin.site._registry[model]
        rows: QuerySet[Any] = page.get_queryset(HttpRequest())
        return rows

    @cached_property
    def num_pages(self) -> int:
        return ceil(max(1, min(self.count, PAGED_ROWS)) / self.per_page)


def estimate(rows: QuerySet[Any]) -> Roughly:
    """How many rows the planner believes the table to have."""
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATE, [rows.model._meta.db_table])
        [number] = cursor.fetchone()
    return Roughly(number, f"about {number:,}")


class Bounded(admin.ModelAdmin):
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    # Empty, not False: Django would join what the columns show, and would do it for
    # every row that comes before the page, too.
    list_select_related = ()
    show_facets = admin.ShowFacets.NEVER  # would count every choice of every filter
    # Actions that take however many; to others more than a thousand rows are refused,
    # as each row is a transaction of its own.
    actions_on_any_number: tuple[str, ...] = ()

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *where: Any
    ) -> HttpResponse | None:
        is_all = request.POST.get("select_across") == "1"
        name = request.POST.get("action")
        if is_all and name not in self.actions_on_any_number and is_too_many(queryset):
            hint = f"That would be more than {ROWS_AT_ONCE:,}: nothing was done."
            self.message_user(request, hint, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset, *where)


def is_too_many(rows: QuerySet[Any]) -> bool:
    return rows.order_by()[: ROWS_AT_ONCE + 1].count() > ROWS_AT_ONCE


class Site(admin.AdminSite):
    site_url = "/api/docs"
    site_header = site_title = "Task API"

    def register(
        self, model_or_iterable: Any, admin_class: Any = None, **options: Any
    ) -> None:
        if admin_class:
            # Also what other packages register, such as SimpleJWT its tokens.
            bases = admin_class, Bounded
            admin_class = type(admin_class.__name__, bases, {})
        super().register(model_or_iterable, admin_class or Bounded, **options)
