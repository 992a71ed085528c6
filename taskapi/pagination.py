"""Pages by number, or by cursor through lists that change meanwhile."""

import hashlib
import json
import math
import re
from typing import Any, cast

from django.core import signing
from django.db.models import Model, OrderBy, Q, QuerySet
from django.db.models.fields.tuple_lookups import (
    Tuple,
    TupleGreaterThan,
    TupleLessThan,
)
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User

# Set once when the row is made, so a row cannot move while a walk goes by.
UNMOVING = {"created_at", "deleted_at", "version"}


class KeysetPagination(BasePagination):
    """`page` and `limit`, or `cursor` and `limit`.

    Takes a queryset ordered by one key and the id. A cursor holds the last row's key
    and id and the owner's revision at the start of the walk; it is signed and bound to
    the caller, the path and the filters. Rows that were written after the start are
    left out of a walk over a key that may change: they could have been shown already.
    """

    default_limit, max_limit = 20, 100
    parameters = ("page", "limit", "cursor")

    total: int | None
    page: int | None

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        self.request = request
        self.read_order(queryset)
        self.limit = whole(request, "limit", self.default_limit, self.max_limit)
        cursor = request.query_params.get("cursor")
        if cursor is None:
            return self.numbered(queryset)
        if "page" in request.query_params:
            raise ValidationError({"page": ["Send page or cursor, not both."]})
        return self.after(queryset, cursor)

    def read_order(self, queryset: QuerySet[Any]) -> None:
        term: Any = queryset.query.order_by[0]
        if isinstance(term, OrderBy):
            key: Any = term.expression
            self.key, self.descending = key.name, term.descending
        else:
            self.key, self.descending = term.lstrip("-"), term.startswith("-")
        self.field = queryset.model._meta.get_field(self.key)

    def numbered(self, queryset: QuerySet[Any]) -> list[Any]:
        self.page = whole(self.request, "page", 1, 10**9)
        self.start = cast(User, self.request.user).revision
        self.total = queryset.count()
        first = (self.page - 1) * self.limit
        # One row more tells whether there are more: the count may be older by a write.
        end = first + self.limit + 1
        return self.keep(list(queryset[first:end]) if first < self.total else [])

    def after(self, queryset: Any, cursor: str) -> list[Any]:
        self.page = self.total = None
        value, pk, self.start = self.open(cursor)
        if self.key not in UNMOVING:
            queryset = queryset.unmoved_since(self.start)
        rows: list[Any] = []
        for part in self.beyond(value, pk):
            rows += queryset.filter(part)[: self.limit + 1 - len(rows)]
        return self.keep(rows)

    def keep(self, rows: list[Any]) -> list[Any]:
        """The page out of rows that are one more than the page if there is another."""
        rows, more = rows[: self.limit], rows[self.limit :]
        self.next_cursor = self.seal(rows[-1]) if more else None
        return rows

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

    def seal(self, row: Model) -> str:
        value = (
            self.field.value_to_string(row)
            if getattr(row, self.key) is not None
            else None
        )
        return self.signer().sign_object(
            [value, str(row.pk), self.start], compress=True
        )

    def open(self, cursor: str) -> tuple[Any, Any, int]:
        try:
            value, pk, start = self.signer().unsign_object(cursor)
        except signing.BadSignature as error:
            message = "This cursor is not from a list of yours with these filters."
            raise ValidationError({"cursor": [message]}, "invalid") from error
        return self.field.to_python(value), pk, start

    def signer(self) -> signing.Signer:
        """Binds a cursor to who asked for what; the limit may change on the way.

        Signs no time: an unchanged page has the same cursor, and so the same ETag.
        """
        asked = self.request.query_params
        kept = sorted((k, v) for k, v in asked.items() if k not in self.parameters)
        bound = json.dumps([str(self.request.user.pk), self.request.path, kept])
        digest = hashlib.sha256(bound.encode()).hexdigest()
        return signing.Signer(salt=f"cursor:{digest}")

    def get_paginated_response(self, data: Any) -> Response:
        return Response(self.envelope(data))

    def envelope(self, items: Any) -> dict[str, Any]:
        total_pages = None if self.total is None else math.ceil(self.total / self.limit)
        return {
            "items": items,
            "total": self.total,
            "page": self.page,
            "totalPages": total_pages,
            "nextCursor": self.next_cursor,
        }

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        number = {"type": ["integer", "null"], "minimum": 0}
        properties = {
            "items": schema,
            "total": number,
            "page": number | {"minimum": 1},
            "totalPages": number,
            "nextCursor": {"type": ["string", "null"]},
        }
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        integer = {"type": "integer", "minimum": 1}
        schemas = {
            "page": integer | {"default": 1, "maximum": 10**9},
            "limit": integer
            | {"default": self.default_limit, "maximum": self.max_limit},
            "cursor": {"type": "string"},
        }
        return [
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in schemas.items()
        ]


def whole(request: Request, name: str, default: int, most: int) -> int:
    """A query parameter that is a whole number from 1 to `most`, in ASCII digits."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= most:
        raise ValidationError(
            {name: [f"Send a whole number from 1 to {most}."]}, "invalid"
        )
    return int(text)
