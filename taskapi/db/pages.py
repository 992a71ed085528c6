"""Rows in pages that are bounded by bytes, for whoever sends them on.

A row may have a few bytes or thousands of times as many, so a page of many rows is no
bound for memory. Not with a cursor: it would keep a transaction open for a slow reader,
and does not work behind PgBouncer.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from django.db.models import BigIntegerField, Func, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

MAX_PAGE_BYTES = 128 * 1024
MAX_PAGE_ROWS = 500

Key = TypeVar("Key")


class OctetLength(Func):
    """The bytes of a column as text, in UTF-8."""

    function = "OCTET_LENGTH"
    template = "%(function)s((%(expressions)s)::text)"
    output_field = BigIntegerField()

    def as_sqlite(self, *args: Any, **options: Any) -> Any:
        # OCTET_LENGTH came with SQLite 3.43.
        options["template"] = "LENGTH(CAST(%(expressions)s AS BLOB))"
        return self.as_sql(*args, **options)


def octets(*columns: str) -> Combinable:
    """How many bytes these columns of a row have together."""
    first, *others = [Coalesce(OctetLength(column), 0) for column in columns]
    return sum(others, start=first)


def in_pages(
    rows: QuerySet[Any],
    size: Combinable,
    *,
    key: str = "pk",
    max_rows: int = MAX_PAGE_ROWS,
) -> Iterator[list[Any]]:
    """Yield all rows by a unique key, ascending or (`-key`) descending.

    The sizes of up to `max_rows` rows are read first, and then the rows in pages of
    MAX_PAGE_BYTES, or of one row that is larger.
    """
    name, order = key.removeprefix("-"), "lt" if key.startswith("-") else "gt"
    sized = rows.order_by(key).annotate(page_octets=size)
    sized_values = sized.values_list(name, "pk", "page_octets")
    found = list(sized_values[:max_rows])
    while found:
        for pks in split((pk, octets) for _, pk, octets in found):
            yield fetch(rows, pks)
        after = {f"{name}__{order}": found[-1][0]}
        found = list(sized_values.filter(**after)[:max_rows])


def split(sized: Iterable[tuple[Key, int]]) -> Iterator[list[Key]]:
    """Group keys of rows with their sizes into pages, in order."""
    page: list[Key] = []
    room = MAX_PAGE_BYTES
    for key, size in sized:
        if page and (size > room or len(page) == MAX_PAGE_ROWS):
            yield page
            page, room = [], MAX_PAGE_BYTES
        page.append(key)
        room -= size
    if page:
        yield page


def fetch(rows: QuerySet[Any], pks: list[Any]) -> list[Any]:
    """Those of the rows that are still there, in the order of the keys."""
    found = rows.order_by().in_bulk(pks)
    return [found[pk] for pk in pks if pk in found]
