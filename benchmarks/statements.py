"""How many SQL statements a database was sent, by its own count."""

import psycopg

SETUP = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements"
# Without PostgreSQL's own for foreign keys at COMMIT, and without this one.
ASKED = """
SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s
JOIN pg_database d ON d.oid = s.dbid
WHERE datname = current_database() AND toplevel
    AND query NOT LIKE '%FROM ONLY %FOR KEY SHARE%'
    AND query NOT LIKE '%pg_stat_statements%'
"""


class Statements:
    """Counts by pg_stat_statements, or not at all where that is not loaded."""

    def __init__(self, url: str | None) -> None:
        self.connection = psycopg.connect(url, autocommit=True) if url else None
        try:
            if self.connection:
                self.connection.execute(SETUP)
                self.count()
        except psycopg.Error:
            self.connection = None

    def count(self) -> int | None:
        """Statements since ever, those of transactions included; None if unknown."""
        if not self.connection:
            return None
        [[count]] = self.connection.execute(ASKED).fetchall()
        return int(count)
