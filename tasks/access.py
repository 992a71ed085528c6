"""The one place that decides who may do what with which tasks.

Every queryset of a view starts here, and every write asks here. Today there is one
rule: users see and edit the tasks of their own space, and no others.
"""

from typing import Any, Protocol
from uuid import UUID

from django.contrib.auth import get_user_model
from rest_framework.exceptions import NotFound, PermissionDenied

from tasks.models import Task, TaskQuerySet


class TaskNotFound(NotFound):
    default_detail = "Task not found."


class TaskForbidden(PermissionDenied):
    default_detail = "This task belongs to somebody else."


class Principal(Protocol):
    """`request.user`, or the placeholder for it in a compiled query."""

    @property
    def pk(self) -> Any: ...


def visible_to(principal: Principal) -> TaskQuerySet:
    """The tasks that may be read, live and deleted."""
    return Task.objects.filter(user_id=principal.pk)


def check_visible(owner_id: UUID, principal_id: UUID) -> None:
    """TaskForbidden where a task of this owner may not be read; TaskNotFound where the
    owner is erased and the task not yet removed.
    """
    if owner_id != principal_id:
        owners = get_user_model()._default_manager.filter(pk=owner_id)
        raise TaskForbidden if owners.exists() else TaskNotFound


def check_editable(owner_id: UUID, principal_id: UUID) -> None:
    """TaskForbidden where a task of this owner may not be written."""
    check_visible(owner_id, principal_id)


def get_task(principal: Principal, pk: UUID) -> Task:
    """A task, live or deleted; TaskNotFound, TaskForbidden."""
    task = Task.objects.filter(pk=pk).first()
    if task is None:
        raise TaskNotFound
    check_visible(task.user_id, principal.pk)
    return task
