"""From where administrators have signed in to /admin."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models


class AdminSignInQuerySet(models.QuerySet["AdminSignIn"]):
    def recent(self, now: datetime) -> Self:
        """As old as a session of the API may become."""
        return self.filter(signed_in_at__gte=now - lifetime())

    def expired(self, now: datetime) -> Self:
        return self.filter(signed_in_at__lt=now - lifetime())

    def record(self, *, user: models.Model, address: str | None, now: datetime) -> None:
        """Remember a sign-in that succeeded; of a socket there is no address."""
        if address:
            self.bulk_create(
                [self.model(user_id=user.pk, address=address, signed_in_at=now)],
                update_conflicts=True,
                unique_fields=["user", "address"],
                update_fields=["signed_in_at"],
            )


class AdminSignIn(models.Model):
    """The last sign-in of one user from one address.

    Sessions of the admin do not say whose they are, and end after hours.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="admin_sign_ins",
        # The previous release removes users, and does not know this table.
        db_constraint=False,
        db_index=False,
    )
    address = models.GenericIPAddressField()
    signed_in_at = models.DateTimeField()

    objects = AdminSignInQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "address"], name="admin_sign_in_once"
            )
        ]
        indexes = [models.Index(fields=["signed_in_at"], name="admin_sign_in_age")]

    def __str__(self) -> str:
        return f"{self.address} at {self.signed_in_at:%Y-%m-%d %H:%M}"


def lifetime() -> timedelta:
    return timedelta(days=settings.SESSION_DAYS)
