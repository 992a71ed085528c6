"""`/api/tasks` but for the trash and the history."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api import preconditions, time_zones
from taskapi.api.caching import CachedList, digest, json_response, not_modified
from taskapi.api.headers import IF_MATCH, IF_NONE_MATCH, KEY, header
from taskapi.api.preconditions import TAGS_PATTERN
from tasks import metrics, operations
from tasks import serializers as s
from tasks.fields import CACHE_VERSION, get_values, task_to_dict
from tasks.filters import DEFAULT_SORT, TaskFilter
from tasks.models import Task
from tasks.queries.list import (
    TaskListQuery,
    compiled_list,
    get_row,
    parse_list_query,
)
from tasks.queries.sources import Selection, select
from tasks.queries.stats import compiled_stats
from tasks.views.base import TaskView, etag_of


class PreconditionRequired(APIException):
    status_code = 428
    default_code = "precondition_required"
    default_detail = "Send If-Match with the ETag of the task that this one replaces."


class TaskViewSet(TaskView):
    """The tasks that the user may see."""

    filterset_class = TaskFilter
    preconditions: ClassVar[dict[str, frozenset[str]]] = {
        "list": frozenset({preconditions.IF_NONE_MATCH}),
    } | dict.fromkeys(
        ["retrieve", "partial_update", "update", "destroy", "restore"],
        preconditions.BOTH,
    )

    def get_prefetch_key(self, request: Request) -> str | None:
        """The list's cache entry, for the rate limit's round trip to Redis."""
        is_list = self.action == "list" and "HTTP_IF_NONE_MATCH" not in request.META
        return CachedList(request, CACHE_VERSION).key if is_list else None

    @extend_schema(
        operation_id="listTasks",
        parameters=[IF_NONE_MATCH],
        responses={200: s.TaskSerializer(many=True), 304: None},
    )
    def list(self, request: Request) -> HttpResponse:
        """List tasks: filtered, searched and sorted, by page or by cursor."""
        self.pages.defaults = {"sort": DEFAULT_SORT}
        query = parse_list_query(request.META.get("QUERY_STRING", ""), request.user)
        self.pages.parse(request, Task, query.key, query.descending)
        selection = select(request.user, query.where)
        if not query.is_cacheable:
            body = self.render_list(query, selection)
            etag = f'W/"{digest(body)}"'
            return not_modified(request, etag) or json_response(body, etag)
        cached = CachedList(request, CACHE_VERSION, selection.state)
        if response := not_modified(request, cached.etag):
            return response
        stored = cached.load()
        (metrics.HITS if stored else metrics.MISSES).inc()
        body = stored or self.render_list(query, selection)
        if not stored:
            cached.store(body)
        return json_response(body, cached.etag)

    def render_list(self, query: TaskListQuery, selection: Selection) -> bytes:
        tasks = compiled_list(query.shape, selection.sources)
        rows = tasks.rows(self.request.user, query.values, selection, self.pages)
        page = self.pages.trim(rows, selection.start, tasks.get_position)
        return JSONRenderer().render(
            self.pages.envelope([task_to_dict(row) for row in page])
        )

    @extend_schema(
        operation_id="createTask",
        parameters=[KEY],
        request=s.TaskCreateSerializer,
        responses={201: s.TaskSerializer, 403: None, 409: None, 422: None},
    )
    def create(self, request: Request) -> HttpResponse:
        """Make a task."""
        return self.once(self.create_once)

    def create_once(self) -> HttpResponse:
        task = self.perform(operations.Create(self.validate(s.TaskCreateSerializer)))
        return self.task_response(
            get_values(task), 201, Location=f"/api/tasks/{task.pk}"
        )

    @extend_schema(
        operation_id="getTask",
        parameters=[IF_MATCH, IF_NONE_MATCH],
        responses={200: s.TaskSerializer, 304: None, 412: None},
    )
    def retrieve(self, request: Request, id: UUID) -> HttpResponse:
        """Get a task; If-None-Match answers 304 while it is unchanged."""
        row = get_row(request.user, id)
        self.require_match(row)
        return not_modified(request, etag_of(row)) or self.task_response(row)

    @extend_schema(
        operation_id="updateTask",
        parameters=[IF_MATCH],
        request=s.TaskUpdateSerializer,
        responses={200: s.TaskSerializer, 409: None, 412: None},
    )
    def partial_update(self, request: Request, id: UUID) -> HttpResponse:
        """Set the fields that are sent, and no others."""
        return self.update_with(self.validate(s.TaskUpdateSerializer), id)

    @extend_schema(
        operation_id="replaceTask",
        parameters=[
            header(
                "If-Match",
                "The tag of what is replaced.",
                pattern=TAGS_PATTERN,
                required=True,
                example='"v1"',
            )
        ],
        request=s.TaskReplaceSerializer,
        responses={200: s.TaskSerializer, 409: None, 412: None, 428: None},
    )
    def update(self, request: Request, id: UUID) -> HttpResponse:
        """Replace a task; only with If-Match."""
        if "If-Match" not in request.headers:
            raise PreconditionRequired
        return self.update_with(self.validate(s.TaskReplaceSerializer), id)

    def update_with(self, values: dict[str, Any], id: UUID) -> HttpResponse:
        expects = self.precondition(values.pop("version", None))
        task = self.perform(operations.Update(values, id, expects))
        return self.task_response(get_values(task))

    @extend_schema(
        operation_id="deleteTask",
        parameters=[IF_MATCH],
        responses={204: None, 409: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID) -> Response:
        """Move a task to the trash.

        A body `{"version": 3}` is a precondition, as If-Match is.
        """
        self.perform(
            operations.Delete(id=id, expects=self.precondition(self.version()))
        )
        return Response(status=204)

    @extend_schema(
        operation_id="restoreTask",
        parameters=[IF_MATCH, KEY],
        request=s.VersionSerializer,
        responses={200: s.TaskSerializer, 409: None, 412: None, 422: None},
    )
    def restore(self, request: Request, id: UUID) -> HttpResponse:
        """Take a task back out of the trash."""
        restore = operations.Restore(id=id, expects=self.precondition(self.version()))
        return self.once(lambda: self.task_response(get_values(self.perform(restore))))

    @extend_schema(
        operation_id="batchTasks",
        parameters=[KEY],
        request=s.BatchSerializer,
        responses={
            200: s.BatchResultSerializer,
            403: None,
            404: None,
            409: None,
            412: None,
            422: None,
        },
    )
    def batch(self, request: Request) -> HttpResponse:
        """Do up to 100 operations, all or none."""
        return self.once(self.batch_once)

    def batch_once(self) -> HttpResponse:
        asked = self.validate(s.BatchSerializer)["operations"]
        todo = [item["operation"] for item in asked]
        try:
            tasks = operations.perform(todo, self.context())
        except operations.OperationFailed as failure:
            raise s.locate(failure, asked) from None
        results = [
            {"op": item["op"], "id": task.pk, "task": None if task.deleted_at else task}
            for item, task in zip(asked, tasks, strict=True)
        ]
        return self.json_response(s.BatchResultSerializer({"results": results}).data)

    @extend_schema(
        operation_id="getTaskStats",
        parameters=[OpenApiParameter("sort", exclude=True)],
        filters=True,
        responses=s.StatsSerializer,
    )
    def stats(self, request: Request) -> Response:
        """Count tasks, filtered like the list."""
        query = parse_list_query(request.META.get("QUERY_STRING", ""), request.user)
        selection = select(request.user, query.where)
        stats = compiled_stats(query.shape, selection.sources)
        zone = time_zones.parse(request.query_params.get(time_zones.NAME, "UTC"))
        counts = stats.count(request.user, query.values, selection, zone)
        return Response(s.StatsSerializer(counts).data)
