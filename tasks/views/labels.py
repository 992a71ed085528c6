"""`/api/labels`: the labels of the caller's space, and of projects."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api import scopes
from taskapi.api.caching import CACHE_HEADERS, not_modified
from taskapi.api.headers import IF_MATCH, IF_NONE_MATCH, KEY
from taskapi.api.idempotency import idempotent
from taskapi.api.preconditions import BOTH, Precondition, entity_tags
from tasks import access
from tasks import serializers as s
from tasks.labels import label_to_dict
from tasks.models import Label, etag
from tasks.operations import space_labels
from tasks.queries.labels import LabelFilter, LabelPagination, select_labels
from tasks.views.base import SpaceView


class LabelViewSet(SpaceView):
    """The labels of the user's own tasks."""

    queryset: Any = Label.objects.none()  # names the model for the schema
    serializer_class = s.LabelSerializer
    token_scopes = scopes.TASKS
    filterset_class = LabelFilter
    pagination_class = LabelPagination
    preconditions: ClassVar[dict[str, frozenset[str]]] = dict.fromkeys(
        ["retrieve", "partial_update", "destroy"], BOTH
    )

    def accepted_parameters(self) -> list[str]:
        is_list = self.action == "list"
        names = [*LabelFilter.base_filters, *LabelPagination.parameters]
        return names if is_list else []

    @extend_schema(operation_id="listLabels")
    def list(self, request: Request) -> Response:
        """List labels by name: the caller's own, or those of a project's tasks."""
        labels, self.pages.revision = select_labels(
            request.user, request.query_params.dict()
        )
        return Response(self.page(labels))

    @extend_schema(
        operation_id="createLabel",
        parameters=[KEY],
        request=s.LabelCreateSerializer,
        responses={201: s.LabelSerializer, 403: None, 409: None, 422: None},
    )
    def create(self, request: Request) -> HttpResponse:
        """Make a label."""
        return idempotent(request, self.create_once)

    def create_once(self) -> HttpResponse:
        values = self.validate(s.LabelCreateSerializer)
        label = space_labels.create_label(values, self.context())
        return self.label_response(label, 201, Location=f"/api/labels/{label.pk}")

    @extend_schema(
        operation_id="getLabel",
        parameters=[IF_MATCH, IF_NONE_MATCH],
        responses={200: s.LabelSerializer, 304: None, 412: None},
    )
    def retrieve(self, request: Request, id: UUID) -> HttpResponse:
        """Get a label; If-None-Match answers 304 while it is unchanged."""
        label = access.get_visible_label(cast(Any, request.user), id)
        tag = etag(label.version)
        if tags := entity_tags(request._request, "If-Match"):
            Precondition(tags).require(tag, label_to_dict(label))
        return not_modified(request, tag) or self.label_response(label)

    @extend_schema(
        operation_id="updateLabel",
        parameters=[IF_MATCH],
        request=s.LabelUpdateSerializer,
        responses={200: s.LabelSerializer, 409: None, 412: None},
    )
    def partial_update(self, request: Request, id: UUID) -> HttpResponse:
        """Rename a label, on every task that has it, or set its colour."""
        values = self.validate(s.LabelUpdateSerializer)
        expects = self.precondition(values.pop("version", None))
        return self.label_response(
            space_labels.update_label(id, values, self.context(), expects)
        )

    @extend_schema(
        operation_id="deleteLabel",
        parameters=[IF_MATCH],
        responses={204: None, 409: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID) -> Response:
        """Delete a label, and take it off every task.

        A body `{"version": 3}` is a precondition, as If-Match is.
        """
        expects = self.precondition(self.version())
        space_labels.delete_label(id, self.context(), expects)
        return Response(status=204)

    def label_response(
        self, label: Label, status: int = 200, **headers: str
    ) -> HttpResponse:
        headers |= CACHE_HEADERS | {"ETag": etag(label.version)}
        return self.json_response(label_to_dict(label), status, **headers)
