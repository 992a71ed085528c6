"""`GET /api/changes`."""

from typing import Any, cast

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api import scopes
from taskapi.api.caching import CACHE_HEADERS
from taskapi.api.query_params import integer_parameter, parse_query
from taskapi.api.sealed import SEALED
from taskapi.api.views import BaseAPIView
from tasks import serializers as s
from tasks.sync.rounds import Round
from tasks.sync.state import State

DEFAULT_LIMIT, MAX_LIMIT = 100, 500
EXAMPLE_SINCE = "yOSxgAwAAQABAAsJ0t5mQ2m1dKx9c7r3vB8nYw4zLpE6uHfGaTqXiOk0Z"
SINCE = OpenApiParameter(
    "since",
    {"type": "string", "pattern": SEALED, "example": EXAMPLE_SINCE},
    description="`nextToken` of the previous response; without it, all there is.",
)
LIMIT = OpenApiParameter(
    "limit",
    {
        **{"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
        **{"default": DEFAULT_LIMIT, "example": MAX_LIMIT},
    },
    description="The most items of a response.",
)


class ChangesView(BaseAPIView):
    """What changed, for programs that keep a copy."""

    query_parameters = ("since", "limit")
    token_scopes = scopes.CHANGES

    @extend_schema(
        operation_id="listChanges",
        parameters=[SINCE, LIMIT],
        responses={200: s.ChangesSerializer, 410: None},
    )
    def get(self, request: Request) -> Response:
        """Follow changes: everything at first, and then what changed since."""
        user = cast(Any, request.user)
        principal_id, now = user.token_id or user.pk, timezone.now()
        sent = parse_query(request.META.get("QUERY_STRING", ""))
        limit = integer_parameter(sent, "limit", DEFAULT_LIMIT, MAX_LIMIT)
        since = sent.get("since")
        state = State.decode(since, principal_id) if since else State.new(now)
        page = Round(user, state, limit)
        has_more = page.read(now)
        body = {
            "items": page.items,
            "nextToken": page.state.encode(principal_id),
            "hasMore": has_more,
        }
        return Response(body, headers=CACHE_HEADERS)
