"""What is remembered about tasks, and how a value is written down."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models

from taskapi.db.instances import new
from tasks.models.choices import Priority

if TYPE_CHECKING:  # tasks make their changes
    from tasks.models.tasks import Task


class Change(models.Model):
    """One change of one task: who, when, and each field's value before and after."""

    # Model field -> its name on the wire.
    FIELDS = {
        "title": "title",
        "description": "description",
        "status": "status",
        "priority": "priority",
        "due_at": "dueDate",
        "completed_at": "completedAt",
        "deleted_at": "deletedAt",
    }

    task = models.ForeignKey(
        "tasks.Task", models.CASCADE, related_name="changes", db_index=False
    )
    version = models.PositiveIntegerField()
    # Not a foreign key: the trail outlives the account of an administrator.
    changed_by = models.UUIDField(null=True)
    changed_at = models.DateTimeField()
    request_id = models.CharField(max_length=64, blank=True)
    fields = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task", "version"], name="change_once_a_version"
            )
        ]

    def __str__(self) -> str:
        return f"version {self.version}"

    @classmethod
    def since(cls, before: Mapping[str, Any], task: "Task") -> Self:
        """From these values of some fields to those that the task has now."""
        fields = [
            {
                "field": wire,
                "from": plain(name, before[name]),
                "to": plain(name, getattr(task, name)),
            }
            for name, wire in cls.FIELDS.items()
            if name in before
        ]
        made = {"version": task.version, "changed_at": task.updated_at}
        return new(cls, task_id=task.pk, fields=fields, **made)


def plain(field: str, value: Any) -> Any:
    """A field's value as the wire has it."""
    if isinstance(value, datetime):
        return in_utc(value)
    return Priority(value).name if field == "priority" and value else value


def in_utc(value: datetime) -> str:
    """A time that is in UTC, as they all are, the way RFC 3339 writes it."""
    return value.isoformat().replace("+00:00", "Z")
