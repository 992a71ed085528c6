"""How many bytes of responses are stored for a user within IDEMPOTENCY_HOURS.

Counted in the user's row, by the statement that stores the response: exactly, whatever
runs at once. A window begins with the first response after the end of the last one, so
at most two allowances are stored at any time, and housekeeping need not count.
"""

from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import F, Q
from django.db.models.expressions import Case, When
from django.utils import timezone
from rest_framework.exceptions import APIException

# What a row takes besides the response.
ROW_BYTES = 512


class AllowanceUsed(APIException):
    """Waiting helps, so it is no QUOTA_EXCEEDED."""

    status_code = 429

    def __init__(self, since: datetime | None, now: datetime) -> None:
        super().__init__(
            "The responses that are stored for your Idempotency-Keys exceed "
            "QUOTA_IDEMPOTENCY_BYTES; nothing was written. Wait, or send no key."
        )
        left = (since or now) + window() - now
        seconds = max(1, ceil(left.total_seconds()))
        self.headers = {"Retry-After": str(seconds)}


def window() -> timedelta:
    return timedelta(hours=settings.IDEMPOTENCY_HOURS)


def use(user_id: Any, size: int) -> None:
    """Count a response of so many bytes, in a transaction; AllowanceUsed."""
    now = timezone.now()
    users = get_user_model()._base_manager.filter(pk=user_id)
    is_current = Q(idempotency_since__gt=now - window())
    used = Case(When(is_current, F("idempotency_bytes")), default=0)
    has_room = Q(new_bytes__lte=settings.QUOTA_IDEMPOTENCY_BYTES)
    counted = users.annotate(new_bytes=used + size + ROW_BYTES).filter(has_room)
    is_counted = counted.update(
        idempotency_bytes=used + size + ROW_BYTES,
        idempotency_since=Case(When(is_current, F("idempotency_since")), default=now),
    )
    if not is_counted:
        since = users.values_list("idempotency_since", flat=True).first()
        raise AllowanceUsed(since, now)
