"""Tasks and the named queries of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import models
from django.db.models import Count, Q

from taskapi.api import time_zones
from taskapi.db.pages import octets
from tasks.fields import HISTORY_FIELDS
from tasks.models.choices import Priority, Status
from tasks.models.task_change import TaskChange
from tasks.models.usage import SpaceUsage

# Counting is what grows with the number of tasks; a count stops here.
MAX_COUNT = 10_000
LIVE, TRASHED = Q(deleted_at__isnull=True), Q(deleted_at__isnull=False)


# Always true; lets the planner use the admin's partial indexes.
ADMIN_INDEX_PREDICATE = Q(version__gt=0)


class TaskQuerySet(models.QuerySet["Task"]):
    def live(self) -> Self:
        return self.filter(LIVE)

    def trashed(self) -> Self:
        return self.filter(TRASHED)

    def overdue(self, now: datetime) -> Self:
        return self.filter(Q(due_at__lt=now) & ~Q(status=Status.DONE))

    def not_overdue(self, now: datetime) -> Self:
        return self.filter(Q(due_at=None) | Q(due_at__gte=now) | Q(status=Status.DONE))

    def expired(self, now: datetime) -> Self:
        """Trash past its retention."""
        kept = timedelta(days=settings.TRASH_RETENTION_DAYS)
        return self.filter(deleted_at__lt=now - kept)

    def hard_delete_batch(self, size: int = 2000) -> int:
        """Remove up to `size` of these tasks with their history; returns how many.

        Call in a transaction. The tasks are locked first, in one order: a task that is
        restored meanwhile keeps its history, and transactions do not deadlock.
        """
        rows = self.select_for_update().order_by("pk")
        pks = list(rows.values_list("pk", flat=True)[:size])
        SpaceUsage.subtract(self, pks)
        for model, field, values in [
            (TaskChange, "task_id", pks),
            (LogEntry, "object_id", [str(pk) for pk in pks]),
            (Task, "pk", pks),
        ]:
            # Not .delete(): it would load every row to look for what refers to it.
            rows_to_delete = model._default_manager.filter(**{f"{field}__in": values})
            rows_to_delete._raw_delete(using=self.db)
        return len(pks)

    def erase_batch(self, size: int) -> int:
        """Remove up to `size` changes of the first of these tasks, or those tasks once
        they have no more; returns how many rows.

        For owners who are erased: nobody else may see half of a history. Call in a
        transaction.
        """
        # In the order of an index that starts with the owner.
        tasks = self.order_by("updated_at", "pk")
        pks = list(tasks.values_list("pk", flat=True)[:size])
        changes = TaskChange.objects.filter(task__in=pks).values_list("pk", flat=True)
        change_pks = list(changes[:size])
        TaskChange.objects.filter(pk__in=change_pks)._raw_delete(using=self.db)
        if len(change_pks) == size:
            return size
        log = LogEntry.objects.filter(object_id__in=[str(pk) for pk in pks])
        log._raw_delete(using=self.db)
        Task.objects.filter(pk__in=pks)._raw_delete(using=self.db)
        return len(pks)

    def stats(self, now: datetime, zone: ZoneInfo) -> dict[str, int]:
        """Counts of these tasks: `total`, a status or priority name, `overdue`, and
        `due_today` (the day of `now` in `zone`).

        Only the newest `MAX_COUNT` are counted; `is_exact` is false if there are more.
        """
        start, end = time_zones.day_of(now, zone)
        open_ = ~Q(status=Status.DONE)
        counts = {s.value: Count("pk", Q(status=s)) for s in Status}
        counts |= {p.name: Count("pk", Q(priority=p)) for p in Priority}
        counts["overdue"] = Count("pk", Q(due_at__lt=now) & open_)
        today = Q(due_at__gte=start, due_at__lt=end)
        counts["due_today"] = Count("pk", today & open_)
        newest = self.order_by("-created_at", "-id")
        found = newest[:MAX_COUNT].aggregate(total=Count("pk"), **counts)
        is_full = found["total"] == MAX_COUNT
        more = is_full and newest[MAX_COUNT : MAX_COUNT + 1].exists()
        return found | {"is_exact": not more}


def etag(version: int) -> str:
    """The entity tag of this version of a task."""
    return f'"v{version}"'


class Task(models.Model):
    """Something to do, owned by one user."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="tasks", db_index=False
    )
    title = models.CharField(max_length=255)
    description = models.TextField(null=True, blank=True, max_length=5000)
    status = models.CharField(max_length=11, choices=Status, default=Status.TODO)
    priority = models.PositiveSmallIntegerField(
        choices=Priority, default=Priority.MEDIUM
    )
    due_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Counts the changes of this task: its ETag, and what If-Match compares.
    version = models.PositiveIntegerField(default=1, editable=False)
    # The owner's revision that wrote this row: orders it among the owner's changes.
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = TaskQuerySet.as_manager()
    TEXT_OCTETS = octets("title", "description")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="task_status_valid"
            ),
            models.CheckConstraint(
                condition=Q(priority__in=Priority.values), name="task_priority_valid"
            ),
            models.CheckConstraint(
                condition=Q(status=Status.DONE, completed_at__isnull=False)
                | (~Q(status=Status.DONE) & Q(completed_at__isnull=True)),
                name="task_completed_when_done",
            ),
            models.CheckConstraint(condition=~Q(title=""), name="task_title_not_empty"),
        ]
        # One index per sort, ending in the id that breaks ties; live tasks only,
        # because only the trash asks for others. What the other filters ask for is in
        # those of a filter, so that matches are counted without looking at the tasks.
        # Migrations 0002 and 0006 add what only PostgreSQL has: due_at descending with
        # nulls last, folded titles, and trigrams for `q`.
        indexes = [
            models.Index(
                fields=["user", *keys, "id"],
                include=covered,
                name=name,
                condition=LIVE,
            )
            for name, keys, covered in (
                ("task_created", ["created_at"], []),
                ("task_priority", ["priority"], []),
                ("task_of_status", ["status", "created_at"], ["priority", "due_at"]),
                ("task_of_priority", ["priority", "created_at"], ["status", "due_at"]),
                ("task_of_due", ["due_at"], ["status", "priority"]),
            )
        ] + [
            # With the trash: deleting a user asks for all tasks that refer to it.
            models.Index(fields=["user", "updated_at", "id"], name="task_updated"),
            models.Index(
                fields=["user", "deleted_at", "id"],
                name="task_trash",
                condition=TRASHED,
            ),
            models.Index(
                fields=["deleted_at"],
                name="task_trash_age",
                condition=TRASHED,
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def etag(self) -> str:
        return etag(self.version)

    def apply(self, values: Mapping[str, Any], *, now: datetime) -> TaskChange | None:
        """Set new values in memory and return the change, or None if nothing differs.

        `completed_at` follows the status, unless it is given; a change increments the
        version.
        """
        before = self.apply_values(values, now=now)
        if not before:
            return None
        self.version += 1
        self.updated_at = now
        return TaskChange.from_diff(before, self)

    def apply_values(
        self, values: Mapping[str, Any], *, now: datetime
    ) -> dict[str, Any]:
        """Set the values that differ; returns the previous ones of these columns."""
        values = dict(values)
        if "status" in values and values["status"] != self.status:
            is_done = values["status"] == Status.DONE
            values.setdefault("completed_at", now if is_done else None)
        before = {k: old for k, v in values.items() if (old := getattr(self, k)) != v}
        for name in before:
            setattr(self, name, values[name])
        return before

    def creation(self) -> TaskChange:
        """The first entry of the history."""
        present = (name for name in HISTORY_FIELDS if getattr(self, name) is not None)
        return TaskChange.from_diff(dict.fromkeys(present), self)
