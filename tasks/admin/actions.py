from collections.abc import Iterable, Iterator
from typing import cast
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from tasks.access import TaskNotFound
from tasks.exports import csv_format
from tasks.exports.files import EXPORT_COLUMNS, with_owners
from tasks.exports.formats import CSV
from tasks.exports.snapshot import Snapshot
from tasks.models import LIVE, Status, Task
from tasks.operations import ActorContext, Delete, Operation, Update, perform_one


def author_of(request: HttpRequest, task: Task) -> ActorContext:
    actor_id = cast(UUID, request.user.pk)
    request_id = request.META["HTTP_X_REQUEST_ID"]
    now = timezone.now()
    return ActorContext(task.user_id, actor_id, request_id, now, obeys_quotas=False)


def perform_each(
    request: HttpRequest,
    tasks: Iterable[Task],
    operation: type[Operation],
    **values: str,
) -> int:
    """Perform an operation on each task in its own transaction; return their number."""
    count = 0
    for task in tasks:
        try:
            perform_one(operation(values, task.pk), author_of(request, task))
        except TaskNotFound:
            continue  # deleted since the list was read
        count += 1
    return count


@admin.action(description="Mark the chosen tasks as done")
def mark_done(
    model_admin: admin.ModelAdmin, request: HttpRequest, tasks: QuerySet[Task]
) -> None:
    open_ = tasks.filter(LIVE).exclude(status=Status.DONE)
    count = perform_each(request, open_, Update, status=Status.DONE)
    model_admin.message_user(request, f"Marked {count} task(s) as done.")


@admin.action(description="Move the chosen tasks to the trash")
def trash(
    model_admin: admin.ModelAdmin, request: HttpRequest, tasks: QuerySet[Task]
) -> None:
    count = perform_each(request, tasks.filter(LIVE), Delete)
    model_admin.message_user(request, f"Moved {count} task(s) to the trash.")


@admin.action(description="Export the chosen tasks as CSV")
def export_csv(
    model_admin: admin.ModelAdmin, request: HttpRequest, tasks: QuerySet[Task]
) -> StreamingHttpResponse:
    def rows() -> Iterator[str]:
        snapshot = Snapshot(tasks, source=Task.objects.select_related("user"))
        return csv_format.write(with_owners(snapshot), EXPORT_COLUMNS)

    return CSV.attachment(request.user.pk, rows)
