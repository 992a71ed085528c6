from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections


class Command(migrate.Command):
    """Django's own, without the time limit that requests have on a statement.

    The limit on waiting for a lock stays: a migration that cannot have the table at
    once must not make every request queue behind it.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        with no_statement_timeout(connections[options["database"]]):
            super().handle(*args, **options)


@contextmanager
def no_statement_timeout(connection: Any) -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    try:
        yield
    finally:
        # The connection is kept, and with it what was set.
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
