"""What housekeeping does to projects, each in a transaction of its own.

Each function does up to so much and returns how much that was, 0 if nothing is left.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Length

from taskapi.db.batches import delete_batch
from taskapi.db.writes import update_rows
from tasks.models import (
    FormerMember,
    Invitation,
    Kind,
    Membership,
    Project,
    ProjectChange,
    Task,
)
from tasks.operations.context import ActorContext
from tasks.operations.members import unassign
from tasks.operations.projects import locked
from tasks.operations.purge import purge_batch
from tasks.operations.spaces import finish, lock_spaces
from tasks.operations.tombstones import bury, lock_some
from tasks.positions import MAX_LENGTH, last_position, positions_between

# Neighbours with longer positions get new ones, too.
SHORT = 100
MAX_REBALANCED = 5000


def destroy_expired(now: datetime, size: int) -> int:
    """Projects that have been in the trash for long enough."""
    kept_since = now - timedelta(days=settings.TRASH_RETENTION_DAYS)
    expired = Project.objects.trashed().filter(deleted_at__lt=kept_since)
    pks = list(expired.order_by("pk").values_list("pk", flat=True)[:size])
    # One that is restored in this moment is locked, and then no longer expired.
    return expired.filter(pk__in=pks).update(destroyed_at=now)


def remove_destroyed(size: int) -> int:
    """Rows of destroyed projects: first the tasks that went with them, then all else.

    A project stays as long as tasks of it are in the trash by themselves.
    """
    destroyed = Project.objects.filter(destroyed_at__isnull=False)
    tasks = Task.objects.filter(project=OuterRef("pk"))
    with_tasks = destroyed.filter(Exists(tasks.live()))
    if project := with_tasks.order_by("pk").first():
        return purge_batch(Task.objects.filter(project=project).live(), size)
    empty = destroyed.filter(~Exists(tasks))
    for model in (Membership, FormerMember, Invitation, ProjectChange):
        rows = model._default_manager.filter(project__in=empty)
        if count := delete_batch(rows, size):
            return count
    spaces = lock_some({*empty.values_list("owner_id", flat=True)[:size]})
    for space in spaces.values():
        of_space = empty.filter(owner_id=space.owner_id).order_by("pk")
        bury(space, Kind.PROJECT, [(None, each.pk) for each in of_space[:size]])
    finish(spaces.values())
    return delete_batch(empty.filter(owner_id__in=spaces) if spaces else empty, size)


def unassign_former(now: datetime) -> int:
    """Tasks of somebody who has left with more than one request may unassign."""
    assigned = Task.objects.exclude_emptied().filter(
        user_id=OuterRef("project__owner_id"),
        project=OuterRef("project"),
        assignee_id=OuterRef("user_id"),
    )
    members = FormerMember.objects.filter(Exists(assigned)).select_related("project")
    if (former := members.order_by("pk").first()) is None:
        return 0
    context = ActorContext(former.project.owner_id, None, "", now)
    with locked(former.project_id, context, needed=None) as found:
        return unassign(found, former.user_id)


def rebalance(now: datetime) -> int:
    """Shorten a position that has grown too long, and those beside it; in the order of
    the tasks nothing changes.
    """
    lengths = Task.objects.live().annotate(length=Length("position"))
    task = lengths.filter(length__gt=MAX_LENGTH).order_by("pk").first()
    if task is None:
        return 0
    [space] = lock_spaces({task.user_id}).values()
    task.refresh_from_db(fields=["position"])
    siblings = lengths.filter(project=task.project_id, parent=task.parent_id)
    low, high = neighbours(siblings, task.position)
    between = siblings.filter(position__gt=low).order_by("position", "pk")
    if high:
        between = between.filter(position__lt=high)
    tasks = list(between[: MAX_REBALANCED + 1])
    if len(tasks) > MAX_REBALANCED:
        high = tasks.pop().position
    new = positions_between(low, high or last_position(task.pk, now), len(tasks))
    for each, position in zip(tasks, new, strict=True):
        # Without history: nobody moved it.
        each.position, each.version = position, each.version + 1
        each.revision, each.updated_at = space.revision, now
    update_rows(tasks, ("position", "version", "revision", "updated_at"))
    return len(tasks)


def neighbours(siblings: QuerySet[Any], position: str) -> tuple[str, str]:
    """The nearest short positions before and after; "" for none."""
    short = siblings.filter(length__lte=SHORT).values_list("position", flat=True)
    before = short.filter(position__lt=position).order_by("-position").first()
    after = short.filter(position__gt=position).order_by("position").first()
    return before or "", after or ""
