"""Labels, and which tasks have them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from unicodedata import normalize
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q


def label_key(name: str) -> str:
    """What two spellings of one label have in common."""
    return normalize("NFC", normalize("NFC", name).casefold())


class Label(models.Model):
    """A name that the tasks of one space can have."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="labels", db_index=False
    )
    name = models.CharField(max_length=50)
    # The name as it is compared: case and composition make no difference.
    key = models.CharField(max_length=200, editable=False)
    color = models.CharField(max_length=7, null=True, blank=True)
    version = models.PositiveBigIntegerField(default=1, editable=False)
    # The owner's revision that wrote this row.
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="label_once")
        ]
        indexes = [models.Index(fields=["owner", "revision"], name="label_revision")]

    def __str__(self) -> str:
        return self.name

    def apply(self, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Set the values that differ; returns the previous ones, and counts a version
        if there are any.
        """
        before = {k: old for k, v in values.items() if (old := getattr(self, k)) != v}
        for name in before:
            setattr(self, name, values[name])
        if before:
            self.key = label_key(self.name)
            self.version += 1
            self.updated_at = now
        return before


# Of tasks that are not in the trash.
LIVE = Q(project__isnull=False)


class TaskLabel(models.Model):
    """A label on a task; the names are on the task itself, too."""

    task = models.ForeignKey(
        "tasks.Task",
        models.CASCADE,
        related_name="task_labels",
        db_index=False,
        db_constraint=False,  # in the database it is ON DELETE CASCADE
    )
    label = models.ForeignKey(
        Label, models.CASCADE, related_name="task_labels", db_index=False
    )
    # The task's, which never changes: lists by label are read in its order.
    task_created_at = models.DateTimeField()
    # The task's, and null while it is in the trash: such tasks are counted without
    # being read.
    project = models.ForeignKey(
        "tasks.Project",
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "label"], name="label_once_a_task")
        ]
        indexes = [
            models.Index(
                fields=["label", "task_created_at", "task"],
                include=["project"],
                condition=LIVE,
                name="task_of_label",
            ),
            models.Index(
                fields=["label", "project", "task_created_at", "task"],
                condition=LIVE,
                name="task_of_label_in_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label_id} on {self.task_id}"
