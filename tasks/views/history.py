from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tasks import serializers as s
from tasks.models import Change, Task
from tasks.views.base import TaskView


class HistoryViewSet(TaskView):
    """What happened to one of the caller's tasks, live or in the trash."""

    queryset = Change.objects.none()
    serializer_class = s.ChangeSerializer

    @extend_schema(
        operation_id="listTaskHistory", responses=s.ChangeSerializer(many=True)
    )
    def history(self, request: Request, id: UUID) -> Response:
        """List the changes of a task, the last one first."""
        task = Task.objects.get(pk=id).readable_by(self.caller_id)
        return Response(self.page(task.changes.order_by("-version", "-id")))
