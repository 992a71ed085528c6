"""Where a task is: moved in its space, copied into any project."""

from typing import ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from taskapi.api.headers import IF_MATCH, KEY
from taskapi.api.preconditions import BOTH
from tasks import operations
from tasks import serializers as s
from tasks.fields import get_values
from tasks.views.base import TaskView


class PlacementViewSet(TaskView):
    """The place of a task among others."""

    preconditions: ClassVar[dict[str, frozenset[str]]] = {"move": BOTH}

    @extend_schema(
        operation_id="moveTask",
        parameters=[IF_MATCH, KEY],
        request=s.TaskMoveSerializer,
        responses={200: s.TaskSerializer, 409: None, 412: None, 422: None},
    )
    def move(self, request: Request, id: UUID) -> HttpResponse:
        """Put a task into another project, under a parent, or beside a sibling."""
        return self.once(lambda: self.move_once(id))

    def move_once(self, id: UUID) -> HttpResponse:
        values = self.validate(s.TaskMoveSerializer)
        expects = self.precondition(values.pop("version", None))
        task = self.perform(s.make_move(values, id, expects))
        return self.task_response(get_values(task))

    @extend_schema(
        operation_id="copyTask",
        parameters=[KEY],
        request=s.TaskCopySerializer,
        responses={201: s.TaskSerializer, 403: None, 409: None, 422: None},
    )
    def copy(self, request: Request, id: UUID) -> HttpResponse:
        """Make a copy of a task and its subtasks in a project."""
        return self.once(lambda: self.copy_once(id))

    def copy_once(self, id: UUID) -> HttpResponse:
        values = self.validate(s.TaskCopySerializer)
        task = self.perform(operations.Copy(values, id))
        location = f"/api/tasks/{task.pk}"
        return self.task_response(get_values(task), 201, Location=location)
