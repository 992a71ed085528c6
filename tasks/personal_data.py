"""The data of a user in this app (see settings.PERSONAL_DATA)."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet

from tasks.models import IdempotencyRecord, Task, TaskChange
from tasks.serializers import TaskChangeSerializer, TrashedTaskSerializer


def export(user: AbstractBaseUser) -> Iterator[tuple[str, Iterable[Any]]]:
    """Yield the name and the rows of each kind of data that this app stores."""
    tasks = Task.objects.filter(user_id=user.pk)
    show_task = TrashedTaskSerializer().to_representation
    yield "tasks", (show_task(task) for chunk in in_chunks(tasks) for task in chunk)
    show_change = TaskChangeSerializer().to_representation
    yield (
        "history",
        (
            {"taskId": change.task_id, **show_change(change)}
            for chunk in in_chunks(tasks.only("pk"))
            for change in TaskChange.objects.filter(task__in=chunk).order_by(
                "task", "id"
            )
        ),
    )
    responses = IdempotencyRecord.objects.filter(user_id=user.pk)
    yield (
        "idempotencyKeys",
        (
            {
                "key": response.key,
                "status": response.status,
                "body": response.body,
                "createdAt": response.created_at,
            }
            for chunk in in_chunks(responses)
            for response in chunk
        ),
    )


def in_chunks(rows: QuerySet[Any], size: int = 500) -> Iterator[list[Any]]:
    """Yield all rows by the primary key, with a query for each chunk.

    Not with a cursor: it would keep a transaction open for a slow reader, and does not
    work behind PgBouncer.
    """
    rows = rows.order_by("pk")
    chunk = list(rows[:size])
    while chunk:
        yield chunk
        chunk = list(rows.filter(pk__gt=chunk[-1].pk)[:size])


def erase_owned(user: AbstractBaseUser) -> None:
    # In batches: the cascade of the user would load every row.
    while Task.objects.filter(user_id=user.pk).hard_delete_batch():
        pass
    IdempotencyRecord.objects.filter(user_id=user.pk)._raw_delete(using="default")
