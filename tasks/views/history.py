from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tasks import access
from tasks import serializers as s
from tasks.models import TaskChange
from tasks.views.base import TaskView


class HistoryViewSet(TaskView):
    """The history of a task, live or deleted."""

    queryset = TaskChange.objects.none()
    serializer_class = s.TaskChangeSerializer

    @extend_schema(
        operation_id="listTaskHistory", responses=s.TaskChangeSerializer(many=True)
    )
    def history(self, request: Request, id: UUID) -> Response:
        """List the changes of a task, the last one first."""
        task = access.get_task(request.user, id)
        return Response(self.page(task.changes.order_by("-version", "-id")))
