"""How the worker delivers events to webhooks (see settings.OUTBOX_HANDLERS)."""

import json
import random
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings

from taskapi.api import mail
from taskapi.db import clock
from taskapi.outbox.handlers import Handler, Job, Result, Undeliverable
from taskapi.outbox.models import OutboxMessage
from tasks import access
from tasks.models import Delivery, DeliveryStatus, Role, Webhook
from tasks.webhooks import sender
from tasks.webhooks.signatures import sign

FAILING = "FAILING"
ACCESS_ENDED = "ACCESS_ENDED"
# Of the wait before an attempt, so that what failed together is not sent together.
JITTER = 0.1
MAX_RETRY_AFTER = 24 * 3600.0

DISABLED = """Your webhook did not accept an event for three days, so it is disabled:

{url}

Its deliveries show what it answered. Once it works, enable it:
PATCH /api/webhooks/{id} {{"isEnabled": true}}
"""


class WebhookHandler(Handler):
    delays = (5, 10, 30, 120, 600, 3600)
    lifetime = timedelta(days=3)
    # Receivers' and owners' affairs, which the deliveries show to the owner.
    expected_errors = (Undeliverable, *sender.ERRORS)

    def prepare(self, message: OutboxMessage) -> Job | None:
        deliveries = Delivery.objects.select_related("webhook__user")
        delivery = deliveries.filter(pk=message.payload["delivery"]).first()
        if delivery is None:  # the webhook was deleted
            return None
        webhook, now = delivery.webhook, clock.now()
        role = access.role_of_webhook(webhook)
        if webhook.disabled_at is None and not role:
            disable(webhook, ACCESS_ENDED, now)
        if webhook.disabled_at:
            raise Undeliverable("The webhook is disabled.")
        body = to_bytes(delivery, role)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "taskapi",
            "webhook-id": str(delivery.pk),
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": sign(
                str(delivery.pk), int(now.timestamp()), body, webhook.nonces(now)
            ),
        }
        networks = settings.WEBHOOK_ALLOWED_NETWORKS
        return partial(sender.post, webhook.url, headers, body, networks)

    def delay(self, message: OutboxMessage, error: Exception) -> float | None:
        seconds = super().delay(message, error)
        if seconds is None:
            return None
        asked = error.answer.retry_after if isinstance(error, sender.Failed) else None
        seconds = max(seconds, min(asked or 0.0, MAX_RETRY_AFTER))
        return seconds * random.uniform(1, 1 + JITTER)  # noqa: S311

    def settle(
        self, message: OutboxMessage, result: Result, *, retries_in: float | None
    ) -> None:
        deliveries = Delivery.objects.select_related("webhook__user")
        delivery = deliveries.filter(pk=message.payload["delivery"]).first()
        if delivery is None:
            return
        delivery.status = status(result, retries_in)
        if not isinstance(result.error, Undeliverable):
            record_attempt(delivery, result)
        delivery.save()
        is_given_up = delivery.status == DeliveryStatus.FAILED
        if is_given_up and delivery.webhook.disabled_at is None:
            disable(delivery.webhook, FAILING, clock.now())
            text = DISABLED.format(url=delivery.webhook.url, id=delivery.webhook_id)
            to = delivery.webhook.user.email
            mail.send("Your webhook was disabled", text, to)


def status(result: Result, retries_in: float | None) -> DeliveryStatus:
    if result.error is None:
        return DeliveryStatus.DELIVERED
    is_given_up = retries_in is None
    return DeliveryStatus.FAILED if is_given_up else DeliveryStatus.PENDING


def record_attempt(delivery: Delivery, result: Result) -> None:
    answer = result.value
    if isinstance(result.error, sender.Failed):
        answer = result.error.answer
    delivery.attempts += 1
    delivery.last_attempt_at = clock.now()
    delivery.response_status = answer.status if answer else None
    excerpt = answer.excerpt if answer else explain(result.error)
    delivery.response_excerpt = excerpt


def explain(error: Any) -> str:
    """What kind of failure it was; libraries' messages could tell of our network."""
    return f"No answer: {type(error).__name__}."


def to_bytes(delivery: Delivery, role: int) -> bytes:
    body: dict[str, Any] = delivery.body
    if "role" in body["data"] and delivery.event.startswith("project."):
        body["data"]["role"] = Role(role).name  # each reader's own
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def disable(webhook: Webhook, reason: str, now: datetime) -> None:
    webhook.disabled_at, webhook.disabled_reason = now, reason
    webhook.save(update_fields=["disabled_at", "disabled_reason"])


WEBHOOK = WebhookHandler()
