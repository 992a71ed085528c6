"""How webhooks are written.

They are no content of a space, so its revision does not move; but its owner's row is
locked, because `has_webhooks` of it follows.
"""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from rest_framework.exceptions import ValidationError

from taskapi.api.errors import Conflict
from taskapi.api.preconditions import NO_PRECONDITION, Precondition, content_tag
from tasks import access
from tasks.fields import to_rfc3339
from tasks.models import Delivery, DeliveryStatus, Role, Webhook
from tasks.operations.context import ActorContext
from tasks.operations.spaces import lock_spaces, release_unchanged
from tasks.usage import QuotaExceeded
from tasks.webhooks import events
from tasks.webhooks.serialize import webhook_to_dict
from tasks.webhooks.signatures import secret

NONCE_BYTES = 32
# For so long the secret before the current one is valid, too.
OVERLAP = timedelta(hours=24)


@contextmanager
def locked_spaces(owner_ids: set[UUID]) -> Iterator[None]:
    with transaction.atomic():
        spaces = lock_spaces(owner_ids)
        yield
        for owner_id in owner_ids:
            access.update_has_webhooks(owner_id)
        release_unchanged(spaces.values())


def create_webhook(
    values: Mapping[str, Any], context: ActorContext
) -> tuple[Webhook, str]:
    """The webhook and its secret. ValidationError, ProjectForbidden, QuotaExceeded."""
    project_id = values.get("project_id")
    owner_id = find_owner(project_id, context)
    with locked_spaces({owner_id, context.owner_id}):
        require_room(context.owner_id)
        webhook = Webhook.objects.create(
            user_id=context.owner_id,
            project_id=project_id,
            url=values["url"],
            events=values["events"],
            nonce=secrets.token_urlsafe(NONCE_BYTES),
            created_at=context.now,
            updated_at=context.now,
        )
    return webhook, secret(webhook.nonce)


def find_owner(project_id: UUID | None, context: ActorContext) -> UUID:
    """Whose space the events are of."""
    covered = context.project_ids
    if project_id is None:
        if covered is not None:
            hint = "The personal token covers some projects: send the id of one."
            raise ValidationError({"projectId": [hint]}, "required")
        return context.owner_id
    accesses = access.get_accesses(context.owner_id, [project_id], covered)
    found = accesses.get(project_id)
    if found is None or (found.is_deleted and found.role):
        raise ValidationError({"projectId": ["There is no such project."]})
    found.require(Role.VIEWER)
    return found.owner_id


def require_room(user_id: UUID) -> None:
    if Webhook.objects.filter(user_id=user_id).count() >= settings.QUOTA_WEBHOOKS:
        raise QuotaExceeded(
            f"QUOTA_WEBHOOKS: an account may have {settings.QUOTA_WEBHOOKS} webhooks."
        )


@contextmanager
def locked(
    webhook_id: UUID, context: ActorContext, expects: Precondition = NO_PRECONDITION
) -> Iterator[Webhook]:
    """WebhookNotFound, WebhookForbidden, PreconditionFailed."""
    webhook = access.get_webhook(context.owner_id, webhook_id, context.project_ids)
    owners = {context.owner_id}
    if webhook.project:
        owners.add(webhook.project.owner_id)
    with locked_spaces(owners):
        webhook = access.get_webhook(context.owner_id, webhook_id, context.project_ids)
        representation = webhook_to_dict(webhook)
        expects.require(content_tag(representation), representation)
        yield webhook


def update_webhook(
    webhook_id: UUID,
    values: Mapping[str, Any],
    context: ActorContext,
    expects: Precondition,
) -> Webhook:
    """`is_enabled` ends or begins what is delivered; also Conflict."""
    with locked(webhook_id, context, expects) as webhook:
        changed = {**values}
        is_enabled = changed.pop("is_enabled", webhook.disabled_at is None)
        if is_enabled and not access.role_of_webhook(webhook):
            raise Conflict("You may not read this project any more.")
        if is_enabled != (webhook.disabled_at is None):
            changed["disabled_at"] = None if is_enabled else context.now
            changed["disabled_reason"] = None if is_enabled else "USER"
        before = {name: getattr(webhook, name) for name in changed}
        if changed != before:
            for name, value in changed.items():
                setattr(webhook, name, value)
            webhook.updated_at = context.now
            webhook.save()
    return webhook


def delete_webhook(
    webhook_id: UUID, context: ActorContext, expects: Precondition
) -> None:
    """What waits for it is not delivered any more."""
    with locked(webhook_id, context, expects) as webhook:
        webhook.delete()


def rotate_secret(webhook_id: UUID, context: ActorContext) -> tuple[Webhook, str]:
    """A new secret; the previous one stays valid for OVERLAP."""
    with locked(webhook_id, context) as webhook:
        webhook.previous_nonce = webhook.nonce
        webhook.previous_until = context.now + OVERLAP
        webhook.nonce = secrets.token_urlsafe(NONCE_BYTES)
        webhook.updated_at = context.now
        webhook.save()
    return webhook, secret(webhook.nonce)


def send_test(webhook_id: UUID, context: ActorContext) -> Delivery:
    """An event that nothing happened for; also Conflict."""
    with locked(webhook_id, context) as webhook:
        require_enabled(webhook)
        body = {
            "type": "webhook.test",
            "timestamp": to_rfc3339(context.now),
            "data": {"id": str(webhook.pk)},
        }
        return events.send(webhook, "webhook.test", webhook.pk, body, context.now)


def redeliver(webhook_id: UUID, delivery_id: UUID, context: ActorContext) -> Delivery:
    """Deliver it once more, with the same id. DeliveryNotFound, Conflict."""
    with locked(webhook_id, context) as webhook:
        require_enabled(webhook)
        delivery = access.get_delivery(webhook, delivery_id)
        if delivery.status == DeliveryStatus.PENDING:
            raise Conflict("This delivery is waiting for its next attempt.")
        delivery.status = DeliveryStatus.PENDING
        delivery.save(update_fields=["status"])
        events.send_again(delivery)
    return delivery


def require_enabled(webhook: Webhook) -> None:
    if webhook.disabled_at:
        raise Conflict("This webhook is disabled; enable it first.")
