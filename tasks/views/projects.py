"""`/api/projects` but for members and invitations."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api import scopes
from taskapi.api.caching import CACHE_HEADERS, digest, json_response, not_modified
from taskapi.api.headers import IF_MATCH, IF_NONE_MATCH, KEY
from taskapi.api.idempotency import idempotent
from taskapi.api.preconditions import BOTH, Precondition, entity_tags
from taskapi.api.preconditions import IF_MATCH as IF_MATCH_HEADER
from taskapi.api.preconditions import IF_NONE_MATCH as IF_NONE_MATCH_HEADER
from tasks import access
from tasks import serializers as s
from tasks.models import Project, Role
from tasks.operations import projects as operations
from tasks.projects import project_etag, project_to_dict
from tasks.queries.projects import (
    DEFAULT_SORT,
    ProjectFilter,
    ProjectPagination,
    select_projects,
)
from tasks.views.base import SpaceView


class ProjectView(SpaceView):
    """A view of one project and what belongs to it."""

    queryset: Any = Project.objects.none()  # names the model for the schema
    serializer_class: type[Any] = s.ProjectSerializer
    token_scopes = scopes.PROJECTS

    def get_project(
        self, pk: UUID, needed: Role = Role.VIEWER
    ) -> tuple[Project, access.ProjectAccess]:
        return access.get_project(cast(Any, self.request.user), pk, needed)

    def project_response(
        self, project: Project, role: int, status: int = 200, **headers: str
    ) -> HttpResponse:
        headers |= CACHE_HEADERS | {"ETag": project_etag(project.version, role)}
        return self.json_response(project_to_dict(project, role), status, **headers)

    def require_shown(self, body: Any) -> None:
        """That the project which a stored response has shown is still to be seen."""
        user = cast(Any, self.request.user)
        if body["ownerId"] != str(user.pk) or user.project_ids is not None:
            try:
                self.get_project(UUID(body["id"]))
            except access.ProjectNotFound as error:
                raise access.ProjectForbidden from error


class ProjectViewSet(ProjectView):
    """The projects that the user may see."""

    pagination_class = ProjectPagination
    preconditions: ClassVar[dict[str, frozenset[str]]] = {
        "list": frozenset({IF_NONE_MATCH_HEADER}),
    } | dict.fromkeys(["retrieve", "partial_update", "destroy", "restore"], BOTH)

    def accepted_parameters(self) -> list[str]:
        if self.action != "list":
            return []
        return [*ProjectFilter.base_filters, *self.pages.parameters]

    @property
    def filterset_class(self) -> Any:
        return ProjectFilter if self.action == "list" else None

    @extend_schema(
        operation_id="listProjects",
        parameters=[IF_NONE_MATCH],
        responses={200: s.ProjectSerializer(many=True), 304: None},
    )
    def list(self, request: Request) -> HttpResponse:
        """List projects: the caller's own and those shared with the caller."""
        sent = {
            name: str(value)
            for name, value in request.query_params.items()
            if name in ProjectFilter.base_filters
        }
        projects, shares = select_projects(request.user, sent)
        self.pages.defaults = {"sort": DEFAULT_SORT}
        self.pages.shares = shares
        roles = {share.id: share.role for share in shares}
        rows = self.pages.paginate_queryset(projects, request, view=self)
        items = [project_to_dict(row, roles.get(row.pk, Role.OWNER)) for row in rows]
        body = JSONRenderer().render(self.pages.envelope(items))
        etag = f'W/"{digest(body)}"'
        return not_modified(request, etag) or json_response(body, etag)

    @extend_schema(
        operation_id="createProject",
        parameters=[KEY],
        request=s.ProjectCreateSerializer,
        responses={201: s.ProjectSerializer, 403: None, 409: None, 422: None},
    )
    def create(self, request: Request) -> HttpResponse:
        """Make a project."""
        return idempotent(request, self.create_once, self.require_shown)

    def create_once(self) -> HttpResponse:
        values = self.validate(s.ProjectCreateSerializer)
        project = operations.create_project(values, self.context())
        location = f"/api/projects/{project.pk}"
        return self.project_response(project, Role.OWNER, 201, Location=location)

    @extend_schema(
        operation_id="getProject",
        parameters=[IF_MATCH, IF_NONE_MATCH],
        responses={200: s.ProjectSerializer, 304: None, 412: None},
    )
    def retrieve(self, request: Request, id: UUID) -> HttpResponse:
        """Get a project; If-None-Match answers 304 while it is unchanged."""
        project, found = self.get_project(id)
        etag = project_etag(project.version, found.role)
        if tags := entity_tags(request._request, IF_MATCH_HEADER):
            Precondition(tags).require(etag, project_to_dict(project, found.role))
        return not_modified(request, etag) or self.project_response(project, found.role)

    @extend_schema(
        operation_id="updateProject",
        parameters=[IF_MATCH],
        request=s.ProjectUpdateSerializer,
        responses={200: s.ProjectSerializer, 409: None, 412: None},
    )
    def partial_update(self, request: Request, id: UUID) -> HttpResponse:
        """Set the fields that are sent, and no others."""
        values, context = self.validate(s.ProjectUpdateSerializer), self.context()
        expects = self.precondition(values.pop("version", None))
        if (is_archived := values.pop("archived", None)) is not None:
            values["archived_at"] = context.now if is_archived else None
        found = operations.update_project(id, values, context, expects)
        return self.project_response(found.project, found.access.role)

    @extend_schema(
        operation_id="deleteProject",
        parameters=[IF_MATCH],
        responses={204: None, 409: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID) -> Response:
        """Move a project with its tasks to the trash.

        A body `{"version": 3}` is a precondition, as If-Match is.
        """
        expects = self.precondition(self.version())
        operations.delete_project(id, self.context(), expects)
        return Response(status=204)

    @extend_schema(
        operation_id="restoreProject",
        parameters=[IF_MATCH, KEY],
        request=s.VersionSerializer,
        responses={200: s.ProjectSerializer, 409: None, 412: None, 422: None},
    )
    def restore(self, request: Request, id: UUID) -> HttpResponse:
        """Take a project with its tasks back out of the trash."""
        return idempotent(request, lambda: self.restore_once(id), self.require_shown)

    def restore_once(self, id: UUID) -> HttpResponse:
        expects = self.precondition(self.version())
        found = operations.restore_project(id, self.context(), expects)
        return self.project_response(found.project, found.access.role)


class TrashedProjectViewSet(SpaceView):
    """The user's deleted projects, kept for TRASH_RETENTION_DAYS."""

    queryset: Any = Project.objects.none()
    serializer_class = s.TrashedProjectSerializer
    token_scopes = scopes.PROJECTS
    preconditions: ClassVar[dict[str, frozenset[str]]] = {"destroy": BOTH}

    def accepted_parameters(self) -> list[str]:
        return list(self.pages.parameters) if self.action == "list" else []

    @extend_schema(operation_id="listTrashedProjects")
    def list(self, request: Request) -> Response:
        """List the deleted projects, the last deleted first."""
        projects = access.trashed_projects_of(cast(Any, request.user))
        return Response(self.page(projects.order_by("-deleted_at", "-id")))

    @extend_schema(
        operation_id="destroyProject",
        parameters=[IF_MATCH],
        responses={204: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID) -> Response:
        """Remove a deleted project for good, with its tasks and their history.

        A body `{"version": 3}` is a precondition, as If-Match is.
        """
        expects = self.precondition(self.version())
        operations.destroy_project(id, self.context(), expects)
        return Response(status=204)


class ProjectHistoryViewSet(ProjectView):
    """The history of a project and its members."""

    queryset = Project.objects.none()
    serializer_class = s.ProjectChangeSerializer

    def accepted_parameters(self) -> list[str]:
        return list(self.pages.parameters)

    @extend_schema(
        operation_id="listProjectHistory",
        responses=s.ProjectChangeSerializer(many=True),
    )
    def history(self, request: Request, id: UUID) -> Response:
        """List the changes of a project and its members, the last one first."""
        project, _ = self.get_project(id, Role.MANAGER)
        return Response(self.history_page(project.changes.order_by("-id")))
