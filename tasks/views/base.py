"""What the views of tasks share."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, cast

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.viewsets import GenericViewSet

from taskapi.api import scopes
from taskapi.api.caching import CACHE_HEADERS
from taskapi.api.idempotency import idempotent
from taskapi.api.preconditions import IF_MATCH, Precondition, entity_tags
from taskapi.api.views import BaseAPIView
from tasks import access, operations
from tasks import serializers as s
from tasks.fields import COLUMNS, task_to_dict
from tasks.filters import TaskFilter
from tasks.models import Task, TaskQuerySet, etag


@lru_cache
def validator(serializer: Any) -> Any:
    """One serializer for all requests: making its fields costs more than using them.

    Validation stores nothing in it, so threads may share it.
    """
    return serializer()


def etag_of(row: Sequence[Any]) -> str:
    return etag(row[COLUMNS.index("version")])


class SpaceView(BaseAPIView, GenericViewSet[Any]):
    """A view of what is in spaces: projects, tasks, labels."""

    lookup_url_kwarg = "id"

    def context(self) -> operations.ActorContext:
        user = cast(Any, self.request.user)
        request_id = self.request.META["HTTP_X_REQUEST_ID"]
        return operations.ActorContext(
            user.pk,
            user.pk,
            request_id,
            timezone.now(),
            reads_projects=user.reads_projects,
            project_ids=user.project_ids,
            has_webhooks=user.has_webhooks,
        )

    def precondition(self, version: int | None = None) -> Precondition:
        """If-Match, If-None-Match and the body's version."""
        return Precondition.from_request(self.request._request, version)

    def version(self) -> int | None:
        """The version of a body that may hold nothing else.

        `null` is no body: openapi-generator's Java client sends it for one.
        """
        if self.request.data is None:
            return None
        return self.validate(s.VersionSerializer).get("version")

    def validate(self, serializer: type[Any]) -> dict[str, Any]:
        return dict(validator(cast(Any, serializer)).run_validation(self.request.data))

    def json_response(
        self, data: Any, status: int = 200, **headers: str
    ) -> HttpResponse:
        """Rendered at once: it is cheaper than DRF's, and idempotency stores it."""
        request = self.request
        body = request.accepted_renderer.render(data, request.accepted_media_type)
        return HttpResponse(
            body, content_type="application/json", status=status, headers=headers
        )

    def page(self, queryset: Any) -> dict[str, Any]:
        rows = self.pages.paginate_queryset(queryset, self.request, view=self)
        items = self.get_serializer(rows, many=True).data
        envelope: dict[str, Any] = self.pages.envelope(items)
        return envelope

    def history_page(self, changes: Any) -> dict[str, Any]:
        envelope = self.page(changes)
        s.hide_erased(envelope["items"], cast(Any, self.request.user).pk)
        return envelope

    # The paginator, whose class the settings name.
    pages: Any = GenericViewSet.paginator


class TaskView(SpaceView):
    """A view of the tasks that the user may see."""

    queryset: Any = Task.objects.none()  # names the model for the schema
    serializer_class: type[Any] = s.TaskSerializer
    token_scopes = scopes.TASKS
    filterset_class: type[TaskFilter] | None = None

    def get_queryset(self) -> TaskQuerySet:
        return access.visible_to(cast(Any, self.request.user)).live()

    def accepted_parameters(self) -> list[str]:
        if self.action == "stats":
            return [name for name in TaskFilter.base_filters if name != "sort"]
        if self.action not in {"list", "history"}:
            return []
        declared = self.filterset_class if self.action == "list" else None
        filters = declared.base_filters if declared else {}
        return [*filters, *self.pages.parameters]

    def perform(self, operation: operations.Operation) -> Task:
        return operations.perform_one(operation, self.context())

    def require_match(self, row: Sequence[Any]) -> None:
        """If-Match of a request that reads; If-None-Match may yield 304."""
        if tags := entity_tags(self.request._request, IF_MATCH):
            Precondition(tags).require(etag_of(row), task_to_dict(row))

    def task_response(
        self, row: Sequence[Any], status: int = 200, **headers: str
    ) -> HttpResponse:
        headers |= CACHE_HEADERS | {"ETag": etag_of(row)}
        return self.json_response(task_to_dict(row), status, **headers)

    def once(self, write: Callable[[], HttpResponse]) -> HttpResponse:
        """`idempotent`, but a stored response is for those who may see its tasks."""
        return idempotent(self.request, write, self.require_shown)

    def require_shown(self, body: Any) -> None:
        results = body.get("results", [{"task": body}])
        shown = [each["task"] for each in results if each["task"]]
        access.require_shown(cast(Any, self.request.user), shown)
