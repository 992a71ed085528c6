from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api.headers import IF_MATCH
from taskapi.api.preconditions import BOTH
from tasks import access, operations
from tasks import serializers as s
from tasks.models import TaskQuerySet
from tasks.views.base import TaskView


class TrashViewSet(TaskView):
    """The user's deleted tasks, kept for TRASH_RETENTION_DAYS."""

    serializer_class = s.TrashedTaskSerializer
    preconditions: ClassVar[dict[str, frozenset[str]]] = {"destroy": BOTH}

    def get_queryset(self) -> TaskQuerySet:
        trash = access.visible_to(self.request.user).trashed()
        return trash.order_by("-deleted_at", "-id")

    @extend_schema(operation_id="listTrash")
    def list(self, request: Request) -> Response:
        """List the trash, the last deleted first."""
        return Response(self.page(self.get_queryset()))

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
