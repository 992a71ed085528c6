"""Webhooks, and what was delivered to them."""

from datetime import datetime
from typing import Self
from uuid import uuid4

from django.conf import settings
from django.db import models


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def enabled(self) -> Self:
        return self.filter(disabled_at=None)

    def listening_to(self, owner_id: object) -> Self:
        """Those that get events of a space: of all of it, or of one of its projects."""
        of_space = models.Q(user_id=owner_id, project=None)
        return self.filter(of_space | models.Q(project__owner_id=owner_id))


class Webhook(models.Model):
    """Where events of a space, or of one project, are sent."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="webhooks"
    )
    # None: the whole space of the user.
    project = models.ForeignKey(
        "tasks.Project", models.CASCADE, null=True, related_name="webhooks"
    )
    url = models.CharField(max_length=2000)
    # One bit for each of tasks.webhooks.events.EVENTS.
    events = models.PositiveBigIntegerField()
    # The secrets are derived from these; the previous one is valid for a day.
    nonce = models.CharField(max_length=43)
    previous_nonce = models.CharField(max_length=43, null=True)
    previous_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=20, null=True)

    objects = WebhookQuerySet.as_manager()

    def __str__(self) -> str:
        return self.url

    def nonces(self, now: datetime) -> list[str]:
        """Of the secrets that are valid: deliveries are signed with each."""
        if self.previous_nonce and self.previous_until and now < self.previous_until:
            return [self.nonce, self.previous_nonce]
        return [self.nonce]


class DeliveryStatus(models.TextChoices):
    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class Delivery(models.Model):
    """An event for one webhook; its id is `webhook-id`, the same at each attempt."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    webhook = models.ForeignKey(
        Webhook,
        models.CASCADE,
        related_name="deliveries",
        db_index=False,
        # A webhook goes with its project in one statement; housekeeping does the rest.
        db_constraint=False,
    )
    event = models.CharField(max_length=30)
    # What the event is about: deliveries with the same subject keep their order.
    subject = models.UUIDField()
    body = models.JSONField()
    status = models.CharField(
        max_length=9, choices=DeliveryStatus, default=DeliveryStatus.PENDING
    )
    attempts = models.PositiveBigIntegerField(default=0)
    last_attempt_at = models.DateTimeField(null=True)
    # Of the last answer: the status, and the start of its body.
    response_status = models.PositiveBigIntegerField(null=True)
    response_excerpt = models.TextField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["webhook", "-created_at", "-id"], name="delivery_of_webhook"
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"
