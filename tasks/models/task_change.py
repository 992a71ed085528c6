"""The history of tasks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from django.db import models

from taskapi.db.instances import new
from taskapi.db.pages import octets
from tasks.fields import diff

if TYPE_CHECKING:  # tasks create their changes
    from tasks.models.tasks import Task


class TaskChange(models.Model):
    """One change of one task: who, when, and each field's value before and after."""

    task = models.ForeignKey(
        "tasks.Task", models.CASCADE, related_name="changes", db_index=False
    )
    version = models.PositiveIntegerField()
    # Not a foreign key: the history outlives the account of an administrator.
    changed_by = models.UUIDField(null=True)
    changed_at = models.DateTimeField()
    request_id = models.CharField(max_length=64, blank=True)
    fields = models.JSONField()

    OCTETS = octets("fields")

    class Meta:
        db_table = "tasks_change"
        constraints = [
            models.UniqueConstraint(
                fields=["task", "version"], name="change_once_a_version"
            )
        ]

    def __str__(self) -> str:
        return f"version {self.version}"

    @classmethod
    def from_diff(cls, before: Mapping[str, Any], task: "Task") -> Self:
        """From these values of some columns to those that the task has now."""
        created = {"version": task.version, "changed_at": task.updated_at}
        return new(cls, task_id=task.pk, fields=diff(before, task), **created)
