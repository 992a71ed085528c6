"""What is to be delivered, written in the transaction of the change it tells of."""

from django.db import models
from django.db.models import Q

PENDING = Q(finished_at=None)


class Outcome(models.TextChoices):
    DELIVERED = "delivered"
    RETRIED = "retried"
    DROPPED = "dropped"


class OutboxMessage(models.Model):
    """A mail or an event, delivered at least once by a worker.

    It is claimed for the length of a lease: `next_attempt_at` is the end of the lease
    meanwhile, so a message whose worker died is claimed again by itself.
    """

    # In the order of the writes that share an ordering key, as these wait for each
    # other.
    id = models.BigAutoField(primary_key=True)
    # A name of settings.OUTBOX_HANDLERS.
    handler = models.CharField(max_length=50)
    # One receiver: a bounded number of its messages is delivered at once.
    channel = models.CharField(max_length=80)
    # Of one channel, messages with the same key are delivered one after the other.
    ordering_key = models.CharField(max_length=80, null=True)
    payload = models.JSONField()
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    claimed_by = models.CharField(max_length=80, null=True)
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome, null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["channel", "next_attempt_at", "id"],
                name="outbox_due",
                condition=PENDING,
            ),
            models.Index(
                fields=["channel", "ordering_key", "id"],
                name="outbox_order",
                condition=PENDING & Q(ordering_key__isnull=False),
            ),
            models.Index(
                fields=["finished_at"],
                name="outbox_finished",
                condition=Q(finished_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.handler} {self.pk}"


class OutboxCount(models.Model):
    """How many attempts of a handler had an outcome, since the database was made.

    A worker has no /metrics of its own, so the servers tell these.
    """

    handler = models.CharField(max_length=50)
    outcome = models.CharField(max_length=10, choices=Outcome)
    attempts = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["handler", "outcome"], name="outbox_count_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.handler} {self.outcome}"
