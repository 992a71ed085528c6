"""How comments are written: made, changed and deleted.

They are no part of their task's version, but a write in its space: each moves the
owner's revision and stores it.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, F, Max

from taskapi.api.preconditions import Precondition
from tasks import access, usage
from tasks.access import CommentNotFound, ProjectAccess, TaskNotFound
from tasks.comments import comment_to_dict
from tasks.models import Comment, Kind, Role, Task, comment_etag
from tasks.operations.context import ActorContext
from tasks.operations.spaces import Space, lock_spaces, release_unchanged
from tasks.operations.tombstones import bury
from tasks.webhooks import events
from tasks.webhooks.events import Event

TICK = timedelta(microseconds=1)


@dataclass
class LockedTask:
    """A task whose space is locked, and who may do what with it."""

    task: Task
    access: ProjectAccess
    space: Space
    context: ActorContext
    # By which the texts of its comments have become longer.
    added_octets: int = 0

    def comment(self, comment_id: UUID) -> Comment:
        found = Comment.objects.filter(pk=comment_id, task_id=self.task.pk).first()
        if found is None:
            raise CommentNotFound
        return found

    def tell(self, kind: str, comment: Comment) -> None:
        """Write an event for webhooks, if there are any."""
        if self.space.has_webhooks:
            task = self.task
            about = task.pk, task.user_id, task.project_id
            event = Event(f"comment.{kind}", *about, comment_to_dict(comment))
            events.write([event], self.context.now)

    def require_match(self, comment: Comment, expects: Precondition) -> None:
        current = comment_to_dict(comment)
        expects.require(comment_etag(comment.version), current, comment.version)


@contextmanager
def locked(task_id: UUID, context: ActorContext) -> Iterator[LockedTask]:
    """The task, in a transaction that holds its owner's row and the actor's: none is
    erased meanwhile. TaskNotFound (also in the trash), TaskForbidden, Conflict.
    """
    with transaction.atomic():
        owner_id = find_owner(task_id)
        spaces = lock_spaces({owner_id, context.owner_id})
        task = Task.objects.filter(pk=task_id).first()
        if task is None:
            raise TaskNotFound
        found = access.access_to_owner(task, context.owner_id, context.project_ids)
        found.require_open_task(task)
        locked_task = LockedTask(task, found, spaces[owner_id], context)
        yield locked_task
        release_unchanged(spaces.values())
        if spaces[owner_id].is_changed:
            charge(locked_task)


def charge(found: LockedTask) -> None:
    """QuotaExceeded."""
    if usage.is_limited():
        usage.charge(
            found.space.owner_id,
            found.space.revision,
            octets=found.added_octets,
            is_refusable=found.context.obeys_quotas,
            tells_figures=found.space.owner_id == found.context.owner_id,
        )


def find_owner(task_id: UUID) -> UUID:
    """Tasks do not change hands, so this needs no lock."""
    tasks = Task.objects.filter(pk=task_id, user__erased_at=None)
    owner_id = tasks.values_list("user_id", flat=True).first()
    if owner_id is None:
        raise TaskNotFound
    return owner_id


def create_comment(task_id: UUID, text: str, context: ActorContext) -> Comment:
    """Also RoleForbidden, QuotaExceeded."""
    with locked(task_id, context) as found:
        found.access.require(Role.EDITOR)
        created_at = next_moment(task_id, context.now)
        found.space.is_changed, found.added_octets = True, usage.octets(text)
        comment = Comment.objects.create(
            id=uuid4(),
            task_id=task_id,
            author_id=context.actor_id,
            text=text,
            revision=found.space.revision,
            owner_id=found.space.owner_id,
            project_id=found.task.project_id,
            created_at=created_at,
            updated_at=created_at,
        )
        found.tell("created", comment)
    return comment


def next_moment(task_id: UUID, now: datetime) -> datetime:
    """Later than every comment of the task, whose space is locked: a walk through them
    misses none that waited for the lock, or comes from a clock that is behind.
    """
    stored = Comment.objects.filter(task_id=task_id).aggregate(
        number=Count("pk"), newest=Max("created_at")
    )
    usage.require_room_for_comment(stored["number"])
    newest = stored["newest"]
    return max(now, newest + TICK) if newest else now


@dataclass(frozen=True)
class ImportedComment:
    """A comment as it was elsewhere."""

    task_id: UUID
    author_id: UUID | None
    text: str
    created_at: datetime


def import_comments(
    comments: Collection[ImportedComment], context: ActorContext
) -> None:
    """On tasks of the context's owner; TaskNotFound."""
    wanted = {each.task_id for each in comments}
    with transaction.atomic():
        [space] = lock_spaces({context.owner_id}).values()
        tasks = Task.objects.live().filter(user_id=space.owner_id, pk__in=wanted)
        projects = dict(tasks.values_list("pk", "project_id"))
        if len(projects) < len(wanted):
            raise TaskNotFound
        Comment.objects.bulk_create(
            Comment(
                task_id=each.task_id,
                author_id=each.author_id,
                text=each.text,
                revision=space.revision,
                owner_id=space.owner_id,
                project_id=projects[each.task_id],
                created_at=each.created_at,
                updated_at=each.created_at,
            )
            for each in comments
        )
        space.is_changed = bool(comments)
        release_unchanged([space])


def update_comment(
    task_id: UUID,
    comment_id: UUID,
    text: str | None,
    context: ActorContext,
    expects: Precondition,
) -> Comment:
    """Set the text, unless it is None. CommentNotFound, CommentForbidden."""
    with locked(task_id, context) as found:
        comment = found.comment(comment_id)
        found.access.require_editable_comment(comment, context.owner_id)
        found.require_match(comment, expects)
        if text is not None and text != comment.text:
            found.added_octets = usage.octets(text) - usage.octets(comment.text)
            comment.text = text
            comment.version += 1
            comment.revision = found.space.revision
            comment.updated_at = max(context.now, comment.updated_at)
            comment.save()
            found.space.is_changed = True
            found.tell("updated", comment)
    return comment


def delete_comment(
    task_id: UUID, comment_id: UUID, context: ActorContext, expects: Precondition
) -> None:
    """CommentNotFound, CommentForbidden."""
    with locked(task_id, context) as found:
        comment = found.comment(comment_id)
        found.access.require_deletable_comment(comment, context.owner_id)
        found.require_match(comment, expects)
        found.tell("deleted", comment)
        comment.delete()
        project_id = found.task.project_id
        bury(found.space, Kind.COMMENT, [(project_id, comment_id)], context.now)
        found.added_octets = -usage.octets(comment.text)


def anonymize_batch(author_id: UUID, size: int) -> int:
    """Take an erased author off up to so many comments; how many, 0 if none is left.

    It is a change of each comment for those who see it. Call in a transaction.
    """
    comments = Comment.objects.filter(author_id=author_id)
    found = list(comments.values_list("task__user_id", "pk")[:size])
    for owner_id in sorted({owner_id for owner_id, _ in found}):
        anonymize(owner_id, [pk for each, pk in found if each == owner_id])
    return len(found)


def anonymize(owner_id: UUID, comment_ids: Collection[UUID]) -> None:
    comments = Comment.objects.filter(pk__in=comment_ids)
    try:
        [space] = lock_spaces({owner_id}).values()
    except get_user_model().DoesNotExist:  # erased, too: nobody sees its tasks
        comments.update(author_id=None)
        return
    comments.update(author_id=None, version=F("version") + 1, revision=space.revision)
    if usage.is_limited():
        usage.follow(owner_id, space.revision)
