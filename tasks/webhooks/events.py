"""The events of spaces, which are written in the statement or transaction of a change.

Each webhook that wants an event gets a delivery, and the outbox a message for it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, Q

from taskapi.db.compiled import SQLFragment
from taskapi.db.writes import execute, supports_writable_ctes
from taskapi.outbox import messages
from tasks.fields import to_rfc3339
from tasks.models import Delivery, Webhook

# The place of an event is its bit in Webhook.events, so add new ones at the end.
EVENTS = (
    *("task.created", "task.updated", "task.completed"),
    *("task.deleted", "task.restored"),
    *("project.created", "project.updated", "project.deleted", "project.restored"),
    *("comment.created", "comment.updated", "comment.deleted"),
    *("member.created", "member.updated", "member.deleted"),
)
BITS = {name: 1 << place for place, name in enumerate(EVENTS)}
HANDLER = "webhook"

DELIVERIES = """
INSERT INTO tasks_delivery
    (id, webhook_id, event, subject, body, status, attempts, created_at)
SELECT gen_random_uuid(), w.id, e.type, e.subject, e.body, 'PENDING', 0, %s
FROM jsonb_to_recordset(%s::jsonb) AS e(
    place int, type text, bit int, subject uuid, owner uuid, project uuid, body jsonb
)
JOIN tasks_webhook w ON w.disabled_at IS NULL AND w.events & e.bit <> 0
    AND (w.project_id = e.project OR w.project_id IS NULL AND w.user_id = e.owner)
ORDER BY e.place
RETURNING id, webhook_id, subject"""
# The clock of a server may be ahead of the database's, by which messages are due.
MESSAGES = """
INSERT INTO outbox_outboxmessage
    (handler, channel, ordering_key, payload, created_at, next_attempt_at, attempts)
SELECT 'webhook', 'webhook:' || webhook_id, subject,
    jsonb_build_object('delivery', id), moment.now, moment.now, 0
FROM deliveries, (SELECT least(%s, statement_timestamp()) AS now) moment"""


@dataclass(frozen=True)
class Event:
    """`data` is the thing itself, as the API shows it, after the change."""

    type: str
    subject: UUID
    owner_id: UUID
    project_id: UUID
    data: dict[str, Any]

    def body(self, now: datetime) -> dict[str, Any]:
        return {"type": self.type, "timestamp": to_rfc3339(now), "data": self.data}


def to_bits(names: Iterable[str]) -> int:
    return sum(BITS[name] for name in set(names))


def to_names(bits: int) -> list[str]:
    return [name for name, bit in BITS.items() if bits & bit]


def write(events: Iterable[Event], now: datetime) -> None:
    """Write deliveries in the caller's transaction."""
    events = list(events)
    if not events:
        return
    if supports_writable_ctes():
        execute(parts(events, now))
        return
    for event in events:
        for webhook in wanting(event):
            send(webhook, event.type, event.subject, event.body(now), now)


def parts(events: Iterable[Event], now: datetime) -> dict[str, SQLFragment]:
    """Of a statement that also writes the change."""
    rows = [
        {
            "place": place,
            "type": event.type,
            "bit": BITS[event.type],
            "subject": str(event.subject),
            "owner": str(event.owner_id),
            "project": str(event.project_id),
            "body": event.body(now),
        }
        for place, event in enumerate(events)
    ]
    values = [now, json.dumps(rows)]
    return {"deliveries": (DELIVERIES, values), "messages": (MESSAGES, [now])}


def wanting(event: Event) -> Iterable[Webhook]:
    everywhere = Q(project=None, user_id=event.owner_id)
    webhooks = Webhook.objects.enabled().alias(
        wanted=F("events").bitand(BITS[event.type])
    )
    return webhooks.filter(
        everywhere | Q(project_id=event.project_id), wanted__gt=0
    ).order_by("pk")


def send(
    webhook: Webhook, type: str, subject: UUID, body: dict[str, Any], now: datetime
) -> Delivery:
    """Write one delivery in the caller's transaction."""
    delivery = Delivery.objects.create(
        webhook=webhook, event=type, subject=subject, body=body, created_at=now
    )
    send_again(delivery)
    return delivery


def send_again(delivery: Delivery) -> None:
    messages.send(
        HANDLER,
        {"delivery": str(delivery.pk)},
        channel=f"webhook:{delivery.webhook_id}",
        ordering_key=str(delivery.subject),
    )
