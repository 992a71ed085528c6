from django.conf import settings
from django.db import models

from taskapi.db.pages import octets


class IdempotencyRecord(models.Model):
    """The response to a request with an Idempotency-Key (taskapi.api.idempotency)."""

    # No constraint in the database: it would lock the user's row before the claim is
    # made, and two requests could wait for each other.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        db_index=False,
        db_constraint=False,
    )
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.TextField()
    created_at = models.DateTimeField(db_index=True)

    OCTETS = octets("body")

    class Meta:
        db_table = "tasks_storedanswer"
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="answer_once_a_key")
        ]

    def __str__(self) -> str:
        return self.key
