"""What this app holds about a person (see settings.PERSONAL_DATA)."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import F

from tasks.models import Change, StoredAnswer, Task
from tasks.serializers import ChangeSerializer, TrashedTaskSerializer


def export(user: AbstractBaseUser) -> Iterator[tuple[str, Iterable[Any]]]:
    """Name and rows of each kind of data that this app holds about the user."""
    tasks = Task.objects.owned_by(user.pk).order_by("created_at", "id")
    show = TrashedTaskSerializer().to_representation
    yield "tasks", (show(task) for task in tasks.iterator(chunk_size=500))
    changes = Change.objects.filter(task__user_id=user.pk).order_by("id")
    tell = ChangeSerializer().to_representation
    yield (
        "history",
        (
            {"taskId": change.task_id, **tell(change)}
            for change in changes.iterator(chunk_size=500)
        ),
    )
    answers = StoredAnswer.objects.filter(user_id=user.pk).order_by("id")
    yield (
        "idempotencyKeys",
        answers.values("key", "status", "body", createdAt=F("created_at")),
    )


def erase_owned(user: AbstractBaseUser) -> None:
    # Before the user goes, in batches: the cascade would load every row.
    while Task.objects.owned_by(user.pk).destroy_batch():
        pass
    StoredAnswer.objects.filter(user_id=user.pk)._raw_delete(using="default")
