"""The data of a user in this app (see settings.PERSONAL_DATA)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Count, QuerySet, Value

from taskapi.db.batches import delete_batch
from taskapi.db.holdings import Holding
from taskapi.db.pages import in_pages
from tasks.comments import comment_to_dict
from tasks.models import (
    Comment,
    Delivery,
    IdempotencyRecord,
    Task,
    TaskChange,
    TaskQuerySet,
    Webhook,
)
from tasks.operations.comments import anonymize_batch
from tasks.serializers import TaskChangeSerializer, TrashedTaskSerializer
from tasks.webhooks.serialize import webhook_to_dict

MAX_CHANGES = 5000  # whose sizes are held at once
# The response to a batch is as long as so many other rows.
RECORD_ROWS = 20


def export(user: AbstractBaseUser) -> Iterator[tuple[str, Iterable[Any]]]:
    """Yield the name and the rows of each kind of data that this app stores."""
    tasks = Task.objects.filter(user_id=user.pk)
    show_task = TrashedTaskSerializer().to_representation
    yield "tasks", (show_task(task) for task in rows(tasks, Task.TEXT_OCTETS))
    show_change = TaskChangeSerializer().to_representation
    yield (
        "history",
        ({"taskId": each.task_id, **show_change(each)} for each in history(tasks)),
    )
    yield "comments", map(comment_to_dict, comments(user.pk))
    webhooks = Webhook.objects.filter(user_id=user.pk).order_by("created_at", "id")
    yield "webhooks", map(webhook_to_dict, webhooks)
    records = IdempotencyRecord.objects.filter(user_id=user.pk)
    yield (
        "idempotencyKeys",
        (
            {
                "key": record.key,
                "status": record.status,
                "body": record.body,
                "createdAt": record.created_at,
            }
            for record in rows(records, IdempotencyRecord.OCTETS)
        ),
    )


def require_erasable(user_id: UUID) -> None:
    """Tasks and comments are of use to others in projects only."""


def holdings(user_ids: Sequence[UUID]) -> Iterator[Holding]:
    tasks = Task.objects.filter(user__in=user_ids)
    of_user = "user__id__exact={}&trash="
    yield Holding("tasks", tasks.live(), f"{of_user}no")
    yield Holding("tasks in the trash", tasks.trashed(), f"{of_user}yes")
    comments = Comment.objects.filter(task__user__in=user_ids)
    yield Holding("comments on these tasks", comments)
    written = Comment.objects.filter(author_id__in=user_ids)
    # Those on tasks of others stay, without their author.
    of_author = "author_id__exact={}"
    yield Holding("comments written", written, of_author, is_erased=False)


def rows(queryset: QuerySet[Any], size: Any, **options: Any) -> Iterator[Any]:
    for page in in_pages(queryset, size, **options):
        yield from page


def history(tasks: TaskQuerySet) -> Iterator[TaskChange]:
    """The changes of tasks, in few queries for many short histories and with bounded
    ones for a long history.
    """
    for page in in_pages(tasks.only("pk"), Value(0)):
        pks = [task.pk for task in page]
        changes = TaskChange.objects.filter(task__in=pks).order_by("task")
        counts = changes.values_list("task").annotate(number=Count("pk"))
        for group in in_groups(counts, MAX_CHANGES):
            # One task's are read by the index of its versions.
            key = "version" if len(group) == 1 else "pk"
            those = TaskChange.objects.filter(task__in=group)
            yield from rows(those, TaskChange.OCTETS, key=key, max_rows=MAX_CHANGES)


def comments(user_id: UUID) -> Iterator[Comment]:
    """Those that the account wrote, and then those of others on its own tasks."""
    written = Comment.objects.filter(author_id=user_id)
    yield from rows(written, Comment.OCTETS)
    tasks = Task.objects.filter(user_id=user_id)
    for page in in_pages(tasks.only("pk"), Value(0)):
        others = Comment.objects.filter(task__in=page).exclude(author_id=user_id)
        yield from rows(others, Comment.OCTETS)


def in_groups(counts: Iterable[tuple[UUID, int]], room: int) -> Iterator[list[UUID]]:
    """Tasks that have so many changes together, or one that has more."""
    group: list[UUID] = []
    total = 0
    for task_id, count in counts:
        if group and total + count > room:
            yield group
            group, total = [], 0
        group.append(task_id)
        total += count
    if group:
        yield group


def erase_batch(user_id: UUID, size: int) -> int:
    """Remove up to so many rows of an erased user; how many, 0 if none is left.

    What it wrote about the tasks of others stays, without its author.
    """
    records = IdempotencyRecord.objects.filter(user_id=user_id)
    return (
        Task.objects.filter(user_id=user_id).erase_batch(size)
        or anonymize_batch(user_id, size)
        or delete_batch(records, max(1, size // RECORD_ROWS))
        or delete_batch(Delivery.objects.filter(webhook__user_id=user_id), size)
        or delete_batch(Webhook.objects.filter(user_id=user_id), size)
    )
