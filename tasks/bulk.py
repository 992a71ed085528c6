"""Inserts millions of rows without the ORM, to fill a database."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from django.db import connection, models

# Foreign keys precede the constraints that they refer to.
CONSTRAINTS = """
SELECT conrelid::regclass, quote_ident(conname), pg_get_constraintdef(oid)
FROM pg_constraint
WHERE contype IN ('f', 'u', 'p')
    AND (conrelid = ANY(%(tables)s::regclass[])
        OR confrelid = ANY(%(tables)s::regclass[]))
ORDER BY array_position('{f,u,p}', contype::text)
"""
INDEXES = """
SELECT indexrelid::regclass, pg_get_indexdef(indexrelid)
FROM pg_index
WHERE indrelid = ANY(%(tables)s::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


def insert(rows: Sequence[models.Model]) -> None:
    """Insert unsaved rows of one model; with COPY on PostgreSQL."""
    model = type(rows[0])
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows)
        return
    fields = [
        field
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField | models.BigAutoField)
    ]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = attrgetter(*(field.attname for field in fields))
    statement = f'COPY "{model._meta.db_table}" ({columns}) FROM STDIN'
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([to_column_value(value) for value in values(row)])


def to_column_value(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


@contextmanager
def without_indexes(*tables: type[models.Model]) -> Iterator[None]:
    """Drop the indexes and keys of the tables and the foreign keys to them, and rebuild
    them at the end: several times as fast as updating them for each row.

    Locks the tables. Call in a transaction, so that a failure restores everything.
    """
    if connection.vendor != "postgresql":
        yield
        return
    names = {"tables": [table._meta.db_table for table in tables]}
    with connection.cursor() as cursor:
        # No client waits for this, and rebuilding may take many minutes.
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        constraints = cursor.execute(CONSTRAINTS, names).fetchall()
        indexes = cursor.execute(INDEXES, names).fetchall()
        for table, name, _ in constraints:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
    yield
    with connection.cursor() as cursor:
        for _, definition in indexes:
            cursor.execute(definition)
        for table, name, definition in reversed(constraints):
            statement = f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"
            cursor.execute(statement)


def analyze(*tables: type[models.Model]) -> None:
    """Update the statistics of the planner. Call outside a transaction."""
    names = ", ".join(f'"{table._meta.db_table}"' for table in tables)
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("ANALYZE")
            return
        cursor.execute("SET statement_timeout = 0")
        try:
            cursor.execute(f"VACUUM (ANALYZE) {names}")
        finally:
            cursor.execute("RESET statement_timeout")
