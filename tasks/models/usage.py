from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Sum
from django.db.models.functions import Greatest

from tasks.models.comments import Comment
from tasks.models.task_change import TaskChange


class SpaceUsage(models.Model):
    """How much an account stores, while there are quotas (tasks.usage).

    `revision` is that of the owner as it was counted. Where the owner's has moved on
    without it, something was written that was not counted, and it is counted anew.
    """

    # No constraint in the database: the owner's row is locked by whoever writes this.
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, db_constraint=False
    )
    tasks = models.PositiveBigIntegerField()
    octets = models.PositiveBigIntegerField()
    revision = models.PositiveBigIntegerField()
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.tasks} tasks, {self.octets} bytes"

    @classmethod
    def subtract(cls, tasks: models.QuerySet[Any], pks: Collection[UUID]) -> None:
        """Uncount tasks that are about to be removed, in the same transaction.

        After their locks: a write of the owner locks tasks first, too, and then this.
        """
        # What was emptied out of the trash does not count (tasks.usage).
        removed = tasks.model._default_manager.filter(pk__in=pks).exclude_emptied()
        owners = removed.order_by().values_list("user_id")
        counted = cls.objects.filter(user__in=owners.distinct()).order_by("pk")
        for usage in list(counted.select_for_update()):
            of_owner = removed.filter(user_id=usage.pk)
            text = of_owner.aggregate(
                number=Count("pk"), octets=Sum(tasks.model.TEXT_OCTETS)
            )
            history = TaskChange.objects.filter(task__in=of_owner.values("pk"))
            more = history.aggregate(octets=Sum(TaskChange.OCTETS))
            comments = Comment.objects.filter(task__in=of_owner.values("pk"))
            talk = comments.aggregate(octets=Sum(Comment.OCTETS))
            octets = sum(each["octets"] or 0 for each in (text, more, talk))
            # The previous release counts no comments, so it may have counted less.
            left = Greatest(F("octets") - octets, 0)
            cls.objects.filter(pk=usage.pk).update(
                tasks=F("tasks") - text["number"], octets=left
            )
