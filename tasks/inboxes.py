"""Makes the inboxes of new accounts (see settings.ACCOUNT_CREATED)."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from tasks.models import Project, inbox_id

NAME = "Inbox"
BATCH_ROWS = 1000


def create_inboxes(users: Sequence[Any]) -> None:
    """In the transaction that stores the users; leaves an inbox that is there."""
    now = timezone.now()
    inboxes = [
        Project(
            id=inbox_id(user.pk),
            owner_id=user.pk,
            name=NAME,
            is_inbox=True,
            created_at=now,
            updated_at=now,
        )
        for user in users
    ]
    Project.objects.bulk_create(inboxes, BATCH_ROWS, ignore_conflicts=True)
