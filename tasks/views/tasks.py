"""`/api/tasks` but for the trash and the history."""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import SuspiciousOperation
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.reading import Asker, Reading
from taskapi.api.idempotency import once
from taskapi.api.preconditions import TAGS_PATTERN, is_unchanged
from tasks import operations
from tasks import serializers as s
from tasks.filters import TaskFilter
from tasks.models import Task, TaskQuerySet, etag
from tasks.queries.list import VERSION, OneTask, Row, TaskPage
from tasks.serializers.batch import BatchResultSerializer, BatchSerializer
from tasks.views.base import TaskView, headers_of
from tasks.views.headers import IF_MATCH, IF_NONE_MATCH, KEY, header


class PreconditionRequired(APIException):
    status_code = 428
    default_code = "precondition_required"
    default_detail = "Send If-Match with the ETag of the task that this one replaces."


class TaskViewSet(TaskView):
    """The caller's tasks."""

    filterset_class = TaskFilter

    def get_queryset(self) -> TaskQuerySet:
        return Task.objects.owned_by(self.caller_id).live()

    def reading(self, asker: Asker) -> Reading | None:
        self.read: Any = None
        try:
            if self.action == "list":
                self.read = TaskPage(self.request, asker, self.pages)
            elif self.action == "retrieve":
                self.read = OneTask(self.kwargs["id"])
        except (ValidationError, SuspiciousOperation) as error:
            # Not before the caller is known to be one.
            self.read = error
            return None
        return cast(Reading | None, self.read)

    @extend_schema(
        operation_id="listTasks",
        parameters=[IF_NONE_MATCH],
        responses={200: s.TaskSerializer(many=True), 304: None},
    )
    def list(self, request: Request) -> HttpResponse:
        """List tasks: filtered, searched and sorted, by page or by cursor."""
        if isinstance(self.read, Exception):
            raise self.read
        revision = cast(Any, request.user).revision
        return cast(HttpResponse, self.read.answer(revision, self.render))

    def render(self, rows: Iterable[Row]) -> bytes:
        envelope = self.pages.envelope([s.represent(*row) for row in rows])
        return JSONRenderer().render(envelope)

    @extend_schema(
        operation_id="createTask",
        parameters=[KEY],
        request=s.TaskInput,
        responses={201: s.TaskSerializer, 409: None, 422: None},
    )
    def create(self, request: Request) -> HttpResponse:
        """Make a task."""
        return once(request, self.create_once)

    def create_once(self) -> HttpResponse:
        task = self.perform(operations.Create(self.valid(s.TaskInput)))
        return self.task_answer(s.VALUES(task), 201, Location=f"/api/tasks/{task.pk}")

    @extend_schema(
        operation_id="getTask",
        parameters=[IF_NONE_MATCH],
        responses={200: s.TaskSerializer, 304: None},
    )
    def retrieve(self, request: Request, id: UUID) -> HttpResponse:
        """Get a task; If-None-Match answers 304 while it is unchanged."""
        row = self.read.row(self.caller_id)
        if is_unchanged(request._request, etag(row[VERSION])):
            return HttpResponse(status=304, headers=headers_of(row))
        return self.task_answer(row)

    @extend_schema(
        operation_id="updateTask",
        parameters=[IF_MATCH],
        request=s.TaskPatch,
        responses={200: s.TaskSerializer, 412: None},
    )
    def partial_update(self, request: Request, id: UUID) -> HttpResponse:
        """Set the fields that are sent, and no others."""
        return self.update_with(self.valid(s.TaskPatch), id)

    @extend_schema(
        operation_id="replaceTask",
        parameters=[
            header(
                "If-Match",
                "The tag of what is replaced.",
                pattern=TAGS_PATTERN,
                required=True,
            )
        ],
        request=s.TaskReplacement,
        responses={200: s.TaskSerializer, 412: None, 428: None},
    )
    def update(self, request: Request, id: UUID) -> HttpResponse:
        """Replace a task; only with If-Match."""
        if "If-Match" not in request.headers:
            raise PreconditionRequired
        return self.update_with(self.valid(s.TaskReplacement), id)

    def update_with(self, values: dict[str, Any], id: UUID) -> HttpResponse:
        expects = self.expected(values.pop("version", None))
        task = self.perform(operations.Update(values, id, expects))
        return self.task_answer(s.VALUES(task))

    @extend_schema(
        operation_id="deleteTask",
        parameters=[IF_MATCH],
        responses={204: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID) -> Response:
        """Move a task to the trash.

        A body `{"version": 3}` is a precondition, as If-Match is.
        """
        self.perform(operations.Delete(id=id, expects=self.expected(self.version())))
        return Response(status=204)

    @extend_schema(
        operation_id="restoreTask",
        parameters=[IF_MATCH, KEY],
        request=s.VersionOnly,
        responses={200: s.TaskSerializer, 409: None, 412: None, 422: None},
    )
    def restore(self, request: Request, id: UUID) -> HttpResponse:
        """Take a task back out of the trash."""
        restore = operations.Restore(id=id, expects=self.expected(self.version()))
        return once(request, lambda: self.task_answer(s.VALUES(self.perform(restore))))

    @extend_schema(
        operation_id="batchTasks",
        parameters=[KEY],
        request=BatchSerializer,
        responses={
            200: BatchResultSerializer,
            403: None,
            404: None,
            409: None,
            412: None,
            422: None,
        },
    )
    def batch(self, request: Request) -> HttpResponse:
        """Do up to 100 operations, all or none."""
        return once(request, self.batch_once)

    def batch_once(self) -> HttpResponse:
        asked = self.valid(BatchSerializer)["operations"]
        todo = [item["operation"] for item in asked]
        tasks = operations.perform(todo, self.author())
        results = [
            {"op": item["op"], "id": task.pk, "task": None if task.deleted_at else task}
            for item, task in zip(asked, tasks, strict=True)
        ]
        return self.answer(BatchResultSerializer({"results": results}).data)

    @extend_schema(operation_id="getTaskStats", responses=s.StatsSerializer)
    def stats(self, request: Request) -> Response:
        """Count the caller's tasks."""
        return Response(
            s.StatsSerializer(self.get_queryset().stats(timezone.now())).data
        )
