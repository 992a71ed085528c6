"""Django's PostgreSQL backend for persistent connections and prepared statements.

Each thread keeps its connection. Django sends `SELECT 1` before the first statement of
each request; polling the socket answers the same question without a round trip.
"""

import secrets
import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.postgresql import base
from psycopg.types.datetime import TimestamptzLoader


class DatabaseWrapper(base.DatabaseWrapper):
    connection: Any

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        # In C; Django's is in Python. Both return datetimes in the session's zone, UTC.
        connection.adapters.register_loader("timestamptz", TimestamptzLoader)
        # psycopg numbers the prepared statements of each connection from 0. Through a
        # pooler that does not know them, a SELECT would run as the DELETE that another
        # connection has prepared under that name; with random numbers it fails.
        connection._prepared._prepared_idx = secrets.randbits(64)
        return connection

    @contextmanager
    def without_preparing(self) -> Iterator[None]:
        """Plan each statement for the values that it is executed with.

        A plan that is kept for a value with many rows takes seconds for a rare one.
        """
        self.ensure_connection()
        connection = self.connection
        threshold, connection.prepare_threshold = connection.prepare_threshold, None
        try:
            yield
        finally:
            connection.prepare_threshold = threshold

    def create_cursor(self, name: str | None = None) -> Any:
        # Django's method would register its own timestamp loader.
        if name is None:
            return self.connection.cursor()
        withhold = self.connection.autocommit
        return self.connection.cursor(name, scrollable=False, withhold=withhold)

    def is_usable(self) -> bool:
        # After an error the connection is replaced: a statement that was prepared
        # before a migration changed its table fails each time.
        if self.errors_occurred or self.connection is None or self.connection.closed:
            return False
        poller = select.poll()
        poller.register(self.connection.fileno(), select.POLLIN)
        # An idle connection is readable only after the server closed it or sent a
        # notice; only then is it worth a query.
        return not poller.poll(0) or super().is_usable()
