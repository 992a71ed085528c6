"""A task that recurs: skipped, and its next occurrences."""

from itertools import islice
from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api.headers import IF_MATCH, KEY
from taskapi.api.preconditions import BOTH
from taskapi.api.query_params import integer_parameter, parse_query
from tasks import access, operations
from tasks import serializers as s
from tasks.fields import get_values
from tasks.operations.series import preview
from tasks.views.base import TaskView

DEFAULT_LIMIT, MAX_LIMIT = 20, 100
LIMIT = OpenApiParameter(
    "limit",
    {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_LIMIT,
        "default": DEFAULT_LIMIT,
        "example": 5,
    },
    description="How many are wanted.",
)


class RecurrenceViewSet(TaskView):
    """The series of a task."""

    preconditions: ClassVar[dict[str, frozenset[str]]] = {"skip": BOTH}

    def accepted_parameters(self) -> list[str]:
        return ["limit"] if self.action == "occurrences" else []

    @extend_schema(
        operation_id="skipTask",
        parameters=[IF_MATCH, KEY],
        request=s.VersionSerializer,
        responses={200: s.TaskSerializer, 409: None, 412: None, 422: None},
    )
    def skip(self, request: Request, id: UUID) -> HttpResponse:
        """Move a task that recurs to its next occurrence, without completing it."""
        skip = operations.Skip(id=id, expects=self.precondition(self.version()))
        return self.once(lambda: self.task_response(get_values(self.perform(skip))))

    @extend_schema(
        operation_id="listTaskOccurrences",
        parameters=[LIMIT],
        responses=s.OccurrencesSerializer,
    )
    def occurrences(self, request: Request, id: UUID) -> Response:
        """Preview when a task comes again."""
        sent = parse_query(request.META.get("QUERY_STRING", ""))
        limit = integer_parameter(sent, "limit", DEFAULT_LIMIT, MAX_LIMIT)
        task, _ = access.get_task(cast(Any, request.user), id)
        if task.deleted_at:
            raise access.TaskNotFound
        found = islice(preview(task, timezone.now()), limit)
        items = [{"dueDate": occurrence.at} for occurrence in found]
        return Response(s.OccurrencesSerializer({"items": items}).data)
