"""Tasks and the named queries of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import uuid4

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import models
from django.db.models import F, Q

from taskapi.db.pages import octets
from taskapi.db.text import BytewiseCharField
from tasks.fields import HISTORY_FIELDS
from tasks.models.choices import Priority, Status
from tasks.models.comments import Comment
from tasks.models.labels import TaskLabel
from tasks.models.task_change import TaskChange
from tasks.models.trash import EmptiedTrash
from tasks.models.usage import SpaceUsage

# Of the tasks that one transaction removes, unless a single one has more.
MAX_COMMENTS_AT_ONCE = 10_000
LIVE, TRASHED = Q(deleted_at__isnull=True), Q(deleted_at__isnull=False)


# Always true; lets the planner use the admin's partial indexes.
ADMIN_INDEX_PREDICATE = Q(version__gt=0)


class TaskQuerySet(models.QuerySet["Task"]):
    def live(self) -> Self:
        return self.filter(LIVE)

    def trashed(self) -> Self:
        return self.filter(TRASHED & ~EmptiedTrash.of_task())

    def emptied(self) -> Self:
        """Those that were emptied out of the trash; their rows are still to go."""
        return self.filter(TRASHED & EmptiedTrash.of_task())

    def exclude_emptied(self) -> Self:
        return self.exclude(TRASHED & EmptiedTrash.of_task())

    def overdue(self, now: datetime) -> Self:
        is_over = Q(day_ends_at=None) | Q(day_ends_at__lte=now)
        return self.filter(Q(due_at__lt=now) & ~Q(status=Status.DONE) & is_over)

    def not_overdue(self, now: datetime) -> Self:
        is_open = Q(due_at=None) | Q(due_at__gte=now) | Q(day_ends_at__gt=now)
        return self.filter(is_open | Q(status=Status.DONE))

    def expired(self, now: datetime) -> Self:
        """Trash past its retention."""
        kept = timedelta(days=settings.TRASH_RETENTION_DAYS)
        return self.filter(deleted_at__lt=now - kept)

    def hard_delete_batch(self, size: int = 2000) -> int:
        """Remove up to `size` of these tasks with all that is stored about them, or
        fewer, but one at least, if they have many comments; returns how many.

        Call in a transaction. The tasks are locked first, in one order: a task that is
        restored meanwhile keeps its history, and transactions do not deadlock.
        """
        rows = self.select_for_update().order_by("pk")
        locked = list(rows.values_list("pk", flat=True)[:size])
        pks = Comment.first_tasks(locked, MAX_COMMENTS_AT_ONCE)
        SpaceUsage.subtract(self, pks)
        for model, field, values in [
            (Comment, "task_id", pks),
            (TaskLabel, "task_id", pks),
            (TaskChange, "task_id", pks),
            (LogEntry, "object_id", [str(pk) for pk in pks]),
            (Task, "pk", pks),
        ]:
            # Not .delete(): it would load every row to look for what refers to it.
            rows_to_delete = model._default_manager.filter(**{f"{field}__in": values})
            rows_to_delete._raw_delete(using=self.db)
        return len(pks)

    def erase_batch(self, size: int) -> int:
        """Remove up to `size` changes, comments and labels of the first of these tasks,
        or those tasks once they have no more; returns how many rows.

        For owners who are erased: nobody else may see half of a history. Call in a
        transaction.
        """
        # In the order of an index that starts with the owner.
        tasks = self.order_by("updated_at", "pk")
        pks = list(tasks.values_list("pk", flat=True)[:size])
        models_of_task: tuple[type[models.Model], ...] = (
            TaskChange,
            Comment,
            TaskLabel,
        )
        for model in models_of_task:
            rows = model._default_manager.filter(task__in=pks)
            row_pks = list(rows.values_list("pk", flat=True)[:size])
            found = model._default_manager.filter(pk__in=row_pks)
            found._raw_delete(using=self.db)
            if len(row_pks) == size:
                return size
        log = LogEntry.objects.filter(object_id__in=[str(pk) for pk in pks])
        log._raw_delete(using=self.db)
        Task.objects.filter(pk__in=pks)._raw_delete(using=self.db)
        return len(pks)


def etag(version: int) -> str:
    """The entity tag of this version of a task."""
    return f'"v{version}"'


class Task(models.Model):
    """Something to do, owned by one user."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="tasks", db_index=False
    )
    # Not a foreign key: a task outlives the account of a member who made it.
    created_by_id = models.UUIDField(null=True, blank=True, editable=False)
    # Without a constraint in the database: it would lock the project's row for each
    # new task. Both are written under the owner's row only.
    project = models.ForeignKey(
        "tasks.Project",
        models.DO_NOTHING,
        related_name="tasks",
        db_index=False,
        db_constraint=False,
    )
    parent = models.ForeignKey(
        "self",
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="subtasks",
        db_index=False,
        db_constraint=False,
    )
    title = models.CharField(max_length=255)
    description = models.TextField(null=True, blank=True, max_length=5000)
    status = models.CharField(max_length=11, choices=Status, default=Status.TODO)
    priority = models.PositiveSmallIntegerField(
        choices=Priority, default=Priority.MEDIUM
    )
    # The names in alphabetical order, separated by commas: a list reads no other table.
    # TaskLabel has the same for filters.
    labels = models.TextField(blank=True, default="", db_default="", editable=False)
    assignee_id = models.UUIDField(null=True, blank=True)
    start_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    # Due on a whole day of the time zone; then `due_at` is its first moment, and
    # `day_ends_at` the first of the next day.
    is_all_day = models.BooleanField(default=False, db_default=False)
    time_zone = models.CharField(max_length=64, null=True, blank=True)
    day_ends_at = models.DateTimeField(null=True, blank=True, editable=False)
    # What the clock shows then, kept as if it were UTC: a day is compared with days.
    due_local = models.DateTimeField(null=True, blank=True, editable=False)
    # The origin, time zone and rule, as tasks.fields.split_recurrence reads them.
    recurrence = models.TextField(null=True, blank=True, editable=False)
    # The id of the first task of the series.
    series_id = models.UUIDField(null=True, blank=True, editable=False)
    next_task_id = models.UUIDField(null=True, blank=True, editable=False)
    previous_task_id = models.UUIDField(null=True, blank=True, editable=False)
    completed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Orders the tasks of one parent; see tasks.positions.
    position = BytewiseCharField(
        max_length=1000, default="", db_default="", editable=False
    )
    # Counts the changes of this task: its ETag, and what If-Match compares.
    version = models.PositiveIntegerField(default=1, editable=False)
    # The owner's revision that wrote this row: orders it among the owner's changes.
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The task with which this one went to the trash: they come back together.
    deleted_with_id = models.UUIDField(null=True, blank=True, editable=False)
    # The version with which the task came into its project: members of the project see
    # no older history.
    project_version = models.PositiveIntegerField(
        default=1, db_default=1, editable=False
    )

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
            # A series does not fork, whoever writes.
            models.UniqueConstraint(
                fields=["previous_task_id"],
                condition=Q(previous_task_id__isnull=False),
                name="task_follows_once",
            ),
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
                ("task_overdue", ["due_at"], ["status", "priority", "day_ends_at"]),
                ("task_start", ["start_at"], []),
                ("task_completed", ["completed_at"], []),
                ("task_position", ["position"], []),
            )
        ] + [
            models.Index(
                fields=["project", "created_at", "id"],
                name="task_of_project",
                condition=LIVE,
            ),
            models.Index(
                fields=["project", "parent", "position", "id"],
                name="task_siblings",
                condition=LIVE,
            ),
            models.Index(
                fields=["parent", "created_at", "id"],
                name="task_of_parent",
                condition=Q(parent__isnull=False),
            ),
            models.Index(
                fields=["user", "assignee_id", "created_at", "id"],
                name="task_of_assignee",
                condition=LIVE & Q(assignee_id__isnull=False),
            ),
            models.Index(
                fields=["user", "created_by_id", "created_at", "id"],
                name="task_made_by_others",
                condition=LIVE & ~Q(created_by_id=F("user_id")),
            ),
            models.Index(
                fields=["series_id", "created_at", "id"],
                name="task_of_series",
                condition=Q(series_id__isnull=False),
            ),
            models.Index(
                fields=["deleted_with_id"],
                name="task_deleted_with",
                condition=Q(deleted_with_id__isnull=False),
            ),
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
        present = {name for name in HISTORY_FIELDS if getattr(self, name) is not None}
        present -= {
            name for name in ("labels", "is_all_day") if not getattr(self, name)
        }
        return TaskChange.from_diff(dict.fromkeys(present), self)
