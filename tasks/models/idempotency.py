from django.conf import settings
from django.db import models


class StoredAnswer(models.Model):
    """The answer to a request with an Idempotency-Key, kept to be given again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField()
    body = models.TextField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="answer_once_a_key")
        ]

    def __str__(self) -> str:
        return self.key
