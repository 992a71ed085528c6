"""What this app holds about a person (see settings.PERSONAL_DATA)."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet

from tasks.models import IdempotencyRecord, Task, TaskChange
from tasks.serializers import TaskChangeSerializer, TrashedTaskSerializer


def export(user: AbstractBaseUser) -> Iterator[tuple[str, Iterable[Any]]]:
    """Name and rows of each kind of data that this app holds about the user."""
    tasks = Task.objects.filter(user_id=user.pk)
    show = TrashedTaskSerializer().to_representation
    yield "tasks", (show(task) for chunk in in_chunks(tasks) for task in chunk)
    tell = TaskChangeSerializer().to_representation
    yield (
        "history",
        (
            {"taskId": change.task_id, **tell(change)}
            for chunk in in_chunks(tasks.only("pk"))
            for change in TaskChange.objects.filter(task__in=chunk).order_by(
                "task", "id"
            )
        ),
    )
    answers = IdempotencyRecord.objects.filter(user_id=user.pk)
    yield (
        "idempotencyKeys",
        (
            {
                "key": a.key,
                "status": a.status,
                "body": a.body,
                "createdAt": a.created_at,
            }
            for chunk in in_chunks(answers)
            for a in chunk
        ),
    )


def in_chunks(rows: QuerySet[Any], size: int = 500) -> Iterator[list[Any]]:
    """All rows, a query for each chunk.

    Not by a cursor: a slow reader would keep its transaction open, and behind PgBouncer
    it would be another connection's.
    """
    rows = rows.order_by("pk")
    chunk = list(rows[:size])
    while chunk:
        yield chunk
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:size])


def erase_owned(user: AbstractBaseUser) -> None:
    # Before the user goes, in batches: the cascade would load every row.
    while Task.objects.filter(user_id=user.pk).hard_delete_batch():
        pass
    IdempotencyRecord.objects.filter(user_id=user.pk)._raw_delete(using="default")
