"""Removes what is in the trash for good."""

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from taskapi.api.preconditions import Precondition
from tasks import access, usage
from tasks.models import (
    Comment,
    EmptiedTrash,
    Kind,
    Role,
    SpaceUsage,
    Task,
    TaskQuerySet,
)
from tasks.models.tasks import MAX_COMMENTS_AT_ONCE
from tasks.operations.changes import require_match
from tasks.operations.context import ActorContext
from tasks.operations.spaces import Space, finish, lock_spaces, release_unchanged
from tasks.operations.tombstones import bury, lock_some
from tasks.operations.trees import Trees

MAX_TASKS = 2_000  # that one statement removes


def purge(task_id: UUID, expects: Precondition, context: ActorContext) -> None:
    """Remove a deleted task, the subtasks that went with it and their history.

    Raises TaskNotFound, TaskForbidden, RoleForbidden, PreconditionFailed.
    """
    with transaction.atomic():
        [space] = lock_spaces({context.owner_id}).values()
        task = Task.objects.trashed().filter(pk=task_id).first()
        if task is None:
            raise access.TaskNotFound
        project = access.access_to_owner(task, context.owner_id, context.project_ids)
        project.require_visible_task(task)
        project.require(Role.OWNER)
        require_match(task, expects)
        below = [each.pk for each in Trees().deleted_with(task)]
        together = Q(pk__in=[task_id, *below]) | Q(deleted_with_id=task_id)
        tasks = Task.objects.trashed().filter(together)
        while destroy(tasks, {space.owner_id: space}):
            pass
        usage.follow(context.owner_id, space.revision)


def purge_batch(tasks: TaskQuerySet, size: int) -> int:
    """Remove up to `size` of these tasks, of whatever owners; how many.

    Call in a transaction.
    """
    some = tasks.order_by("pk").values_list("user_id", flat=True)[:size]
    owner_ids = {*some}
    spaces = lock_some(owner_ids)
    of_some = tasks.filter(user_id__in=spaces or owner_ids)
    count = destroy(of_some, spaces, size)
    finish(spaces.values())
    return count


def destroy(
    tasks: TaskQuerySet, spaces: Mapping[UUID, Space], size: int = MAX_TASKS
) -> int:
    """Remove up to `size` tasks of these spaces, and tell of it; how many."""
    rows = tasks.select_for_update().order_by("pk")
    places = {
        pk: at for pk, *at in rows.values_list("pk", "user_id", "project_id")[:size]
    }
    pks = Comment.first_tasks([*places], MAX_COMMENTS_AT_ONCE)
    gone: dict[UUID, list[tuple[UUID, UUID]]] = {}
    for pk in pks:
        owner_id, project_id = places[pk]
        gone.setdefault(owner_id, []).append((project_id, pk))
    for owner_id in gone.keys() & spaces.keys():
        bury(spaces[owner_id], Kind.TASK, gone[owner_id])
    return Task.objects.filter(pk__in=pks).hard_delete_batch(size)


def empty_trash(context: ActorContext) -> None:
    """Remove all that is in the trash now; housekeeping removes the rows.

    No list of live tasks changes, and so the revision stays. SpaceNotCovered.
    """
    access.require_space(context.project_ids)
    with transaction.atomic():
        [space] = lock_spaces({context.owner_id}).values()
        marker = EmptiedTrash(
            user_id=space.owner_id,
            revision=space.revision - 1,
            emptied_at=context.now,
        )
        EmptiedTrash.objects.bulk_create(
            [marker],
            update_conflicts=True,
            unique_fields=["user"],
            update_fields=["revision", "emptied_at"],
        )
        # Counted anew, without what is gone (tasks.usage).
        SpaceUsage.objects.filter(pk=space.owner_id).delete()
        release_unchanged([space])
