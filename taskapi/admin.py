"""An admin whose lists cost the same however many rows there are."""

from functools import cached_property
from math import ceil
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
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
