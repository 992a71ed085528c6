"""Tasks and what is remembered about them; every rule about a task lives here."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import models
from django.db.models import Count, Q

from tasks.instances import new


class Status(models.TextChoices):
    TODO = "TODO"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"


class Priority(models.IntegerChoices):
    """Numbers, so that sorting by priority sorts by urgency; the wire has the names."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    URGENT = 4


# Counting is what grows with the number of tasks; a count stops here.
MOST_COUNTED = 10_000
LIVE, TRASHED = Q(deleted_at__isnull=True), Q(deleted_at__isnull=False)


# True of every task. The admin's indexes are for who says so.
OF_ALL_OWNERS = Q(version__gt=0)


class TaskQuerySet(models.QuerySet["Task"]):
    def owned_by(self, user_id: UUID) -> Self:
        return self.filter(user_id=user_id)

    def live(self) -> Self:
        return self.filter(LIVE)

    def trashed(self) -> Self:
        return self.filter(TRASHED)

    def overdue(self, now: datetime) -> Self:
        return self.filter(Q(due_at__lt=now) & ~Q(status=Status.DONE))

    def not_overdue(self, now: datetime) -> Self:
        return self.filter(Q(due_at=None) | Q(due_at__gte=now) | Q(status=Status.DONE))

    def unmoved_since(self, revision: int) -> Self:
        """Without the tasks that were written after the owner's `revision`."""
        return self.filter(revision__lte=revision)

    def expired(self, now: datetime) -> Self:
        """Trash past its retention."""
        kept = timedelta(days=settings.TRASH_RETENTION_DAYS)
        return self.filter(deleted_at__lt=now - kept)

    def destroy_batch(self, size: int = 2000) -> int:
        """Remove up to `size` of these tasks with their history; how many there were.

        Call in a transaction. The tasks are locked first, in one order: one that is
        restored meanwhile keeps its history, and nobody waits in a circle.
        """
        rows = self.select_for_update().order_by("pk")
        pks = list(rows.values_list("pk", flat=True)[:size])
        for model, field, values in [
            (Change, "task_id", pks),
            (LogEntry, "object_id", [str(pk) for pk in pks]),
            (Task, "pk", pks),
        ]:
            # Not .delete(): it would load every row to look for what refers to it.
            gone = model._default_manager.filter(**{f"{field}__in": values})
            gone._raw_delete(using=self.db)
        return len(pks)

    def stats(self, now: datetime) -> dict[str, int]:
        """Counts of these tasks: `total`, a status or priority name, `overdue`, and
        `due_today` (the UTC day of `now`).

        Only the newest `MOST_COUNTED` are counted; `is_exact` tells if these are all.
        """
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        open_ = ~Q(status=Status.DONE)
        counts = {s.value: Count("pk", Q(status=s)) for s in Status}
        counts |= {p.name: Count("pk", Q(priority=p)) for p in Priority}
        counts["overdue"] = Count("pk", Q(due_at__lt=now) & open_)
        today = Q(due_at__gte=day, due_at__lt=day + timedelta(days=1))
        counts["due_today"] = Count("pk", today & open_)
        newest = self.order_by("-created_at", "-id")
        found = newest[:MOST_COUNTED].aggregate(total=Count("pk"), **counts)
        is_full = found["total"] == MOST_COUNTED
        more = is_full and newest[MOST_COUNTED : MOST_COUNTED + 1].exists()
        return found | {"is_exact": not more}


def etag(version: int) -> str:
    """What names this version of a task."""
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
        # Migration 0002 adds what only PostgreSQL has: due_at descending with nulls
        # last, and trigrams for `q`.
        indexes = [
            models.Index(
                fields=["user", *keys, "id"],
                include=covered,
                name=name,
                condition=LIVE,
            )
            for name, keys, covered in (
                ("task_created", ["created_at"], []),
                ("task_title", ["title"], []),
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

    class Forbidden(Exception):
        """Somebody else's task."""

    def __str__(self) -> str:
        return self.title

    @property
    def etag(self) -> str:
        return etag(self.version)

    def readable_by(self, user_id: UUID) -> Self:
        if self.user_id != user_id:
            raise self.Forbidden
        return self

    def change(self, values: Mapping[str, Any], *, now: datetime) -> "Change | None":
        """Take new values in memory and return what to remember, or None if nothing
        changed. Completion follows the status, unless it is given; the version counts
        the change.
        """
        before = self.take(values, now=now)
        if not before:
            return None
        self.version += 1
        self.updated_at = now
        return Change.since(before, self)

    def take(self, values: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
        """Set what differs, with the completion that follows; what it was before."""
        values = dict(values)
        if "status" in values and values["status"] != self.status:
            is_done = values["status"] == Status.DONE
            values.setdefault("completed_at", now if is_done else None)
        before = {k: old for k, v in values.items() if (old := getattr(self, k)) != v}
        for name in before:
            setattr(self, name, values[name])
        return before

    def history_of_creation(self) -> "Change":
        named = (name for name in Change.FIELDS if getattr(self, name) is not None)
        return Change.since(dict.fromkeys(named), self)


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
        Task, models.CASCADE, related_name="changes", db_index=False
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
    def since(cls, before: Mapping[str, Any], task: Task) -> Self:
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


class StoredAnswer(models.Model):
    """The answer to a request with an Idempotency-Key, kept to be given again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.TextField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="answer_once_a_key")
        ]

    def __str__(self) -> str:
        return self.key
