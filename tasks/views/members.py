"""Members of projects, and invitations to become one."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api.headers import IF_MATCH, KEY
from taskapi.api.idempotency import idempotent
from taskapi.api.preconditions import BOTH, content_tag
from taskapi.api.serializers import EmptySerializer
from tasks import serializers as s
from tasks.models import Invitation, Membership, Project, Role
from tasks.operations import invitations, members
from tasks.projects import invitation_to_dict, member_to_dict, owner_to_dict
from tasks.views.base import SpaceView
from tasks.views.projects import ProjectView


class MemberViewSet(ProjectView):
    """Who has access to a project."""

    queryset: Any = Membership.objects.none()
    pagination_class = None  # all of them
    serializer_class = s.MemberSerializer
    preconditions: ClassVar[dict[str, frozenset[str]]] = dict.fromkeys(
        ["partial_update", "destroy"], BOTH
    )

    @extend_schema(operation_id="listMembers", responses={200: s.MemberListSerializer})
    def list(self, request: Request, id: UUID) -> HttpResponse:
        """List the members of a project, the owner first."""
        project, _ = self.get_project(id)
        memberships = project.memberships.filter(user__erased_at=None)
        rows = memberships.select_related("user").order_by("joined_at", "user_id")
        items = [owner_to_dict(project), *map(member_to_dict, rows)]
        return self.json_response({"items": items})

    @extend_schema(
        operation_id="updateMember",
        parameters=[IF_MATCH],
        request=s.MemberUpdateSerializer,
        responses={200: s.MemberSerializer, 409: None, 412: None},
    )
    def partial_update(self, request: Request, id: UUID, user_id: UUID) -> HttpResponse:
        """Give a member another role."""
        role = self.validate(s.MemberUpdateSerializer)["role"]
        expects, context = self.precondition(), self.context()
        member = members.change_role(id, user_id, role, context, expects)
        representation = member_to_dict(member)
        tag = content_tag(representation)
        return self.json_response(representation, ETag=tag)

    @extend_schema(
        operation_id="removeMember",
        parameters=[IF_MATCH],
        responses={204: None, 409: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID, user_id: UUID) -> Response:
        """End a member's access; one's own by leaving.

        Tasks of the project that are assigned to the member lose their assignee.
        """
        self.validate(EmptySerializer)
        expects = self.precondition()
        members.remove_member(id, user_id, self.context(), expects)
        return Response(status=204)


class InvitationViewSet(ProjectView):
    """The open invitations to a project, for those who may invite."""

    queryset: Any = Invitation.objects.none()
    pagination_class = None  # all of them
    serializer_class = s.InvitationSerializer
    preconditions: ClassVar[dict[str, frozenset[str]]] = {"destroy": BOTH}

    def open_to(self, project: Project) -> Any:
        return project.invitations.open(timezone.now()).order_by("created_at", "id")

    @extend_schema(
        operation_id="listInvitations", responses={200: s.InvitationListSerializer}
    )
    def list(self, request: Request, id: UUID) -> HttpResponse:
        """List the open invitations to a project, the oldest first."""
        project, _ = self.get_project(id, Role.MANAGER)
        items = [invitation_to_dict(each) for each in self.open_to(project)]
        return self.json_response({"items": items})

    @extend_schema(
        operation_id="createInvitation",
        parameters=[KEY],
        request=s.InvitationCreateSerializer,
        responses={201: s.InvitationSerializer, 403: None, 409: None, 422: None},
    )
    def create(self, request: Request, id: UUID) -> HttpResponse:
        """Mail somebody a token that makes whoever sends it a member."""
        return idempotent(
            request,
            lambda: self.create_once(id),
            lambda body: self.require_manager(id),
        )

    def require_manager(self, id: UUID) -> None:
        self.get_project(id, Role.MANAGER)

    def create_once(self, id: UUID) -> HttpResponse:
        values = self.validate(s.InvitationCreateSerializer)
        context = self.context()
        made, _ = invitations.invite(id, values["email"], values["role"], context)
        representation = invitation_to_dict(made)
        return self.json_response(
            representation,
            201,
            Location=f"/api/projects/{id}/invitations/{made.pk}",
            ETag=content_tag(representation),
        )

    @extend_schema(
        operation_id="withdrawInvitation",
        parameters=[IF_MATCH],
        responses={204: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID, invitation_id: UUID) -> Response:
        """Withdraw an open invitation.

        Its token becomes invalid.
        """
        self.validate(EmptySerializer)
        expects = self.precondition()
        invitations.withdraw(id, invitation_id, self.context(), expects)
        return Response(status=204)


class AcceptViewSet(ProjectView):
    @extend_schema(
        operation_id="acceptInvitation",
        parameters=[KEY],
        request=s.InvitationTokenSerializer,
        responses={200: s.ProjectSerializer, 403: None, 409: None, 422: None},
    )
    def accept(self, request: Request) -> HttpResponse:
        """Become a member of the project that a mailed token is for."""
        return idempotent(request, self.accept_once, self.require_shown)

    def accept_once(self) -> HttpResponse:
        token = self.validate(s.InvitationTokenSerializer)["token"]
        project, role = invitations.accept(token, self.context())
        return self.project_response(project, role)


class DeclineViewSet(SpaceView):
    """For everybody who has the token: it came by mail."""

    queryset: Any = Invitation.objects.none()
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        operation_id="declineInvitation",
        request=s.InvitationDeclineSerializer,
        responses={204: None},
    )
    def decline(self, request: Request) -> Response:
        """Decline an invitation, and with `always` all others to this address."""
        values = self.validate(s.InvitationDeclineSerializer)
        always = values.get("always", False)
        invitations.decline(values["token"], now=timezone.now(), always=always)
        return Response(status=204)
