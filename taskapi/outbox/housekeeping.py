"""The rows of the outbox that housekeeping deletes (see settings.HOUSEKEEPING)."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from taskapi.db.batches import delete_batch
from taskapi.outbox.models import OutboxMessage

KEPT = timedelta(days=7)


def expired(now: datetime) -> Iterator[tuple[str, Callable[[int], int]]]:
    finished = OutboxMessage.objects.filter(finished_at__lt=now - KEPT)
    yield "messages of the outbox", partial(delete_batch, finished)
