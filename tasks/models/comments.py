"""Comments on tasks."""

from collections.abc import Sequence
from itertools import accumulate
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Count

from taskapi.db.pages import octets


def comment_etag(version: int) -> str:
    return f'"v{version}"'


class Comment(models.Model):
    """What somebody wrote about a task; not part of the task's version."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    task = models.ForeignKey(
        "tasks.Task",
        models.CASCADE,
        related_name="comments",
        db_index=False,
        db_constraint=False,  # in the database it is ON DELETE CASCADE
    )
    # Not a foreign key: a comment outlives the account that wrote it, then None.
    author_id = models.UUIDField(null=True, blank=True, editable=False)
    text = models.TextField(max_length=10_000)
    version = models.PositiveBigIntegerField(default=1, editable=False)
    # The revision of the task's owner that wrote this row.
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    # Of the task: its owner, and the project that it is or was in. A task that comes
    # into a project, or out of the trash, writes its comments anew.
    owner_id = models.UUIDField(null=True, editable=False)
    project_id = models.UUIDField(null=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    OCTETS = octets("text")

    class Meta:
        indexes = [
            models.Index(fields=["task", "created_at", "id"], name="comment_order"),
            models.Index(fields=["author_id"], name="comment_author"),
            models.Index(fields=["owner_id", "revision", "id"], name="comment_changes"),
            models.Index(
                fields=["project_id", "revision", "id"], name="comment_changes_in"
            ),
        ]

    def __str__(self) -> str:
        return self.text[:50]

    @classmethod
    def first_tasks(cls, task_ids: Sequence[UUID], room: int) -> Sequence[UUID]:
        """As many of the tasks, in order, as have so many comments together; the first
        one always.
        """
        comments = cls._default_manager.filter(task__in=task_ids).order_by()
        counts = dict(comments.values_list("task").annotate(number=Count("pk")))
        totals = accumulate(counts.get(pk, 0) for pk in task_ids)
        fitting = sum(total <= room for total in totals)
        return task_ids[: max(1, fitting)]
