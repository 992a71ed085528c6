"""Pages by number, or by cursor through lists that change meanwhile."""

import hashlib
import json
import math
import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleLessThan,
)
from django.http import QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.views import APIView

from taskapi.api.query_params import parameters, query_of

# Set once when the row is made, so a row cannot move while a walk goes by.
UNMOVING = {"created_at", "deleted_at", "version"}
# What django.core.signing writes, for those who describe it; opaque to clients.
CURSOR = r"^\.?[A-Za-z0-9_-]+:[A-Za-z0-9_-]{43}$"


class KeysetPagination(BasePagination):
    """`page` and `limit`, or `cursor` and `limit`.

    Takes rows ordered by one key and the id. A cursor holds the last row's key and id
    and the owner's revision at the start of the walk; it is signed and bound to the
    caller, the path and the filters. Rows that were written after the start are left
    out of a walk over a key that may change: they could have been shown already.
    """

    default_limit, max_limit = 20, 100
    # Counting is the one part of a page whose cost grows with what there is.
    most_counted = 10_000
    parameters = ("page", "limit", "cursor")

    page: int | None
    position: tuple[Any, UUID, int] | None
    found: int | None = None
    # Whether `found` are all there are, or only those that were come by.
    is_whole = True
    next_cursor: str | None = None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        caller: Any = request.user
        self.begin(request, caller.pk, queryset.model, *order_of(queryset))
        if self.position:
            rows = self.after(queryset, *self.position)
        else:
            # One more tells that there are more.
            self.found = queryset[: self.most_counted + 1].count()
            rows = list(queryset[self.offset : self.offset + self.limit + 1])
        return self.keep(rows, caller.revision, attrgetter(self.key, "pk"))

    def begin(
        self,
        request: Request,
        owner_id: UUID,
        model: type[Model],
        key: str,
        descending: bool,
    ) -> None:
        """Read what page is asked for; a cursor's `position` is (value, id, start)."""
        self.path, self.owner_id = request._request.path, owner_id
        self.query = query_of(request)
        self.key, self.descending = key, descending
        self.field: Any = model._meta.get_field(key)
        self.pk: Any = model._meta.pk
        self.limit, self.page, cursor = asked_page(
            self.query, self.default_limit, self.max_limit
        )
        self.position = None if cursor is None else self.open(cursor)
        self.offset = (self.page - 1) * self.limit if self.page else 0

    def after(self, queryset: Any, value: Any, pk: UUID, start: int) -> list[Any]:
        if not self.is_unmoving:
            queryset = queryset.unmoved_since(start)
        rows: list[Any] = []
        for part in self.beyond(value, pk):
            rows += queryset.filter(part)[: self.limit + 1 - len(rows)]
        return rows

    @property
    def is_unmoving(self) -> bool:
        return self.key in UNMOVING

    def beyond(self, value: Any, pk: Any) -> list[Any]:
        """What comes after a row in this order: first what has the key, then nulls.

        As (key, id) against the row's, so that an index starts right there.
        """
        than = TupleLessThan if self.descending else TupleGreaterThan
        nulls = Q(**{self.key: None})
        if value is None:
            return [nulls & Q(**{f"id__{'lt' if self.descending else 'gt'}": pk})]
        after = than(Tuple(self.key, "id"), (value, pk))
        return [after, nulls] if self.field.null else [after]

    def keep(
        self, rows: list[Any], revision: int, place: Callable[[Any], tuple[Any, Any]]
    ) -> list[Any]:
        """The page out of rows that are one more than the page if there is another;
        `place` tells a row's key and id.
        """
        rows, more = rows[: self.limit], rows[self.limit :]
        if more:
            start = self.position[2] if self.position else revision
            self.next_cursor = self.seal(*place(rows[-1]), start)
        return rows

    def seal(self, value: Any, pk: Any, start: int) -> str:
        is_time = isinstance(value, datetime)
        text = value.isoformat() if is_time else None if value is None else str(value)
        return self.signer().sign_object([text, str(pk), start], compress=True)

    def open(self, cursor: str) -> tuple[Any, UUID, int]:
        try:
            value, pk, start = self.signer().unsign_object(cursor)
        except signing.BadSignature as error:
            message = "This cursor is not from a list of yours with these filters."
            raise ValidationError({"cursor": [message]}, "invalid") from error
        return self.field.to_python(value), self.pk.to_python(pk), start

    def signer(self) -> signing.Signer:
        """Binds a cursor to who asked for what; the limit may change on the way.

        Signs no time: an unchanged page has the same cursor, and so the same ETag.
        """
        asked = parameters(self.query).items()
        kept = sorted((k, v) for k, v in asked if k not in self.parameters)
        bound = json.dumps([str(self.owner_id), self.path, kept])
        digest = hashlib.sha256(bound.encode()).hexdigest()
        return signing.Signer(salt=f"cursor:{digest}")

    def envelope(self, items: Any) -> dict[str, Any]:
        found, most = self.found, self.most_counted
        total = None if found is None else min(found, most)
        return {
            "items": items,
            "total": total,
            "totalIsExact": None if found is None else self.is_whole and found <= most,
            "page": self.page,
            "totalPages": None if total is None else math.ceil(total / self.limit),
            "nextCursor": self.next_cursor,
        }

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        number = {"type": ["integer", "null"], "minimum": 0}
        properties = {
            "items": schema | {"maxItems": self.max_limit},
            "total": number
            | {"maximum": self.most_counted, "description": "None with a cursor."},
            "totalIsExact": {
                "type": ["boolean", "null"],
                "description": "False where there may be more than are counted: beyond "
                "10,000, and in a search (`q`) that fills its page early.",
            },
            "page": number | {"minimum": 1},
            "totalPages": number,
            "nextCursor": {"type": ["string", "null"], "pattern": CURSOR},
        }
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        integer = {"type": "integer", "minimum": 1}
        schemas = {
            # No default: generated clients would send it along with a cursor.
            "page": integer | {"maximum": 10**9},
            "limit": integer
            | {"default": self.default_limit, "maximum": self.max_limit},
            "cursor": {"type": "string", "pattern": CURSOR},
        }
        descriptions = {
            "page": "Which page, 1 if you do not say; not with `cursor`.",
            "limit": "How many items a page has.",
            "cursor": "`nextCursor` of the page before, with the same filters.",
        }
        return [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": descriptions[name],
                "schema": schema,
            }
            for name, schema in schemas.items()
        ]


def order_of(queryset: QuerySet[Any]) -> tuple[str, bool]:
    """The key that a queryset is sorted by, and whether descending."""
    term: Any = queryset.query.order_by[0]
    return term.lstrip("-"), term.startswith("-")


@lru_cache(maxsize=1024)
def asked_page(
    query: str, default: int, most: int
) -> tuple[int, int | None, str | None]:
    """Limit, page and cursor of a query string: a page or a cursor; ValidationError."""
    sent = parameters(query)
    limit, cursor = whole(sent, "limit", default, most), sent.get("cursor")
    if cursor is None:
        return limit, whole(sent, "page", 1, 10**9), None
    if "page" in sent:
        raise ValidationError({"page": ["Send page or cursor, not both."]})
    return limit, None, cursor


def whole(sent: QueryDict, name: str, default: int, most: int) -> int:
    """A parameter that is a whole number from 1 to `most`, in ASCII digits."""
    text = sent.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= most:
        raise ValidationError(
            {name: [f"Send a whole number from 1 to {most}."]}, "invalid"
        )
    return int(text)
