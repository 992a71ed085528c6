from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api.caching import CACHE_HEADERS, not_modified
from taskapi.api.headers import IF_MATCH, IF_NONE_MATCH
from taskapi.api.preconditions import BOTH
from tasks import access, operations
from tasks import serializers as s
from tasks.fields import get_values
from tasks.models import TaskQuerySet
from tasks.views.base import TaskView


class TrashViewSet(TaskView):
    """The user's deleted tasks, kept for TRASH_RETENTION_DAYS."""

    serializer_class = s.TrashedTaskSerializer
    preconditions: ClassVar[dict[str, frozenset[str]]] = {
        "retrieve": BOTH,
        "destroy": BOTH,
    }

    def get_queryset(self) -> TaskQuerySet:
        return access.trash_of(cast(Any, self.request.user)).order_by(
            "-deleted_at", "-id"
        )

    @extend_schema(operation_id="listTrash")
    def list(self, request: Request) -> Response:
        """List the trash, the last deleted first."""
        return Response(self.page(self.get_queryset()))

    @extend_schema(operation_id="emptyTrash", responses={202: None})
    def empty(self, request: Request) -> Response:
        """Remove everything that is in the trash now for good."""
        self.validate(s.EmptySerializer)
        operations.empty_trash(self.context())
        return Response(status=202)

    @extend_schema(
        operation_id="getTrashedTask",
        parameters=[IF_MATCH, IF_NONE_MATCH],
        responses={200: s.TrashedTaskSerializer, 304: None, 412: None},
    )
    def retrieve(self, request: Request, id: UUID) -> HttpResponse:
        """Get a task in the trash; If-None-Match answers 304 while it is unchanged."""
        task = access.get_trashed(cast(Any, request.user), id)
        self.require_match(get_values(task))
        if response := not_modified(request, task.etag):
            return response
        body = self.get_serializer(task).data
        headers = CACHE_HEADERS | {"ETag": task.etag}
        return self.json_response(body, 200, **headers)

    @extend_schema(
        operation_id="destroyTask",
        parameters=[IF_MATCH],
        responses={204: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID) -> Response:
        """Remove a trashed task and its history for good.

        A body `{"version": 3}` is a precondition, as If-Match is.
        """
        operations.purge(id, self.precondition(self.version()), self.context())
        return Response(status=204)
