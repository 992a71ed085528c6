"""What a user has of projects and labels (see settings.PERSONAL_DATA)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Exists, OuterRef, QuerySet, Value

from taskapi.api.errors import Conflict
from taskapi.db.batches import delete_batch
from taskapi.db.holdings import Holding
from taskapi.db.pages import in_pages
from tasks.fields import to_rfc3339
from tasks.models import (
    FormerMember,
    Invitation,
    Label,
    Membership,
    Project,
    ProjectChange,
    Role,
    Tombstone,
)
from tasks.operations.members import forget_author, forget_member
from tasks.projects import invitation_to_dict, project_to_dict

MAX_NAMED = 10  # projects in a message


def export(user: AbstractBaseUser) -> Iterator[tuple[str, Iterable[Any]]]:
    """Yield the name and the rows of each kind."""
    user_id = user.pk
    projects = Project.objects.filter(owner_id=user_id)
    yield (
        "projects",
        (
            project_to_dict(each, Role.OWNER)
            | {"deletedAt": each.deleted_at and to_rfc3339(each.deleted_at)}
            for each in rows(projects)
        ),
    )
    memberships = Membership.objects.filter(user_id=user_id).order_by("pk")
    yield (
        "memberships",
        (
            {
                "projectId": str(each.project_id),
                "role": Role(each.role).name,
                "joinedAt": to_rfc3339(each.joined_at),
            }
            for each in memberships
        ),
    )
    sent = Invitation.objects.filter(invited_by=user_id)
    yield (
        "invitations",
        (
            {"projectId": str(each.project_id), **invitation_to_dict(each)}
            for each in rows(sent)
        ),
    )
    labels = Label.objects.filter(owner_id=user_id)
    yield (
        "labels",
        (
            {"id": str(each.pk), "name": each.name, "color": each.color}
            for each in rows(labels)
        ),
    )


def require_erasable(user_id: UUID) -> None:
    """SharedProjects if others are members of the account's projects.

    Whoever adds a member holds the owner's row, as the caller does.
    """
    projects = Project.objects.filter(owner_id=user_id, destroyed_at=None)
    shared = projects.filter(is_shared())
    names = list(shared.order_by("name", "pk").values_list("name", flat=True))
    if names:
        raise SharedProjects(names)


class SharedProjects(Conflict):
    def __init__(self, names: Sequence[str]) -> None:
        told = ", ".join(f'"{name}"' for name in names[:MAX_NAMED])
        more = len(names) - MAX_NAMED
        told += f" and {more} more" if more > 0 else ""
        super().__init__(
            f"Others are members of these projects: {told}. With deleteShared, they "
            "are deleted, too."
        )


def holdings(user_ids: Sequence[UUID]) -> Iterator[Holding]:
    known = Project.objects.filter(owner__in=user_ids, destroyed_at=None)
    projects = known.filter(is_inbox=False)
    yield Holding("projects", projects, "owner__id__exact={}")
    yield Holding("projects shared with others", projects.filter(is_shared()))
    memberships = Membership.objects.filter(user__in=user_ids)
    of_member = "user__id__exact={}"
    yield Holding("memberships in projects of others", memberships, of_member)
    labels = Label.objects.filter(owner__in=user_ids)
    yield Holding("labels", labels, "owner__id__exact={}")


def is_shared() -> Exists:
    return Exists(Membership.objects.filter(project=OuterRef("pk")))


def rows(queryset: QuerySet[Any]) -> Iterator[Any]:
    for page in in_pages(queryset, Value(0)):
        yield from page


def erase_batch(user_id: UUID, size: int) -> int:
    """Remove up to so many rows of an erased user whose tasks are gone already; how
    many, 0 if none is left.
    """
    counts = (delete_batch(each, size) for each in kinds(user_id))
    return (
        forget_author(user_id, size)
        or forget_member(user_id)
        or next(filter(None, counts), 0)
    )


def kinds(user_id: UUID) -> Iterator[QuerySet[Any]]:
    """The other rows of an account, those first that refer to others."""
    for model in (Membership, FormerMember, Invitation, ProjectChange):
        yield model._default_manager.filter(project__owner_id=user_id)
    yield FormerMember.objects.filter(user_id=user_id)
    yield Invitation.objects.filter(invited_by=user_id)
    yield Project.objects.filter(owner_id=user_id)
    yield Label.objects.filter(owner_id=user_id)
    yield Tombstone.objects.filter(owner_id=user_id)
