"""Sessions: how long they last, and which of their refresh tokens is good."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self
from uuid import UUID, uuid4, uuid5

from django.conf import settings
from django.db import models
from django.db.models import Expression

if TYPE_CHECKING:  # users end their sessions
    from accounts.models.users import User

MINUTE = timedelta(minutes=1)
# How far the clocks of two replicas may be apart.
CLOCK_TOLERANCE = timedelta(seconds=30)


class RevocationReason(models.TextChoices):
    """Why a session ended before its time."""

    LOGOUT = "logout"
    REPLAY = "replay"
    REVOKED = "revoked"
    PASSWORD = "password_change"
    ACCOUNT_STATUS = "standing_change"


class SessionQuerySet(models.QuerySet["Session"]):
    def live(self, now: datetime | Expression) -> Self:
        return self.filter(ended_at=None, expires_at__gt=now, idle_until__gt=now)


class Session(models.Model):
    """One login on one device: a chain of refresh tokens, only the last one good.

    The tokens themselves are not kept: each follows from this row and the signing key.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="sessions",
        db_index=False,
    )
    user_agent = models.CharField(max_length=255, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    generation = models.PositiveIntegerField(default=1)
    rotated_at = models.DateTimeField()
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    idle_until = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=20, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["user", "-last_used_at"], name="session_user_used"),
            models.Index(fields=["expires_at"], name="session_expiry"),
        ]

    def __str__(self) -> str:
        device = self.user_agent or "unknown device"
        return f"{device} since {self.created_at:%Y-%m-%d %H:%M}"

    @classmethod
    def start(
        cls, user: "User", *, user_agent: str, address: str | None, now: datetime
    ) -> Self:
        session = cls(
            user=user, user_agent=user_agent[:255], address=address, created_at=now
        )
        session.expires_at = now + timedelta(days=settings.SESSION_DAYS)
        session.last_used_at = now.replace(second=0, microsecond=0)
        session.renew(now=now)
        session.save(force_insert=True)
        return session

    def renew(self, *, now: datetime) -> None:
        """Time a new refresh token: sliding, but never past the session's end."""
        self.rotated_at = now
        sliding = now + timedelta(days=settings.REFRESH_TOKEN_DAYS)
        self.idle_until = min(sliding, self.expires_at)

    def is_live(self, now: datetime) -> bool:
        return self.ended_at is None and min(self.expires_at, self.idle_until) > now

    def token_id(self, generation: int) -> str:
        """The `jti` of the chain's n-th refresh token; no secret: tokens are signed."""
        return uuid5(self.pk, f"refresh {generation}").hex

    @property
    def current_jti(self) -> str:
        return self.token_id(self.generation)

    def rotate(self, *, now: datetime) -> None:
        """Make the next refresh token the good one; the caller holds the lock."""
        self.generation += 1
        self.last_used_at = now.replace(second=0, microsecond=0)
        self.renew(now=now)
        self.save(
            update_fields=["generation", "last_used_at", "rotated_at", "idle_until"]
        )

    @classmethod
    def touch(cls, pk: UUID, now: datetime) -> None:
        """Store the minute of the last use."""
        minute = now.replace(second=0, microsecond=0)
        unused = cls.objects.filter(pk=pk, last_used_at__lt=minute)
        unused.update(last_used_at=minute)
