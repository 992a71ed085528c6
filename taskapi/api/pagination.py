"""Pages by number, or by cursor through lists that change meanwhile."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, cast
from uuid import UUID

from django.db.models import CharField, F, Model, Q, QuerySet
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleLessThan,
)
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.views import APIView

from taskapi.api.query_params import integer_parameter, parse_query
from taskapi.api.sealed import BadSealError, seal, unseal
from taskapi.db.text import BytewiseCharField, Fold, literal

# Set once when the row is made, so a row does not move during a walk.
IMMUTABLE_KEYS = {"created_at", "deleted_at", "version", "id"}
# Counting is the one part of a page whose cost grows with the number of rows.
MAX_COUNT = 10_000
# A sealed text, with a colon before its last TAIL characters, for the OpenAPI
# description: it was a signature once, and generated clients check the pattern.
CURSOR = r"^\.?[A-Za-z0-9_-]+:[A-Za-z0-9_-]{43}$"
TAIL = 43
ID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
lower_ids = partial(ID.sub, lambda found: found[0].lower())
EXAMPLE_CURSOR = "WyIyMDI2LTEyLTAxIl0:sJ0t5mQ2m1dKx9c7r3vB8nYw4zLpE6uHfGaTqXiOk0Z"
# Value of the sort key, id, and the owner's revision at the start of the walk, or those
# of several owners.
Position = tuple[Any, UUID, Any]


class KeysetPagination(BasePagination):
    """`page` and `limit`, or `cursor` and `limit`.

    Takes rows ordered by one key and the id. A cursor holds the last row's key and id
    and the owner's revision at the start of the walk; it is sealed, since revisions of
    others would tell how much they do, and bound to the principal, the path and the
    filters. Rows that were written after the start are left out of a walk over a
    mutable key: they could have been shown already.
    """

    default_limit, max_limit = 20, 100
    max_count = MAX_COUNT
    parameters = ("page", "limit", "cursor")
    # Parameters with values that mean the same as if they were absent.
    defaults: Mapping[str, str] = {}

    page: int | None
    position: Position | None
    total: int | None = None
    # Whether `total` is all there are, or only those that a search came upon.
    is_complete = True
    next_cursor: str | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        self.parse(request, queryset.model, *sort_key(queryset))
        if self.position:
            rows = self.rows_after(queryset, *self.position)
        else:
            # One more row, to know whether there are more.
            self.total = queryset[: self.max_count + 1].count()
            rows = list(queryset[self.offset : self.offset + self.limit + 1])
        return self.trim(rows, self.get_start(request), attrgetter(self.key, "pk"))

    def get_start(self, request: Request) -> Any:
        """What a cursor holds of the start of a walk."""
        user: Any = request.user
        return user.revision

    def not_modified_since(self, queryset: Any, start: Any) -> Any:
        return not_modified_since(queryset, self.key, start)

    def parse(
        self, request: Request, model: type[Model], key: str, descending: bool
    ) -> None:
        """Read which page is asked for; ValidationError."""
        user: Any = request.user
        self.path, self.user_id = request._request.path, user.pk
        self.principal = user.token_id or user.pk
        self.query = request.META.get("QUERY_STRING", "")
        self.key, self.descending = key, descending
        self.field: Any = model._meta.get_field(key)
        self.pk: Any = model._meta.pk
        defaults = frozenset(self.defaults.items())
        self.question = self.principal, self.path, self.query, defaults, self.field
        self.limit, self.page, cursor = parse_page(
            self.query, self.default_limit, self.max_limit
        )
        self.position = None if cursor is None else self.decode_cursor(cursor)
        self.offset = (self.page - 1) * self.limit if self.page else 0

    def rows_after(self, queryset: Any, value: Any, pk: UUID, start: Any) -> list[Any]:
        rows: list[Any] = []
        for part in keyset_filters(self.field, self.descending, value, pk):
            wanted = self.limit + 1 - len(rows)
            rows += self.not_modified_since(queryset, start).filter(part)[:wanted]
        return rows

    def trim(
        self,
        rows: Sequence[Any],
        revision: Any,
        get_position: Callable[[Any], tuple[Any, Any]],
    ) -> list[Any]:
        """The page out of rows that are one more than the page if there is another;
        `get_position` returns a row's key and id.
        """
        page = list(rows[: self.limit])
        if len(rows) > self.limit:
            start = self.position[2] if self.position else revision
            self.next_cursor = self.encode_cursor(*get_position(page[-1]), start)
        return page

    def encode_cursor(self, value: Any, pk: Any, revision: Any) -> str:
        is_time = isinstance(value, datetime)
        text = value.isoformat() if is_time else None if value is None else str(value)
        # The word makes the text longer than TAIL, however short the values are.
        sealed = seal([text, str(pk), revision, "cursor"], bound_to(*self.question))
        return f"{sealed[:-TAIL]}:{sealed[-TAIL:]}"

    def decode_cursor(self, cursor: str) -> Position:
        try:
            value, pk, revision, _ = unseal(
                cursor.replace(":", ""), bound_to(*self.question)
            )
        except BadSealError as error:
            message = "This cursor is not from a list of yours with these filters."
            raise ValidationError({"cursor": [message]}, "invalid") from error
        return self.field.to_python(value), self.pk.to_python(pk), revision

    def envelope(self, items: Any) -> dict[str, Any]:
        total = None if self.total is None else min(self.total, self.max_count)
        is_exact = self.total == total and self.is_complete
        return {
            "items": items,
            "total": total,
            "totalIsExact": None if total is None else is_exact,
            "page": self.page,
            "totalPages": None if total is None else math.ceil(total / self.limit),
            "nextCursor": self.next_cursor,
        }

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        number = {"type": ["integer", "null"], "minimum": 0}
        properties = {
            "items": schema | {"maxItems": self.max_limit},
            "total": number | {"maximum": self.max_count},
            "totalIsExact": {"type": ["boolean", "null"]},
            "page": number | {"minimum": 1},
            "totalPages": number,
            "nextCursor": {"type": ["string", "null"], "pattern": CURSOR},
        }
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": True,
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        integer = {"type": "integer", "minimum": 1}
        limit = {"default": self.default_limit, "maximum": self.max_limit}
        return [
            # No default: generated clients would send it along with a cursor.
            parameter(
                "page",
                "The page number; 1 by default, not with `cursor`.",
                integer | {"maximum": 10**9, "example": 1},
            ),
            parameter(
                "limit",
                "The number of items on a page.",
                integer | limit | {"example": 50},
            ),
            parameter(
                "cursor",
                "`nextCursor` of the previous page, with the same filters.",
                {"type": "string", "pattern": CURSOR, "example": EXAMPLE_CURSOR},
            ),
        ]


def parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def sort_key(queryset: QuerySet[Any]) -> tuple[str, bool]:
    """The key that a queryset is ordered by, and whether descending."""
    term: Any = queryset.query.order_by[0]
    if isinstance(term, str):
        return term.lstrip("-"), term.startswith("-")
    [field] = [each for each in term.flatten() if isinstance(each, F)]
    name: str = cast(Any, field).name
    return name, term.descending


def keyset_filters(field: Any, descending: bool, value: Any, pk: Any) -> list[Any]:
    """The rows after a row in this order, in parts: first those with a key, then nulls.

    (key, id) is compared with the row's, so that an index scan starts there.
    """
    has_no_key = Q(**{field.name: None})
    if value is None:
        return [has_no_key & Q(**{f"id__{'lt' if descending else 'gt'}": pk})]
    key: Any = field.name
    if is_folded(field):
        key, value = Fold(key), Fold(literal(value))
    rest = after((key, "id"), descending, value, pk)
    return [rest, has_no_key] if field.null else [rest]


def after(names: tuple[Any, str], descending: bool, value: Any, pk: Any) -> Any:
    """Whether two columns, or expressions, come after these values in this order."""
    is_after: Any = TupleLessThan if descending else TupleGreaterThan
    return is_after(Tuple(*names), (value, pk))


def is_folded(field: Any) -> bool:
    return isinstance(field, CharField) and not isinstance(field, BytewiseCharField)


def not_modified_since(queryset: Any, key: str, revision: Any) -> Any:
    """Without the rows that a walk over a mutable key could meet twice."""
    if key in IMMUTABLE_KEYS:
        return queryset
    return queryset.filter(revision__lte=revision)


@lru_cache(maxsize=256)
def bound_to(
    principal: Any,
    path: str,
    query: str,
    defaults: frozenset[tuple[str, str]],
    field: Any,
) -> str:
    """What a cursor is bound to: the principal and the question; the limit may change
    on the way, and the spelling of defaults and ids.
    """
    sent = parse_query(query).items() - dict(defaults).items()
    filters = sorted(
        (k, lower_ids(str(v))) for k, v in sent if k not in KeysetPagination.parameters
    )
    # Texts were once in another order: those cursors would skip rows.
    order = ["folded"] if is_folded(field) else []
    return f"cursor {json.dumps([str(principal), lower_ids(path), filters, *order])}"


@lru_cache(maxsize=1024)
def parse_page(
    query: str, default: int, maximum: int
) -> tuple[int, int | None, str | None]:
    """Limit, and page or cursor, of a query string; ValidationError."""
    sent = parse_query(query)
    limit = integer_parameter(sent, "limit", default, maximum)
    cursor = sent.get("cursor")
    if cursor is None:
        return limit, integer_parameter(sent, "page", 1, 10**9), None
    if "page" in sent:
        raise ValidationError({"page": ["Send page or cursor, not both."]})
    return limit, None, cursor
