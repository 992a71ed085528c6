"""Locks that are not rows."""

from django.db import connection

# The first 64 bits that PostgreSQL makes of a text.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def lock_name(name: str) -> None:
    """Hold a lock of this name until the transaction ends.

    SQLite needs none: one transaction writes at a time.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(LOCK, [name])
