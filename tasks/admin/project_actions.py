"""What can be done with many projects at once."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from taskapi.api.preconditions import NO_PRECONDITION
from tasks.admin.actions import author_of
from tasks.admin.errors import perform_each
from tasks.models import Project
from tasks.operations.projects import (
    delete_project,
    restore_project,
    update_project,
)

LIVE = Q(deleted_at=None)


@admin.action(description="Archive the chosen projects")
def archive(
    model_admin: admin.ModelAdmin, request: HttpRequest, projects: QuerySet[Project]
) -> None:
    def perform(project: Project) -> None:
        values = {"archived_at": timezone.now()}
        update_project(project.pk, values, author_of(request, project.owner_id))

    chosen = projects.filter(LIVE, archived_at=None)
    perform_each(model_admin, request, chosen, perform, "Archived {} project(s).")


@admin.action(description="Take the chosen projects out of the archive")
def unarchive(
    model_admin: admin.ModelAdmin, request: HttpRequest, projects: QuerySet[Project]
) -> None:
    def perform(project: Project) -> None:
        values: dict[str, Any] = {"archived_at": None}
        update_project(project.pk, values, author_of(request, project.owner_id))

    chosen = projects.filter(LIVE).exclude(archived_at=None)
    done = "Took {} project(s) out of the archive."
    perform_each(model_admin, request, chosen, perform, done)


@admin.action(description="Move the chosen projects to the trash")
def trash(
    model_admin: admin.ModelAdmin, request: HttpRequest, projects: QuerySet[Project]
) -> None:
    def perform(project: Project) -> None:
        context = author_of(request, project.owner_id)
        delete_project(project.pk, context, NO_PRECONDITION)

    done = "Moved {} project(s) to the trash."
    perform_each(model_admin, request, projects.filter(LIVE), perform, done)


@admin.action(description="Restore the chosen projects from the trash")
def restore(
    model_admin: admin.ModelAdmin, request: HttpRequest, projects: QuerySet[Project]
) -> None:
    def perform(project: Project) -> None:
        context = author_of(request, project.owner_id)
        restore_project(project.pk, context, NO_PRECONDITION)

    chosen = projects.exclude(LIVE)
    perform_each(model_admin, request, chosen, perform, "Restored {} project(s).")


ALL = (archive, unarchive, trash, restore)
