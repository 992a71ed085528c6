"""`GET /api/people`."""

from typing import Any, cast
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api import scopes
from taskapi.api.openapi import EXAMPLE_USER_ID
from taskapi.api.views import BaseAPIView
from tasks import access
from tasks import serializers as s
from tasks.filters import ID

MAX_IDS = 100
IDS = OpenApiParameter(
    "ids",
    {
        "type": "array",
        # No format: Swagger UI looks for a component of such items.
        "items": {"type": "string", "pattern": f"^{ID.pattern}$"},
        "minItems": 1,
        "maxItems": MAX_IDS,
        "example": [EXAMPLE_USER_ID],
    },
    required=True,
    explode=False,
    style="form",
    description=f"Ids of accounts, separated by commas; at most {MAX_IDS}.",
)


class PeopleView(BaseAPIView):
    """The names of accounts, for those who share projects with them."""

    query_parameters = ("ids",)
    token_scopes = scopes.PROJECTS

    @extend_schema(
        operation_id="listPeople", parameters=[IDS], responses=s.PeopleSerializer
    )
    def get(self, request: Request) -> Response:
        """Look up the names of accounts by their ids."""
        ids = parse_ids(request.query_params.get("ids", ""))
        found = access.people(cast(Any, request.user), ids).only("id", "name")
        names = {each.pk: each.name for each in found}
        items = [{"id": pk, "name": names[pk]} for pk in ids if pk in names]
        return Response(s.PeopleSerializer({"items": items}).data)


def parse_ids(text: str) -> list[UUID]:
    """Each id once, in the order in which they were sent; ValidationError."""
    if not text:
        raise ValidationError({"ids": ["This field is required."]}, "required")
    given = text.split(",")
    if len(given) > MAX_IDS:
        raise ValidationError({"ids": [f"At most {MAX_IDS} ids."]}, "max_length")
    if not all(map(ID.fullmatch, given)):
        hint = "Not a comma-separated list of ids."
        raise ValidationError({"ids": [hint]}, "invalid")
    return [*dict.fromkeys(map(UUID, given))]
