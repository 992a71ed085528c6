"""How the members of a project change: who joins, in which role, who leaves.

An access that ends has ended for every request that begins after the transaction: each
reads its access anew, and writers do so under the owner's row.
"""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import F, Q
from django.utils import timezone
from rest_framework.exceptions import NotFound

from taskapi.api.errors import Conflict
from taskapi.api.preconditions import Precondition, content_tag
from tasks import access
from tasks.access import ProjectNotFound
from tasks.models import (
    FormerMember,
    Kind,
    Membership,
    Project,
    Role,
    Task,
    TaskChange,
)
from tasks.operations.context import ActorContext
from tasks.operations.projects import LockedProject, locked, record_change
from tasks.operations.spaces import finish, lock_spaces
from tasks.operations.tombstones import bury
from tasks.projects import member_to_dict
from tasks.usage import QuotaExceeded
from tasks.webhooks import events
from tasks.webhooks.events import Event

# Of others; a list reads each of them.
MAX_MEMBERSHIPS = 100
# Of the tasks of who leaves, in the request; housekeeping goes on with the others.
MAX_UNASSIGNED = 5000


class MemberNotFound(NotFound):
    default_detail = "The project has no such member."


def admit(project_id: UUID, user_id: UUID, role: int, context: ActorContext) -> None:
    """Make an account a member without an invitation, as administrators do.

    ProjectNotFound, RoleForbidden, Conflict, QuotaExceeded.
    """
    with locked(project_id, context, needed=Role.MANAGER, others={user_id}) as found:
        found.access.require_open()
        found.require_no_inbox("shared")
        add_member(found, user_id, role)
        # A token of before must not let them in again, once they have left.
        email = get_user_model()._base_manager.values_list("email").filter(pk=user_id)
        open_ones = found.project.invitations.open(context.now)
        open_ones.filter(email__iexact=email.get()[0]).update(closed_at=context.now)


def add_member(found: LockedProject, user_id: UUID, role: int) -> None:
    """Give access to an account whose row is locked, too; QuotaExceeded, and Conflict
    for one that has it.
    """
    project, context = found.project, found.context
    is_member = project.memberships.filter(user_id=user_id).exists()
    if is_member or user_id == project.owner_id:
        raise Conflict("This account has access to the project already.")
    require_room(project.pk, user_id)
    Membership.objects.create(
        project=project,
        user_id=user_id,
        role=role,
        joined_at=context.now,
        revision=found.space.revision,
        owner_id=project.owner_id,
    )
    FormerMember.objects.filter(project=project, user_id=user_id).delete()
    record_member(found, None, to_entry(user_id, role), user_id)


def require_room(project_id: UUID, user_id: UUID) -> None:
    members = Membership.objects.filter(project_id=project_id).count()
    if members >= settings.QUOTA_MEMBERS:
        # Figures would tell a newcomer of the project.
        raise QuotaExceeded("QUOTA_MEMBERS: this project has all the members it may.")
    if Membership.objects.filter(user_id=user_id).count() >= MAX_MEMBERSHIPS:
        raise QuotaExceeded(
            f"An account is a member of at most {MAX_MEMBERSHIPS} projects of others."
        )


def change_role(
    project_id: UUID,
    user_id: UUID,
    role: Role,
    context: ActorContext,
    expects: Precondition,
) -> Membership:
    """ProjectNotFound, MemberNotFound, RoleForbidden, Conflict, PreconditionFailed."""
    with with_member(project_id, user_id, context, needed=Role.MANAGER) as found:
        found.access.require_open()
        membership = get_membership(found, user_id, expects)
        if membership.role != role:
            before = to_entry(user_id, membership.role)
            membership.role, membership.revision = role, found.space.revision
            membership.save()
            withdraw_invitations(found, user_id, role)
            record_member(found, before, to_entry(user_id, role), user_id)
    return membership


def remove_member(
    project_id: UUID, user_id: UUID, context: ActorContext, expects: Precondition
) -> None:
    """End an access; one's own by leaving, also where the project is archived."""
    is_leaving = user_id == context.owner_id
    needed = Role.VIEWER if is_leaving else Role.MANAGER
    with with_member(project_id, user_id, context, needed=needed) as found:
        if found.access.is_deleted or not is_leaving:
            found.access.require_open()
        membership = get_membership(found, user_id, expects)
        before = to_entry(user_id, membership.role)
        end(found, membership)
        FormerMember.objects.update_or_create(
            project=found.project, user_id=user_id, defaults={"left_at": context.now}
        )
        withdraw_invitations(found, user_id, 0)
        unassign(found, user_id)
        record_member(found, before, None, user_id)


def end(found: LockedProject, membership: Membership) -> None:
    user_id = membership.user_id
    membership.delete()
    bury(found.space, Kind.MEMBER, [(found.project.pk, user_id)], found.context.now)


