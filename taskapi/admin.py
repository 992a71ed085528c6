"""An admin whose lists cost the same however many rows there are."""

from functools import cached_property, wraps
from math import ceil
from operator import itemgetter
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest
from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

MAX_PAGED_ROWS = 10_000
MAX_ACTION_ROWS = 1_000
ESTIMATE = "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass"


class ApproximateCount(int):
    """A count that is a bound or an estimate, and is displayed as such."""

    words: str

    def __new__(cls, number: int, words: str) -> "ApproximateCount":
        count = super().__new__(cls, number)
        count.words = words
        return count

    def __str__(self) -> str:
        return self.words


class BoundedPaginator(Paginator):
    """Counts and pages up to MAX_PAGED_ROWS rows. Filters, the search or the opposite
    sort direction lead to the others.
    """

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        counted: int = rows.order_by()[: MAX_PAGED_ROWS + 1].count()
        if counted <= MAX_PAGED_ROWS:
            return counted
        bound = ApproximateCount(counted, f"more than {MAX_PAGED_ROWS:,}")
        is_filtered = rows.query.where != self.unfiltered(rows.model).query.where
        if is_filtered or connection.vendor != "postgresql":
            return bound
        return max(estimate(rows), bound)

    def unfiltered(self, model: Any) -> QuerySet[Any]:
        model_admin: Any = admin.site._registry[model]
        rows: QuerySet[Any] = model_admin.get_queryset(HttpRequest())
        return rows

    @cached_property
    def num_pages(self) -> int:
        return ceil(max(1, min(self.count, MAX_PAGED_ROWS)) / self.per_page)


class ListedPaginator(BoundedPaginator):
    """Reads the ids of all rows up to the bound, which give the count and the page.

    For rows that are expensive to find: a count and a page would each look for them.
    """

    @cached_property
    def pks(self) -> list[Any]:
        """In the order of the list, unless they are more than the bound."""
        rows: Any = self.object_list
        order = [*dict.fromkeys(rows.query.order_by)]
        keys = [key.removeprefix("-") for key in order]
        found = list(rows.order_by().values_list(*keys, "pk")[: MAX_PAGED_ROWS + 1])
        # Not in the database: it might walk through all rows in this order.
        for column, key in reversed([*enumerate(order)]):
            found.sort(key=itemgetter(column), reverse=key.startswith("-"))
        return [row[-1] for row in found]

    @cached_property
    def count(self) -> int:
        counted = len(self.pks)
        if counted <= MAX_PAGED_ROWS:
            return counted
        return ApproximateCount(counted, f"more than {MAX_PAGED_ROWS:,}")

    def page(self, number: int | str) -> Page[Any]:
        page = super().page(number)
        if self.count <= MAX_PAGED_ROWS:
            rows: Any = self.object_list
            pks = self.pks[page.start_index() - 1 : page.end_index()]
            page.object_list = rows.filter(pk__in=pks)
        return page


def estimate(rows: QuerySet[Any]) -> ApproximateCount:
    """The number of rows of the table by the planner's statistics."""
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATE, [rows.model._meta.db_table])
        [number] = cursor.fetchone()
    return ApproximateCount(number, f"about {number:,}")


class BoundedChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        """Without a filter the rows found are all: "Show all" would lead nowhere."""
        super().get_results(request)
        if not self.multi_page:  # Django's would not be the paginator's
            self.result_list = self.paginator.page(1).object_list
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count


class BoundedModelAdmin(admin.ModelAdmin):
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    # Empty, not False: Django would join the relations of the columns, for every row
    # that precedes the page, too.
    list_select_related = ()
    show_facets = admin.ShowFacets.NEVER  # facets count every choice of every filter
    # Other actions reject more than MAX_ACTION_ROWS rows, as each row is a transaction
    # of its own.
    actions_on_any_number: tuple[str, ...] = ()

    def get_changelist(self, *args: Any, **options: Any) -> type[ChangeList]:
        return BoundedChangeList

    def is_expensive(self, request: HttpRequest) -> bool:
        """Whether the rows of this list are found slowly (ListedPaginator)."""
        return False

    def get_paginator(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        if self.is_expensive(request):
            return ListedPaginator(*args, **options)
        return super().get_paginator(request, *args, **options)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """None of what is not there yet: their tables would be empty."""
        return super().get_inlines(request, obj) if obj else ()

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any
    ) -> HttpResponse | None:
        has_all = request.POST.get("select_across") == "1"
        is_bounded = request.POST.get("action") not in self.actions_on_any_number
        if has_all and is_bounded and is_too_many(queryset):
            chosen = f"more than {MAX_ACTION_ROWS:,} rows were chosen"
            message = f"Nothing was changed: {chosen}."
            self.message_user(request, message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset, *args)


def is_too_many(rows: QuerySet[Any]) -> bool:
    return rows.order_by()[: MAX_ACTION_ROWS + 1].count() > MAX_ACTION_ROWS


class Site(admin.AdminSite):
    site_url = "/api/docs"
    site_header = site_title = "Task API"
    # Its few links are on the index; the columns of the lists need the width.
    enable_nav_sidebar = False

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Rejects NUL in a query string, at which PostgreSQL would fail."""

        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **options: Any) -> Any:
            if "%00" in request.META["QUERY_STRING"]:
                raise BadRequest("NUL in the query string.")
            return view(request, *args, **options)

        return super().admin_view(checked, cacheable)

    def get_urls(self) -> list[Any]:
        # No model has a page to view on the site, and any other key is an error there.
        urls = super().get_urls()
        return [url for url in urls if getattr(url, "name", "") != "view_on_site"]

    def register(
        self, model_or_iterable: Any, admin_class: Any = None, **options: Any
    ) -> None:
        if admin_class:
            # Also for the models of other packages, such as the tokens of SimpleJWT.
            bases = admin_class, BoundedModelAdmin
            admin_class = type(admin_class.__name__, bases, {})
        super().register(model_or_iterable, admin_class or BoundedModelAdmin, **options)
