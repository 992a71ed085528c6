from collections.abc import Iterator
from typing import cast
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from tasks.admin.errors import perform_each
from tasks.exports import csv_format
from tasks.exports.files import EXPORT_COLUMNS, with_owners
from tasks.exports.formats import CSV
from tasks.exports.snapshot import Snapshot
from tasks.models import LIVE, TRASHED, Status, Task
from tasks.operations import ActorContext, Delete, Restore, Update, perform_one


def author_of(request: HttpRequest, owner_id: UUID) -> ActorContext:
    """The administrator, with the access of the owner."""
    actor_id = cast(UUID, request.user.pk)
    request_id = request.META["HTTP_X_REQUEST_ID"]
    now = timezone.now()
    return ActorContext(owner_id, actor_id, request_id, now, obeys_quotas=False)


@admin.action(description="Mark the chosen tasks as done")
def mark_done(
    model_admin: admin.ModelAdmin, request: HttpRequest, tasks: QuerySet[Task]
) -> None:
    def perform(task: Task) -> None:
        operation = Update({"status": Status.DONE}, task.pk)
        perform_one(operation, author_of(request, task.user_id))

    open_ = tasks.filter(LIVE).exclude(status=Status.DONE)
    perform_each(model_admin, request, open_, perform, "Marked {} task(s) as done.")


@admin.action(description="Move the chosen tasks to the trash")
def trash(
    model_admin: admin.ModelAdmin, request: HttpRequest, tasks: QuerySet[Task]
) -> None:
    def perform(task: Task) -> None:
        # A subtask may have gone with its parent, which was chosen as well.
        if Task.objects.live().filter(pk=task.pk).exists():
            perform_one(Delete(id=task.pk), author_of(request, task.user_id))

    done = "Moved {} task(s) to the trash."
    perform_each(model_admin, request, tasks.filter(LIVE), perform, done)


@admin.action(description="Restore the chosen tasks from the trash")
def restore(
    model_admin: admin.ModelAdmin, request: HttpRequest, tasks: QuerySet[Task]
) -> None:
    def perform(task: Task) -> None:
        # A subtask may have come back with its parent, which was chosen as well.
        if not Task.objects.live().filter(pk=task.pk).exists():
            perform_one(Restore(id=task.pk), author_of(request, task.user_id))

    done = "Restored {} task(s)."
    perform_each(model_admin, request, tasks.filter(TRASHED), perform, done)


@admin.action(description="Export the chosen tasks as CSV")
def export_csv(
    model_admin: admin.ModelAdmin, request: HttpRequest, tasks: QuerySet[Task]
) -> StreamingHttpResponse:
    def rows() -> Iterator[str]:
        snapshot = Snapshot(tasks, source=Task.objects.select_related("user"))
        return csv_format.write(with_owners(snapshot), EXPORT_COLUMNS)

    return CSV.attachment(request.user.pk, rows)
