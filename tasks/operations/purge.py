"""Removes what is in the trash for good."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q

from taskapi.api.preconditions import Precondition
from tasks import access, usage
from tasks.models import EmptiedTrash, Role, SpaceUsage, Task
from tasks.operations.changes import require_match
from tasks.operations.context import ActorContext
from tasks.operations.spaces import lock_spaces, release_unchanged
from tasks.operations.trees import Trees


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
        while tasks.hard_delete_batch():
            pass
        usage.follow(context.owner_id, space.revision)


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
