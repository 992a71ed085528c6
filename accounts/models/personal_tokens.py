"""Personal tokens: what a program signs in with in place of a person."""

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models import Expression, Q

# How long a list shows a token that has expired.
KEPT_AFTER_EXPIRY = timedelta(days=30)


class PersonalTokenQuerySet(models.QuerySet["PersonalToken"]):
    def live(self, now: datetime | Expression) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now))

    def long_expired(self, now: datetime) -> Self:
        return self.filter(expires_at__lt=now - KEPT_AFTER_EXPIRY)


class PersonalToken(models.Model):
    """A token of a user for one program; a revoked one has no row."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="personal_tokens",
        # The previous release removes users, and does not know this table.
        db_constraint=False,
        db_index=False,
    )
    name = models.CharField(max_length=100)
    # The token itself is random and not kept.
    token_hash = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField()
    # Of projects of other apps; null: whatever the user may see.
    project_ids = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = PersonalTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["token_hash"], name="personal_token_once")
        ]
        indexes = [
            models.Index(fields=["user", "created_at"], name="personal_token_user"),
            models.Index(fields=["created_at", "id"], name="personal_token_newest"),
            models.Index(
                fields=["expires_at"],
                condition=Q(expires_at__isnull=False),
                name="personal_token_expiry",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def narrowed_to(self) -> frozenset[UUID] | None:
        """The projects that it covers; None for all."""
        ids = self.project_ids
        return None if ids is None else frozenset(map(UUID, ids))

    @classmethod
    def touch(cls, pk: UUID, now: datetime) -> None:
        """Store the minute of the last use."""
        minute = now.replace(second=0, microsecond=0)
        unused = Q(last_used_at=None) | Q(last_used_at__lt=minute)
        cls.objects.filter(unused, pk=pk).update(last_used_at=minute)
