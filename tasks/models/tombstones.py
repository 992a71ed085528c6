"""What is no longer there to be seen, for those who follow changes."""

from django.db import models
from django.db.models import Q


class Kind(models.IntegerChoices):
    PROJECT = 1
    MEMBER = 2
    LABEL = 3
    TASK = 4
    COMMENT = 5


class Tombstone(models.Model):
    """Something that was destroyed, or a task that left a project.

    `revision` is the owner's that wrote it. Who follows a whole space finds it by the
    owner, who follows a project by that; a task that only left its project is in its
    space still, so that tombstone has no owner. None is kept longer than a sync token
    is good for (tasks.sync.state).
    """

    # Not foreign keys: a tombstone outlives what it tells of.
    owner_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    kind = models.SmallIntegerField(choices=Kind)
    # Of a member, the account.
    object_id = models.UUIDField()
    revision = models.BigIntegerField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["owner_id", "revision", "object_id"],
                condition=Q(owner_id__isnull=False),
                name="tombstone_of_space",
            ),
            models.Index(
                fields=["project_id", "revision", "object_id"],
                condition=Q(project_id__isnull=False),
                name="tombstone_of_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{Kind(self.kind).label} {self.object_id}"
