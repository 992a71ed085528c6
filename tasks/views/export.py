"""`GET /api/tasks/export`."""

from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from tasks.exports.formats import CSV, FORMATS, Format
from tasks.exports.snapshot import Snapshot
from tasks.filters import TaskFilter
from tasks.queries.list import parse_list_query
from tasks.queries.sources import select
from tasks.serializers import TaskSerializer
from tasks.views import TaskView

FORMAT = OpenApiParameter(
    "format",
    {"type": "string", "enum": list(FORMATS), "example": "csv"},
    required=True,
    description="The format of the file.",
)


BOM = OpenApiParameter(
    "bom",
    {"type": "boolean", "example": True},
    description="With `csv`: whether a byte order mark comes first, which Excel needs "
    "to read the file as UTF-8.",
)


class FileRenderer(BaseRenderer):
    """Stands for a format where what is accepted is compared with what there is."""

    charset = "utf-8"

    def __init__(self, media_type: str) -> None:
        self.media_type = self.format = media_type

    def render(self, *args: Any, **options: Any) -> bytes:
        # Of the answer to OPTIONS, that has no body; files are not rendered.
        return b""


class ExportViewSet(TaskView):
    """The caller's tasks as a file."""

    filterset_class = TaskFilter

    def accepted_parameters(self) -> list[str]:
        return [*TaskFilter.base_filters, "format", "bom"]

    def get_renderers(self) -> list[Any]:
        names = self.request.query_params.getlist("format")
        asked = FORMATS.get(names[0]) if len(names) == 1 else None
        # Without a format any renderer will do, to answer that one is required.
        able = [asked] if asked else list(FORMATS.values())
        files = [FileRenderer(each.media_type) for each in able]
        # Generated clients accept JSON, which errors are in; `format` decides.
        return [*files, JSONRenderer()] if asked else [JSONRenderer(), *files]

    @extend_schema(
        operation_id="exportTasks",
        parameters=[FORMAT, BOM],
        filters=True,
        responses={
            (200, each.media_type): OpenApiTypes.STR for each in FORMATS.values()
        },
    )
    def export(self, request: Request) -> StreamingHttpResponse:
        """Download tasks, filtered and sorted like the list, as they are now."""
        chosen = self.chosen()
        options = {"bom": True} if self.wants_bom(chosen) else {}
        query = parse_list_query(request.META.get("QUERY_STRING", ""), request.user)
        selection = select(request.user, query.where)
        tasks = self.filter_queryset(selection.tasks(request.user).live())
        return chosen.attachment(
            request.user.pk, lambda: chosen.write(shown(Snapshot(tasks)), **options)
        )

    def wants_bom(self, chosen: Format) -> bool:
        value = self.request.query_params.get("bom", "false")
        if value not in {"true", "false"}:
            raise ValidationError(
                {"bom": ["Not one of: true, false."]}, "invalid_choice"
            )
        if value == "true" and chosen is not CSV:
            raise ValidationError({"bom": ["Only with format=csv."]}, "invalid")
        return value == "true"

    def chosen(self) -> Format:
        name = self.request.query_params.get("format")
        if name is None:
            raise ValidationError({"format": ["This field is required."]}, "required")
        if name not in FORMATS:
            hint = f"Not one of: {', '.join(FORMATS)}."
            raise ValidationError({"format": [hint]}, "invalid_choice")
        return FORMATS[name]


def shown(snapshot: Snapshot) -> Iterator[list[dict[str, Any]]]:
    show = TaskSerializer().to_representation
    for tasks in snapshot.pages():
        yield [show(task) for task in tasks]
