"""Webhooks and deliveries as responses show them."""

from typing import Any

from tasks.fields import to_rfc3339
from tasks.models import Delivery, Webhook
from tasks.webhooks.events import to_names


def webhook_to_dict(webhook: Webhook) -> dict[str, Any]:
    """Without its secret, which is shown once."""
    return {
        "id": str(webhook.pk),
        "url": webhook.url,
        "events": to_names(webhook.events),
        "projectId": webhook.project_id and str(webhook.project_id),
        "isEnabled": webhook.disabled_at is None,
        "disabledReason": webhook.disabled_reason,
        "createdAt": to_rfc3339(webhook.created_at),
        "updatedAt": to_rfc3339(webhook.updated_at),
    }


def delivery_to_dict(delivery: Delivery) -> dict[str, Any]:
    at = delivery.last_attempt_at
    return {
        "id": str(delivery.pk),
        "event": delivery.event,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "lastAttemptAt": at and to_rfc3339(at),
        "responseStatus": delivery.response_status,
        "responseExcerpt": delivery.response_excerpt,
        "createdAt": to_rfc3339(delivery.created_at),
    }
