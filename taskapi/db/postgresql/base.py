"""Django's PostgreSQL backend without what each request would pay for.

Each thread keeps its connection. Django would send `SELECT 1` before the first
statement of a request: a round trip to learn what the socket knows.
"""

import secrets
import select
from collections.abc import Sequence
from typing import Any

from django.db.backends.postgresql import base
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.string import TextLoader

# The stubs describe psycopg 2's.
Cursor: Any = base.ServerBindingCursor


class UnpreparedCursor(Cursor):  # type: ignore[misc]
    """Has each statement planned for the values that it comes with."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return super().execute(query, params, **options | {"prepare": False})


class DatabaseWrapper(base.DatabaseWrapper):
    connection: Any
    # Of this thread's cursors from now on.
    is_preparing = True
    reader: Any = None

    def get_new_connection(self, conn_params: Any) -> Any:
        connection = super().get_new_connection(conn_params)
        # psycopg's own is in C, where its wheel is; Django's is in Python. Both give
        # aware datetimes in the session's time zone, UTC.
        connection.adapters.register_loader("timestamptz", TimestamptzLoader)
        # psycopg counts each connection's prepared statements from 0. Through a pooler
        # that knows nothing of them a SELECT would run as the DELETE that another
        # connection has prepared under that name; with names of its own it fails.
        connection._prepared._prepared_idx = secrets.randbits(64)
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        # Without Django's, which would put its own loader back.
        if name is None and not self.is_preparing:
            return UnpreparedCursor(self.connection)
        if name is None:
            return self.connection.cursor()
        withhold = self.connection.autocommit
        return self.connection.cursor(name, scrollable=False, withhold=withhold)

    def rows(
        self, sql: str, params: Sequence[Any], is_prepared: bool
    ) -> list[tuple[Any, ...]]:
        """All rows of one statement, UUIDs as text; django.db.Error.

        `cursor()` makes objects that end with the statement, and translates errors of
        each of its steps. Whoever watches statements sees this one, too.
        """
        self.close_if_health_check_failed()
        if self.connection is None or self.queries_logged or self.execute_wrappers:
            return self.watched_rows(sql, params, is_prepared)
        self.validate_no_broken_transaction()
        with self.wrap_database_errors:
            reader = self.reader
            if reader is None or reader.connection is not self.connection:
                reader = self.reader = self.connection.cursor()
                # As answers have them; to make objects of them takes longer.
                reader.adapters.register_loader("uuid", TextLoader)
            # None: once it was sent a few times.
            reader.execute(sql, params, prepare=None if is_prepared else False)
            rows: list[tuple[Any, ...]] = reader.fetchall()
        return rows

    def watched_rows(
        self, sql: str, params: Sequence[Any], is_prepared: bool
    ) -> list[tuple[Any, ...]]:
        self.is_preparing = is_prepared
        try:
            with self.cursor() as cursor:
                cursor.adapters.register_loader("uuid", TextLoader)
                cursor.execute(sql, params)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
        finally:
            self.is_preparing = True
        return rows

    def is_usable(self) -> bool:
        """Whether the server has not hung up meanwhile, nor refused what it prepared.

        An idle connection has something to read only when the server ended it, or sent
        a notice; then it is asked.
        """
        # After an error a new one: a statement that was prepared before its table
        # changed ("cached plan must not change result type") fails each time.
        if self.errors_occurred or self.connection is None or self.connection.closed:
            return False
        poller = select.poll()
        poller.register(self.connection.fileno(), select.POLLIN)
        return not poller.poll(0) or super().is_usable()
