from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from taskapi.db.migration_lock import migration_lock


class Command(migrate.Command):
    """Django's own, without the time limit that requests have for a statement.

    The time limit for a lock stays: a migration that waits for a table makes every
    request queue behind it. Two that are started at once run one after the other.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with no_statement_timeout(connection), migration_lock(connection, self.wait):
            super().handle(*args, **options)

    def wait(self) -> None:
        self.stderr.write("Waiting for another process that migrates this database.")


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
        # The connection stays open, and keeps its settings.
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")
