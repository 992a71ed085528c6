"""Stores the rows of an import on disk until all are valid: by owner, ids unique."""

import sqlite3
from collections.abc import Iterator
from uuid import UUID

from tasks.imports.serializers import Row, load

SCHEMA = """
CREATE TABLE row (id TEXT PRIMARY KEY, owner TEXT, line INTEGER, content TEXT);
CREATE INDEX by_owner ON row (owner, line);
"""
INSERT = "INSERT INTO row VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
OWNER = "SELECT min(owner) FROM row WHERE owner > ?"
BATCH = """
SELECT line, id, content FROM row WHERE owner = ? AND line > ? ORDER BY line LIMIT ?
"""


class Spool:
    def __init__(self) -> None:
        # A temporary file of SQLite, which is unlinked as soon as it is open.
        self.database = sqlite3.connect("", isolation_level=None)
        self.database.execute("PRAGMA journal_mode = OFF")
        self.database.executescript(SCHEMA)
        self.database.execute("BEGIN")

    def close(self) -> None:
        self.database.close()

    def add(self, row: Row) -> int | None:
        """Store the row, or return the line of the earlier one with the same id."""
        values = str(row.id), str(row.owner_id), row.line, row.dump()
        if self.database.execute(INSERT, values).rowcount:
            return None
        line = self.database.execute("SELECT line FROM row WHERE id = ?", values[:1])
        return int(line.fetchone()[0])

    def drop(self, rows: list[Row]) -> None:
        ids = [(str(row.id),) for row in rows]
        self.database.executemany("DELETE FROM row WHERE id = ?", ids)

    def __len__(self) -> int:
        return int(self.database.execute("SELECT count(*) FROM row").fetchone()[0])

    def batches(self, size: int) -> Iterator[list[Row]]:
        """Yield up to `size` rows of one owner at a time, in the order of lines."""
        for owner in self.owners():
            line = 0
            while found := self.database.execute(BATCH, (owner, line, size)).fetchall():
                line = found[-1][0]
                yield [load(n, UUID(owner), UUID(i), text) for n, i, text in found]

    def owners(self) -> Iterator[str]:
        owner = ""
        while owner := self.database.execute(OWNER, (owner,)).fetchone()[0]:
            yield owner
