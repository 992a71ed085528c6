"""Bodies of requests for projects, and projects in responses."""

from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from taskapi.api.fields import (
    COLOR,
    ColorField,
    EmailField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
)
from taskapi.api.openapi import ref
from taskapi.api.serializers import StrictSerializer
from tasks.fields import to_rfc3339
from tasks.models import Role
from tasks.projects import project_to_dict
from tasks.serializers.task import VersionField

MAX_VERSION = 2**31 - 1
MEMBER_ROLES = ["VIEWER", "EDITOR", "MANAGER"]


@extend_schema_field(ref("schemas", "ProjectRole"))
class RoleField(serializers.CharField):
    """A role by its name, in responses."""


@extend_schema_field(ref("schemas", "MemberRole"))
class MemberRoleField(StrictChoiceField):
    """The name of a role that a member can have."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[(name, name) for name in MEMBER_ROLES], **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return Role[super().to_internal_value(data)]


class ProjectCreateSerializer(StrictSerializer):
    """The fields of a project that a client may set."""

    name = StrictCharField(max_length=100, trim_whitespace=True)
    description = StrictCharField(
        max_length=5000, allow_null=True, allow_blank=True, required=False
    )
    color = ColorField(allow_null=True, required=False)

    read_only_echoes = frozenset(
        {
            *("id", "ownerId", "isInbox", "role", "position", "archivedAt"),
            *("createdAt", "updatedAt", "deletedAt", "version"),
        }
    )


class ProjectUpdateSerializer(ProjectCreateSerializer):
    name = StrictCharField(max_length=100, trim_whitespace=True, required=False)
    archived = StrictBooleanField(required=False)
    version = VersionField(min_value=1, max_value=MAX_VERSION, required=False)


class ProjectSerializer(serializers.Serializer[Any]):
    """A project, as its members see it."""

    id = serializers.UUIDField()
    ownerId = serializers.UUIDField()
    name = serializers.CharField(max_length=100)
    description = serializers.CharField(max_length=5000, allow_null=True)
    color = serializers.RegexField(COLOR, allow_null=True)
    isInbox = serializers.BooleanField()
    role = RoleField()
    position = serializers.CharField(max_length=1000)
    archivedAt = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField(min_value=1, max_value=MAX_VERSION)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class TrashedProjectSerializer(ProjectSerializer):
    deletedAt = serializers.DateTimeField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Of a project in its owner's trash."""
        deleted_at = to_rfc3339(instance.deleted_at)
        return project_to_dict(instance, Role.OWNER) | {"deletedAt": deleted_at}


class MemberUpdateSerializer(StrictSerializer):
    """Another role for a member."""

    role = MemberRoleField()

    read_only_echoes = frozenset({"userId", "name", "joinedAt"})


class MemberSerializer(serializers.Serializer[Any]):
    """Somebody with access to a project; addresses are not told."""

    userId = serializers.UUIDField()
    name = serializers.CharField(max_length=100)
    role = RoleField()
    joinedAt = serializers.DateTimeField()


@extend_schema_serializer(many=False)
class MemberListSerializer(serializers.Serializer[Any]):
    """All members: the owner, then the others as they joined."""

    items = MemberSerializer(many=True)


class InvitationCreateSerializer(StrictSerializer):
    """Who shall become a member, and as what."""

    email = EmailField(max_length=255)
    role = MemberRoleField()

    read_only_echoes = frozenset({"id", "invitedById", "createdAt", "expiresAt"})


class InvitationSerializer(serializers.Serializer[Any]):
    """An open invitation; its token is in the mail alone."""

    id = serializers.UUIDField()
    email = serializers.CharField(max_length=255)
    role = MemberRoleField()
    invitedById = serializers.UUIDField()
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField()


@extend_schema_serializer(many=False)
class InvitationListSerializer(serializers.Serializer[Any]):
    """The open invitations to a project, the oldest first."""

    items = InvitationSerializer(many=True)


class InvitationTokenSerializer(StrictSerializer):
    """The token out of the mail."""

    token = StrictCharField(max_length=100)


class InvitationDeclineSerializer(InvitationTokenSerializer):
    """The token out of the mail, and whether others shall be refused as well."""

    always = StrictBooleanField(required=False)
