"""Invitations to projects, and addresses that want none."""

from datetime import datetime
from typing import Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower

from tasks.models.choices import Role


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self, now: datetime) -> Self:
        return self.filter(
            closed_at=None, expires_at__gt=now, invited_by__erased_at=None
        )


class Invitation(models.Model):
    """An offer of access, open until it is accepted, declined, withdrawn or expired.

    Kept for as long as it counts against a limit.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    project = models.ForeignKey(
        "tasks.Project", models.CASCADE, related_name="invitations"
    )
    email = models.EmailField(max_length=255)
    role = models.PositiveSmallIntegerField(choices=Role)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+"
    )
    # SHA-256 of the token, which is in the mail and nowhere else.
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    closed_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(Lower("email"), "created_at", name="invitation_address")
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.project}"


class RefusedAddress(models.Model):
    """An address to which no invitation is mailed any more, because it asked for that.

    Only a keyed hash is stored.
    """

    email_hash = models.CharField(max_length=64, primary_key=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.email_hash
