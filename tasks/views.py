"""`/api/tasks`: thin; what may be done is decided in models and operations."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.reading import Asker, Reading
from accounts.strict import StrictView
from tasks import cache, operations
from tasks import serializers as s
from tasks.batch import BatchResultSerializer, BatchSerializer
from tasks.filters import TaskFilter
from tasks.idempotency import KEY_PATTERN, once
from tasks.models import Change, Task, TaskQuerySet, etag
from tasks.preconditions import TAGS_PATTERN, Precondition, is_unchanged, tags
from tasks.reading import VERSION, OneTask, Row, TaskPage


def header(name: str, description: str, **schema: Any) -> OpenApiParameter:
    required = schema.pop("required", False)
    return OpenApiParameter(
        name,
        {"type": "string"} | schema,
        "header",
        description=description,
        required=required,
    )


IF_MATCH = header(
    "If-Match",
    'Only if the task still has one of these tags, such as `"v3"`.',
    pattern=TAGS_PATTERN,
)
IF_NONE_MATCH = header(
    "If-None-Match", "304 if it still has one of these tags.", pattern=TAGS_PATTERN
)
KEY = header(
    "Idempotency-Key",
    "Sent again with the same request, it writes nothing and gets the first answer.",
    pattern=KEY_PATTERN,
    maxLength=257,
)


class PreconditionRequired(APIException):
    status_code = 428
    default_code = "precondition_required"
    default_detail = "Send If-Match with the ETag of the task that this one replaces."


@lru_cache
def validator(serializer: Any) -> Any:
    """One serializer for all requests: making its fields costs more than they do.

    Validation keeps nothing in them, so threads may share them.
    """
    return serializer()


def headers_of(row: Row) -> dict[str, str]:
    return cache.HEADERS | {"ETag": etag(row[VERSION])}


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
        except ValidationError as error:
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
        if isinstance(self.read, ValidationError):
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


class TrashViewSet(TaskView):
    """The caller's deleted tasks, kept for TRASH_RETENTION_DAYS."""

    serializer_class = s.TrashedTaskSerializer

    def get_queryset(self) -> TaskQuerySet:
        trash = Task.objects.owned_by(self.caller_id).trashed()
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
        operations.destroy(id, self.expected(self.version()), self.author())
        return Response(status=204)
