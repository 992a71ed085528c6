"""Writes messages, and claims them for a worker."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from taskapi.db import clock
from taskapi.outbox.models import OutboxMessage

LEASE = timedelta(seconds=60)

# A message waits for those before it with the same key, whatever their state.
DUE = """
    m.finished_at IS NULL AND m.next_attempt_at <= %(now)s
    AND NOT EXISTS (
        SELECT 1 FROM outbox_outboxmessage earlier
        WHERE earlier.channel = m.channel AND earlier.ordering_key = m.ordering_key
        AND earlier.id < m.id AND earlier.finished_at IS NULL
    )"""
UPDATE = """
UPDATE outbox_outboxmessage
SET claimed_by = %(worker)s, next_attempt_at = %(lease_end)s, attempts = attempts + 1
WHERE id IN (SELECT id FROM due)
RETURNING *"""
# Channels are found by skipping through the index: a receiver with many messages
# costs the others nothing.
ON_POSTGRESQL = f"""
WITH RECURSIVE channels(name) AS (
    SELECT min(channel) FROM outbox_outboxmessage WHERE finished_at IS NULL
    UNION ALL
    SELECT (
        SELECT min(channel) FROM outbox_outboxmessage
        WHERE finished_at IS NULL AND channel > channels.name
    ) FROM channels WHERE name IS NOT NULL
), locked AS (
    SELECT m.id, m.channel, m.next_attempt_at
    FROM channels CROSS JOIN LATERAL (
        SELECT m.* FROM outbox_outboxmessage m WHERE m.channel = channels.name AND {DUE}
        ORDER BY m.next_attempt_at, m.id LIMIT %(locked)s
        FOR UPDATE SKIP LOCKED
    ) m
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY channel ORDER BY next_attempt_at, id) AS n
    FROM locked
), due AS (
    SELECT id FROM numbered
    WHERE n <= %(per_channel)s - coalesce((%(busy)s::jsonb ->> channel)::int, 0)
    ORDER BY n, next_attempt_at, id LIMIT %(most)s
) {UPDATE}"""  # noqa: S608
# One transaction writes at a time, so there are no locked rows to skip.
ON_SQLITE = f"""
WITH numbered AS (
    SELECT m.id, m.channel, m.next_attempt_at, row_number() OVER (
        PARTITION BY m.channel ORDER BY m.next_attempt_at, m.id
    ) AS n
    FROM outbox_outboxmessage m WHERE {DUE}
), due AS (
    SELECT id FROM numbered
    WHERE n <= %(per_channel)s - coalesce(
        (SELECT value FROM json_each(%(busy)s) WHERE key = channel), 0
    )
    ORDER BY n, next_attempt_at, id LIMIT %(most)s
) {UPDATE}"""  # noqa: S608


def send(
    handler: str, payload: Any, *, channel: str, ordering_key: str | None = None
) -> OutboxMessage:
    """Write a message in the caller's transaction: without it, nothing is sent."""
    now = clock.now()
    return OutboxMessage.objects.create(
        handler=handler,
        payload=payload,
        channel=channel,
        ordering_key=ordering_key,
        created_at=now,
        next_attempt_at=now,
    )


def claim(worker: str, most: int, busy: Mapping[str, int]) -> list[OutboxMessage]:
    """Claim up to `most` due messages for the length of a lease.

    `busy`: how many of each channel the worker is delivering.
    """
    now = clock.now()
    adapt = connection.ops.adapt_datetimefield_value
    values = {
        "now": adapt(now),
        "lease_end": adapt(now + LEASE),
        "worker": worker,
        "most": most,
        "locked": min(most, settings.DELIVERIES_PER_RECEIVER),
        "per_channel": settings.DELIVERIES_PER_RECEIVER,
        "busy": json.dumps(busy),
    }
    sql = ON_POSTGRESQL if connection.vendor == "postgresql" else ON_SQLITE
    return sorted(OutboxMessage.objects.raw(sql, values), key=lambda each: each.pk)


def renew(worker: str, messages: Iterable[int]) -> None:
    """Extend the leases of what the worker is still delivering."""
    held = OutboxMessage.objects.filter(
        pk__in=messages, claimed_by=worker, finished_at=None
    )
    held.update(next_attempt_at=clock.now() + LEASE)
