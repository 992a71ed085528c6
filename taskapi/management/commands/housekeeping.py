"""Deletes expired rows, in batches small enough to run while the API serves.

Each module of settings.HOUSEKEEPING has a function `expired(now)`, which yields names
and functions. Such a function deletes up to a number of rows of that name, and returns
how many it deleted.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from taskapi.db import clock

BATCH_ROWS = 2000


class Command(BaseCommand):
    help = "Delete expired sessions, tokens, idempotency keys and trashed tasks."

    def handle(self, *args: Any, **options: Any) -> str:
        now = clock.now()
        counts = [
            f"{prune(delete_batch)} {name}"
            for module in settings.HOUSEKEEPING
            for name, delete_batch in import_module(module).expired(now)
        ]
        return f"Removed {', '.join(counts)}."


def prune(delete_batch: Callable[[int], int]) -> int:
    """Delete one batch per transaction until none is left; return the total."""
    total = 0
    while count := delete_in_transaction(delete_batch):
        total += count
    return total


def delete_in_transaction(delete_batch: Callable[[int], int]) -> int:
    with transaction.atomic():
        return delete_batch(BATCH_ROWS)