def forget_author(user_id: UUID, size: int) -> int:
    """Take an erased account off up to so many tasks that it made in spaces of others;
    how many, 0 if none is left. Call in a transaction.
    """
    shared = Q(memberships__user_id=user_id) | Q(former_members__user_id=user_id)
    owners = Project.objects.filter(shared, owner__erased_at=None)
    for owner_id in owners.values_list("owner_id", flat=True).distinct():
        # With a new revision, what was emptied out of the trash would be in it again.
        made = Task.objects.exclude_emptied().filter(
            user_id=owner_id, created_by_id=user_id
        )
        pks = list(made.values_list("pk", flat=True)[:size])
        if pks:
            [space] = lock_spaces({owner_id}).values()
            space.is_changed = True
            lock_tasks(pks)
            # A change of the task for those who see it, though of nobody.
            Task.objects.filter(pk__in=pks).update(
                created_by_id=None, version=F("version") + 1, revision=space.revision
            )
            finish([space])
            return len(pks)
    return 0


def forget_member(user_id: UUID) -> int:
    """End an access of an erased account, of whom nobody is told any more; how many
    rows that was, 0 if it has none. Call in a transaction.
    """
    first = Membership.objects.filter(user_id=user_id).select_related("project").first()
    if first is None:
        return 0
    owner_id = first.project.owner_id
    context = ActorContext(owner_id, None, "", timezone.now())
    try:
        with locked(first.project_id, context, needed=None) as found:
            if (count := unassign(found, user_id)) < MAX_UNASSIGNED:
                end(found, first)
    except ProjectNotFound:  # erased as well
        first.delete()
        return 1
    return count + 1


def with_member(
    project_id: UUID, user_id: UUID, context: ActorContext, *, needed: Role
) -> AbstractContextManager[LockedProject]:
    """`locked`, with the row of a member, whose lists will show something else."""
    memberships = Membership.objects.filter(project_id=project_id, user_id=user_id)
    others = memberships.filter(user__erased_at=None).values_list("user_id", flat=True)
    return locked(project_id, context, needed=needed, others={*others})


def get_membership(
    found: LockedProject, user_id: UUID, expects: Precondition
) -> Membership:
    if user_id == found.project.owner_id:
        raise Conflict("The owner of a project stays its owner.")
    memberships = Membership.objects.filter(project=found.project, user_id=user_id)
    membership = memberships.select_related("user").first()
    # A member of whom the row is not locked joined in this moment.
    if membership is None or user_id not in found.spaces:
        raise MemberNotFound
    representation = member_to_dict(membership)
    expects.require(content_tag(representation), representation)
    return membership


def record_member(
    found: LockedProject, before: Any, after: Any, user_id: UUID, **more: Any
) -> None:
    """The history, and what the lists of both sides hang on."""
    entry = {"field": "member", "from": before, "to": after}
    record_change(found.project, [entry], found.context)
    if found.space.has_webhooks:
        tell(found, before, after)
    found.space.is_changed = found.spaces[user_id].is_changed = True
    access.update_reads_projects(user_id)


def tell(found: LockedProject, before: Any, after: Any) -> None:
    """Write an event for webhooks."""
    kind = "updated" if before and after else "created" if after else "deleted"
    project_id = found.project.pk
    data = {"projectId": str(project_id), **(after or before)}
    owner_id = found.project.owner_id
    event = Event(f"member.{kind}", project_id, owner_id, project_id, data)
    events.write([event], found.context.now)


def to_entry(user_id: UUID, role: int) -> dict[str, str]:
    return {"userId": str(user_id), "role": Role(role).name}


def withdraw_invitations(found: LockedProject, user_id: UUID, role: int) -> None:
    """Of somebody who may no longer invite: a token of theirs must not let them in."""
    if role < Role.MANAGER:
        now = found.context.now
        sent = found.project.invitations.open(now).filter(invited_by=user_id)
        sent.update(closed_at=now)


def lock_tasks(pks: Collection[UUID]) -> None:
    """In the order of ids, as whatever else writes many of them does."""
    locked_tasks = Task.objects.select_for_update().filter(pk__in=pks)
    list(locked_tasks.order_by("pk").values_list("pk"))


def unassign(found: LockedProject, user_id: UUID) -> int:
    """Take the tasks of the project away from who has left; how many."""
    assigned = Task.objects.exclude_emptied().filter(
        user_id=found.project.owner_id, project=found.project, assignee_id=user_id
    )
    tasks = dict(assigned.values_list("pk", "version")[:MAX_UNASSIGNED])
    if tasks:
        lock_tasks(tasks)
        Task.objects.filter(pk__in=tasks).update(
            assignee_id=None,
            version=F("version") + 1,
            revision=found.space.revision,
            updated_at=found.context.now,
        )
        found.space.is_changed = True
    change = [{"field": "assigneeId", "from": str(user_id), "to": None}]
    TaskChange.objects.bulk_create(
        TaskChange(
            task_id=pk,
            version=version + 1,
            changed_by=found.context.actor_id,
            changed_at=found.context.now,
            request_id=found.context.request_id,
            fields=change,
        )
        for pk, version in tasks.items()
    )
    return len(tasks)
