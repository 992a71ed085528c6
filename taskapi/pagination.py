"""Pages by number, or by cursor through lists that change meanwhile."""

import hashlib
import json
import math
import re
from typing import Any, cast

from django.core import signing
from django.db.models import Model, OrderBy, Q, QuerySet
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
        rows = list(queryset[first : first + self.limit]) if first < self.total else []
        return self.keep(rows, more=first + len(rows) < self.total)

    def after(self, queryset: Any, cursor: str) -> list[Any]:
        self.page = self.total = None
        value, pk, self.start = self.open(cursor)
        if self.key not in UNMOVING:
            queryset = queryset.unmoved_since(self.start)
        queryset = queryset.filter(self.beyond(value, pk))
        rows = list(queryset[: self.limit + 1])
        return self.keep(rows[: self.limit], more=len(rows) > self.limit)

    def keep(self, rows: list[Any], *, more: bool) -> list[Any]:
        self.next_cursor = self.seal(rows[-1]) if more and rows else None
        return rows

    def beyond(self, value: Any, pk: Any) -> Q:
        """What comes after a row in this order, nulls last."""
        than = "lt" if self.descending else "gt"
        tie = Q(**{self.key: value, f"id__{than}": pk})
        if value is None:
            return tie
        after = Q(**{f"{self.key}__{than}": value}) | tie
        return after | Q(**{self.key: None}) if self.field.null else after

    def seal(self, row: Model) -> str:
        value = (
            self.field.value_to_string(row)
            if getattr(row, self.key) is not None
            else None
        )
        return signing.dumps([value, str(row.pk), self.start], salt=self.salt())

    def open(self, cursor: str) -> tuple[Any, Any, int]:
        try:
            value, pk, start = signing.loads(cursor, salt=self.salt())
        except signing.BadSignature as error:
            message = "This cursor is not from a list of yours with these filters."
            raise ValidationError({"cursor": [message]}, "invalid") from error
        return self.field.to_python(value), pk, start

    def salt(self) -> str:
        """Binds a cursor to who asked for what; the limit may change on the way."""
        asked = self.request.query_params
        kept = sorted((k, v) for k, v in asked.items() if k not in self.parameters)
        bound = json.dumps([str(self.request.user.pk), self.request.path, kept])
        return "cursor:" + hashlib.sha256(bound.encode()).hexdigest()

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
