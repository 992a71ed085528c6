"""Removes what has expired, in batches small enough to run while the API serves."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session as AdminSession
from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import (
    BlacklistedToken,
    OutstandingToken,
)

from accounts.models import Session
from tasks.models import IdempotencyRecord, Task, TaskQuerySet

BATCH = 2000


class Command(BaseCommand):
    help = "Prune expired sessions, spent tokens, idempotency keys and old trash."

    def handle(self, *args: Any, **options: Any) -> str:
        now = timezone.now()
        answered = now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
        expired: dict[str, QuerySet[Any]] = {
            "sessions": Session.objects.filter(expires_at__lt=now),
            "admin sessions": AdminSession.objects.filter(expire_date__lt=now),
            "tokens": OutstandingToken.objects.filter(expires_at__lt=now),
            "idempotency keys": IdempotencyRecord.objects.filter(
                created_at__lt=answered
            ),
            "trashed tasks": Task.objects.expired(now),
        }
        counts = [f"{prune(rows)} {name}" for name, rows in expired.items()]
        return f"Removed {', '.join(counts)}."


def prune(expired: QuerySet[Any]) -> int:
    """Delete the rows a batch at a time and return how many went."""
    total = 0
    while count := prune_batch(expired):
        total += count
    return total


def prune_batch(expired: QuerySet[Any]) -> int:
    with transaction.atomic():
        if isinstance(expired, TaskQuerySet):
            return expired.hard_delete_batch(BATCH)
        rows = expired.select_for_update().order_by("pk")
        pks = list(rows.values_list("pk", flat=True)[:BATCH])
        if expired.model is OutstandingToken:
            BlacklistedToken.objects.filter(token__in=pks)._raw_delete(rows.db)
        # Not .delete(): it would load every row to look for what refers to it.
        expired.model._default_manager.filter(pk__in=pks)._raw_delete(rows.db)
    return len(pks)
