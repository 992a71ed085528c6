"""Records in SimpleJWT's blacklist app which refresh tokens are issued and spent.

Only identifiers are stored. The `token` column stays empty: a raw token at rest is a
password at rest.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from rest_framework_simplejwt.token_blacklist.models import (
    BlacklistedToken,
    OutstandingToken,
)

if TYPE_CHECKING:  # models end sessions through here
    from accounts.models import Session


def record_outstanding(session: "Session") -> None:
    """Record the session's current token as issued."""
    OutstandingToken.objects.create(
        user_id=session.user_id,
        jti=session.current_jti,
        created_at=session.rotated_at,
        expires_at=session.idle_until,
    )


def blacklist(jtis: Iterable[str], now: datetime) -> None:
    """Record tokens as spent or revoked."""
    tokens = OutstandingToken.objects.filter(jti__in=jtis)
    rows = [BlacklistedToken(token=token, blacklisted_at=now) for token in tokens]
    BlacklistedToken.objects.bulk_create(rows, ignore_conflicts=True)


def is_blacklisted(jti: str) -> bool:
    return BlacklistedToken.objects.filter(token__jti=jti).exists()
