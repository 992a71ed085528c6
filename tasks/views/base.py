"""What the views of the caller's tasks share."""

from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.viewsets import GenericViewSet

from taskapi.api import caching
from taskapi.api.preconditions import Precondition, tags
from taskapi.api.views import StrictView
from tasks import operations
from tasks import serializers as s
from tasks.filters import TaskFilter
from tasks.models import Task, etag
from tasks.queries.list import VERSION, Row


@lru_cache
def validator(serializer: Any) -> Any:
    """One serializer for all requests: making its fields costs more than they do.

    Validation keeps nothing in them, so threads may share them.
    """
    return serializer()


def headers_of(row: Row) -> dict[str, str]:
    return caching.HEADERS | {"ETag": etag(row[VERSION])}


class TaskView(StrictView, GenericViewSet[Any]):
    """What the views of the caller's tasks share."""

    queryset: Any = Task.objects.none()  # names the model for the schema
    serializer_class: type[Any] = s.TaskSerializer
    lookup_url_kwarg = "id"
    filterset_class: type[TaskFilter] | None = None

    def accepted_parameters(self) -> list[str]:
        if self.action not in {"list", "history"}:
            return []
        narrowing = self.filterset_class if self.action == "list" else None
        filters = narrowing.base_filters if narrowing else {}
        return [*filters, *self.pages.parameters]

    @property
    def caller_id(self) -> UUID:
        return cast(UUID, self.request.user.pk)

    def author(self) -> operations.Author:
        request_id = self.request.META["HTTP_X_REQUEST_ID"]
        return operations.Author(
            self.caller_id, self.caller_id, request_id, timezone.now()
        )

    def perform(self, operation: operations.Operation) -> Task:
        return operations.perform_one(operation, self.author())

    def expected(self, version: int | None = None) -> Precondition:
        """What If-Match and the body's version expect."""
        return Precondition(tags(self.request._request, "If-Match"), version)

    def version(self) -> int | None:
        """The version of a body that may hold nothing else."""
        return self.valid(s.VersionOnly).get("version")

    def valid(self, serializer: type[Any]) -> dict[str, Any]:
        return dict(validator(cast(Any, serializer)).run_validation(self.request.data))

    def answer(self, data: Any, status: int = 200, **headers: str) -> HttpResponse:
        """Rendered at once: DRF's Response costs more, and `once` stores the text."""
        request = self.request
        body = request.accepted_renderer.render(data, request.accepted_media_type)
        return HttpResponse(
            body, content_type="application/json", status=status, headers=headers
        )

    def task_answer(self, row: Row, status: int = 200, **more: str) -> HttpResponse:
        return self.answer(s.represent(*row), status, **headers_of(row), **more)

    def page(self, queryset: Any) -> dict[str, Any]:
        rows = self.pages.paginate_queryset(queryset, self.request, view=self)
        items = self.get_serializer(rows, many=True).data
        envelope: dict[str, Any] = self.pages.envelope(items)
        return envelope

    @property
    def pages(self) -> Any:
        """The paginator: settings name its class."""
        return self.paginator
