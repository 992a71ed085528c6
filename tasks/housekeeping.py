"""The rows of this app that housekeeping deletes (see settings.HOUSEKEEPING)."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from taskapi.db.batches import delete_batch
from tasks.models import Delivery, IdempotencyRecord, Invitation, Task, Tombstone
from tasks.operations import upkeep
from tasks.operations.purge import purge_batch
from tasks.sync.state import kept

# Longer than a token is good that needs them: replicas' clocks differ.
MARGIN = timedelta(days=1)
# Of webhooks, for as long as they can be made again.
DELIVERIES_KEPT = timedelta(days=7)


def expired(now: datetime) -> Iterator[tuple[str, Callable[[int], int]]]:
    kept_since = now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
    responses = IdempotencyRecord.objects.filter(created_at__lt=kept_since)
    yield "idempotency keys", partial(delete_batch, responses)
    yield "emptied tasks", partial(purge_batch, Task.objects.emptied())
    yield "trashed tasks", partial(purge_batch, Task.objects.expired(now))
    yield "projects of the trash", partial(upkeep.destroy_expired, now)
    yield "rows of projects", upkeep.remove_destroyed
    invitations = Invitation.objects.filter(expires_at__lt=now)
    yield "invitations", partial(delete_batch, invitations)
    old = now - DELIVERIES_KEPT
    deliveries = Delivery.objects.filter(created_at__lt=old).exclude(status="PENDING")
    yield "deliveries", partial(delete_batch, deliveries)
    tombstones = Tombstone.objects.filter(created_at__lt=now - kept() - MARGIN)
    yield "tombstones", partial(delete_batch, tombstones)
    yield "assignments", lambda size: upkeep.unassign_former(now)
    yield "long positions", lambda size: upkeep.rebalance(now)
