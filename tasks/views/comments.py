"""`/api/tasks/{id}/comments`."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api import preconditions, scopes
from taskapi.api.caching import CACHE_HEADERS, digest, json_response, not_modified
from taskapi.api.headers import IF_MATCH, IF_NONE_MATCH, KEY
from taskapi.api.idempotency import idempotent
from taskapi.api.preconditions import Precondition, entity_tags
from tasks import access
from tasks import serializers as s
from tasks.comments import comment_to_dict
from tasks.models import Comment, comment_etag
from tasks.operations import comments
from tasks.views.base import SpaceView


class CommentViewSet(SpaceView):
    """The comments on a task, live or deleted; written while it is live."""

    queryset: Any = Comment.objects.none()  # names the model for the schema
    serializer_class = s.CommentSerializer
    token_scopes = scopes.TASKS
    preconditions: ClassVar[dict[str, frozenset[str]]] = {
        "list": frozenset({preconditions.IF_NONE_MATCH}),
    } | dict.fromkeys(["retrieve", "partial_update", "destroy"], preconditions.BOTH)

    def accepted_parameters(self) -> list[str]:
        return [*self.pages.parameters] if self.action == "list" else []

    @extend_schema(
        operation_id="listComments",
        parameters=[IF_NONE_MATCH],
        responses={200: s.CommentSerializer(many=True), 304: None},
    )
    def list(self, request: Request, id: UUID) -> HttpResponse:
        """List the comments on a task, the oldest first."""
        task, _ = access.get_task(cast(Any, request.user), id)
        page = self.page(Comment.objects.filter(task=task).order_by("created_at", "id"))
        body = JSONRenderer().render(page)
        etag = f'W/"{digest(body)}"'
        return not_modified(request, etag) or json_response(body, etag)

    @extend_schema(
        operation_id="createComment",
        parameters=[KEY],
        request=s.CommentCreateSerializer,
        responses={201: s.CommentSerializer, 403: None, 409: None, 422: None},
    )
    def create(self, request: Request, id: UUID) -> HttpResponse:
        """Write a comment on a task."""
        return idempotent(request, lambda: self.create_once(id), self.require_shown)

    def create_once(self, id: UUID) -> HttpResponse:
        text = self.validate(s.CommentCreateSerializer)["text"]
        comment = comments.create_comment(id, text, self.context())
        location = f"/api/tasks/{id}/comments/{comment.pk}"
        return self.comment_response(comment, 201, Location=location)

    def require_shown(self, body: Any) -> None:
        task_id = UUID(body["taskId"])
        access.require_shown_comment(cast(Any, self.request.user), task_id)

    @extend_schema(
        operation_id="getComment",
        parameters=[IF_MATCH, IF_NONE_MATCH],
        responses={200: s.CommentSerializer, 304: None, 412: None},
    )
    def retrieve(self, request: Request, id: UUID, comment_id: UUID) -> HttpResponse:
        """Get a comment; If-None-Match answers 304 while it is unchanged."""
        comment = access.get_comment(cast(Any, request.user), id, comment_id)
        etag = comment_etag(comment.version)
        if tags := entity_tags(request._request, preconditions.IF_MATCH):
            Precondition(tags).require(etag, comment_to_dict(comment))
        return not_modified(request, etag) or self.comment_response(comment)

    @extend_schema(
        operation_id="updateComment",
        parameters=[IF_MATCH],
        request=s.CommentUpdateSerializer,
        responses={200: s.CommentSerializer, 409: None, 412: None},
    )
    def partial_update(
        self, request: Request, id: UUID, comment_id: UUID
    ) -> HttpResponse:
        """Change the text of a comment; only its author may."""
        values = self.validate(s.CommentUpdateSerializer)
        expects = self.precondition(values.get("version"))
        comment = comments.update_comment(
            id, comment_id, values.get("text"), self.context(), expects
        )
        return self.comment_response(comment)

    @extend_schema(
        operation_id="deleteComment",
        parameters=[IF_MATCH],
        responses={204: None, 409: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID, comment_id: UUID) -> Response:
        """Remove a comment for good; its author may, or a manager of the project.

        A body `{"version": 3}` is a precondition, as If-Match is.
        """
        expects = self.precondition(self.version())
        comments.delete_comment(id, comment_id, self.context(), expects)
        return Response(status=204)

    def comment_response(
        self, comment: Comment, status: int = 200, **headers: str
    ) -> HttpResponse:
        headers |= CACHE_HEADERS | {"ETag": comment_etag(comment.version)}
        return self.json_response(comment_to_dict(comment), status, **headers)
