"""Quotas: how many tasks an account may have, and how many bytes of text and history,
comments included.

Counted exactly, at the end of each write, under the owner's row. Nothing is counted
while there are no quotas.
"""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone
from rest_framework.exceptions import APIException

from tasks.models import Comment, SpaceUsage, Task, TaskChange

TEXTS = {"title", "description"}
# Before a write is refused, the count is made anew where it is older.
RECOUNT_AFTER = timedelta(hours=1)
COUNT_TIMEOUT = "20s"


class QuotaExceeded(APIException):
    """Waiting does not help."""

    status_code = 403
    error_code = "QUOTA_EXCEEDED"


def is_limited() -> bool:
    return bool(settings.QUOTA_TASKS or settings.QUOTA_BYTES)


def charge(
    owner_id: UUID,
    revision: int,
    *,
    tasks: int = 0,
    changes: Iterable[TaskChange] = (),
    octets: int = 0,
    is_refusable: bool,
    tells_figures: bool = True,
) -> None:
    """Count what a write has just added, in its transaction: tasks, their changes, and
    other bytes. QuotaExceeded; members of a project are told no figures of its owner.
    """
    octets += sum(map(added_octets, changes))
    usage = SpaceUsage.objects.select_for_update().filter(pk=owner_id).first()
    if usage is None or usage.revision != revision - 1:
        usage = count(owner_id)
    else:
        # The previous release counts no comments, so it may have counted less.
        usage.tasks, usage.octets = usage.tasks + tasks, max(0, usage.octets + octets)
    if is_refusable:
        usage = require_room(usage, tasks, octets, tells_figures=tells_figures)
    usage.revision = revision
    usage.save()


def require_room(
    usage: SpaceUsage, tasks: int, octets: int, *, tells_figures: bool
) -> SpaceUsage:
    excess = what_exceeds(usage, tasks, octets)
    if excess and usage.counted_at < timezone.now() - RECOUNT_AFTER:
        usage = count(usage.pk)
        excess = what_exceeds(usage, tasks, octets)
    if excess and not tells_figures:
        name = excess.partition(":")[0]
        raise QuotaExceeded(f"{name}: the owner of this project has used it up.")
    if excess:
        raise QuotaExceeded(excess)
    return usage


def require_room_for_label(count: int) -> None:
    """QuotaExceeded for a space that has so many labels.

    Members of its projects see the message, too, so it names no figures.
    """
    if count >= settings.QUOTA_LABELS:
        hint = "QUOTA_LABELS: this space has as many labels as a space may have."
        raise QuotaExceeded(hint)


def require_room_for_comment(count: int) -> None:
    """QuotaExceeded for a task that has so many comments. Members of the project see
    the message, too, so it names no figures.
    """
    if count >= settings.QUOTA_COMMENTS:
        hint = "QUOTA_COMMENTS: this task has as many comments as a task may have."
        raise QuotaExceeded(hint)


def what_exceeds(usage: SpaceUsage, tasks: int, octets: int) -> str:
    """The quota that a write has exceeded, in a sentence; empty if there is none."""
    if tasks and 0 < settings.QUOTA_TASKS < usage.tasks:
        return (
            f"QUOTA_TASKS: an account may have {settings.QUOTA_TASKS:,} tasks, with "
            "those in the trash. Remove some from the trash."
        )
    if octets > 0 and 0 < settings.QUOTA_BYTES < usage.octets:
        return (
            f"QUOTA_BYTES: an account may have {settings.QUOTA_BYTES:,} bytes of text "
            "and history. Delete tasks, and remove them from the trash."
        )
    return ""


def added_octets(change: TaskChange) -> int:
    """The bytes of a change as it is stored, and those by which texts became longer."""
    # SQLite stores what the encoder writes by default, in ASCII.
    is_ascii = connection.vendor == "sqlite"
    entry = len(json.dumps(change.fields, ensure_ascii=is_ascii).encode())
    return entry + sum(
        octets(each["to"]) - octets(each["from"])
        for each in change.fields
        if each["field"] in TEXTS
    )


def octets(text: str | None) -> int:
    return len(text.encode()) if text else 0


def count(owner_id: UUID) -> SpaceUsage:
    """What the account stores now; for large ones this takes seconds."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{COUNT_TIMEOUT}'")
    # The user cannot do more about what was emptied out of the trash.
    tasks: Any = Task.objects.filter(user_id=owner_id).exclude_emptied()
    text = tasks.aggregate(number=Count("pk"), octets=Sum(Task.TEXT_OCTETS))
    changes = TaskChange.objects.filter(task__in=tasks.values("pk"))
    history = changes.aggregate(octets=Sum(TaskChange.OCTETS))
    comments = Comment.objects.filter(task__in=tasks.values("pk"))
    talk = comments.aggregate(octets=Sum(Comment.OCTETS))
    return SpaceUsage(
        user_id=owner_id,
        tasks=text["number"],
        octets=sum(each["octets"] or 0 for each in (text, history, talk)),
        counted_at=timezone.now(),
    )


def follow(owner_id: UUID, revision: int) -> None:
    """Record that this revision added nothing that is counted."""
    usage = SpaceUsage.objects.filter(pk=owner_id, revision=revision - 1)
    usage.update(revision=revision)
