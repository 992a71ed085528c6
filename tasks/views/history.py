from typing import Any, cast
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
        task, project = access.get_task(cast(Any, request.user), id)
        changes = task.changes.order_by("-version", "-id")
        if access.sees_all_history(cast(Any, request.user), project):
            return Response(self.history_page(changes))
        page = self.history_page(changes.filter(version__gte=task.project_version))
        s.hide_past(page["items"], task.project_version)
        return Response(page)
