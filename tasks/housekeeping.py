"""The rows of this app that housekeeping deletes (see settings.HOUSEKEEPING)."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from taskapi.db.batches import delete_batch
from tasks.models import IdempotencyRecord, Task


def expired(now: datetime) -> Iterator[tuple[str, Callable[[int], int]]]:
    kept_since = now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
    responses = IdempotencyRecord.objects.filter(created_at__lt=kept_since)
    yield "idempotency keys", partial(delete_batch, responses)
    yield "trashed tasks", Task.objects.expired(now).hard_delete_batch
