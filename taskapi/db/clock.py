"""The database's clock, the only one that all replicas have in common."""

from datetime import datetime

from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """The time, to compare with times that other replicas wrote.

    Costs one statement. SQLite has the clock of the machine, on which everything runs.
    """
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]
