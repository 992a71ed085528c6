"""Exports of the tasks of any users, and the continuation of a partial file."""

from collections.abc import Iterator
from typing import Any, BinaryIO
from uuid import UUID

from django.contrib.auth import get_user_model

from tasks.exports.formats import COLUMNS
from tasks.exports.snapshot import Snapshot
from tasks.imports.parsers import READERS
from tasks.models import Task
from tasks.serializers import TaskSerializer

Last = tuple[UUID, UUID]
EXPORT_COLUMNS = [*COLUMNS, "email"]


def pages(
    user: Any = None, after: Last | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Yield live tasks by user id and task id, each user's as of one moment.

    `after` is the user id and task id of the last row that was exported before.
    """
    show = TaskSerializer().to_representation
    for owner in [user] if user else owners(after):
        tasks = Task.objects.filter(user_id=owner.pk).live().order_by("id")
        if after and after[0] == owner.pk:
            tasks = tasks.filter(pk__gt=after[1])
        for page in Snapshot(tasks).pages():
            yield [show(task) | {"email": owner.email} for task in page]


def with_owners(snapshot: Snapshot) -> Iterator[list[dict[str, Any]]]:
    """Yield tasks with the addresses of their users, which the source must select."""
    show = TaskSerializer().to_representation
    for page in snapshot.pages():
        yield [show(task) | {"email": task.user.email} for task in page]


def owners(after: Last | None, size: int = 500) -> Iterator[Any]:
    """Yield users by id, from the user of `after` on."""
    users: Any = get_user_model()._default_manager.order_by("pk")
    found = list((users.filter(pk__gte=after[0]) if after else users)[:size])
    while found:
        yield from found
        found = list(users.filter(pk__gt=found[-1].pk)[:size])


def truncate_partial_row(file: BinaryIO, format: str) -> tuple[int, Last | None]:
    """Truncate a partial last row; return the number of rows left, and the last."""
    count, end, last = 0, 0, None
    for record in READERS[format](file):
        if record.problem or not record.is_ended:
            break
        count, end, last = count + 1, record.end, record.row
    file.truncate(end)
    file.seek(end)
    return count, last and (UUID(last["userId"]), UUID(last["id"]))
