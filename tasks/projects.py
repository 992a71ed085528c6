"""Projects and members as responses show them, to whom they are shown."""

from typing import Any

from tasks.fields import to_rfc3339
from tasks.models import Invitation, Membership, Project, Role


def project_etag(version: int, role: int) -> str:
    """With the role: who gets another one sees another project."""
    return f'"v{version}-{Role(role).name}"'


def project_to_dict(project: Project, role: int) -> dict[str, Any]:
    archived_at = project.archived_at
    return {
        "id": str(project.pk),
        "ownerId": str(project.owner_id),
        "name": project.name,
        "description": project.description,
        "color": project.color,
        "isInbox": project.is_inbox,
        "role": Role(role).name,
        "position": project.position,
        "archivedAt": archived_at and to_rfc3339(archived_at),
        "version": project.version,
        "createdAt": to_rfc3339(project.created_at),
        "updatedAt": to_rfc3339(project.updated_at),
    }


def member_to_dict(membership: Membership) -> dict[str, Any]:
    return {
        "userId": str(membership.user_id),
        "name": membership.user.name,
        "role": Role(membership.role).name,
        "joinedAt": to_rfc3339(membership.joined_at),
    }


def owner_to_dict(project: Project) -> dict[str, Any]:
    """The owner among the members, from the beginning."""
    return {
        "userId": str(project.owner_id),
        "name": project.owner.name,
        "role": Role.OWNER.name,
        "joinedAt": to_rfc3339(project.created_at),
    }


def invitation_to_dict(invitation: Invitation) -> dict[str, Any]:
    """Without its token, which is in the mail alone."""
    return {
        "id": str(invitation.pk),
        "email": invitation.email,
        "role": Role(invitation.role).name,
        "invitedById": str(invitation.invited_by_id),
        "createdAt": to_rfc3339(invitation.created_at),
        "expiresAt": to_rfc3339(invitation.expires_at),
    }
