"""Writes rows by the million, past the ORM: to fill a database, not to serve."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from django.db import connection, models

# A foreign key before what it refers to.
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
    """Insert rows of one model as they are; with COPY on PostgreSQL."""
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
            copy.write_row([as_column(value) for value in values(row)])


def as_column(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


@contextmanager
def unindexed(*tables: type[models.Model]) -> Iterator[None]:
    """Drop the tables' indexes, keys and whatever refers to them, and build them again
    at the end: several times as fast as keeping them up for each row.

    Locks the tables. Call in a transaction: if it fails, nothing was dropped.
    """
    if connection.vendor != "postgresql":
        yield
        return
    names = {"tables": [table._meta.db_table for table in tables]}
    with connection.cursor() as cursor:
        # This has no client waiting, and building them may take many minutes.
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


def tidy(*tables: type[models.Model]) -> None:
    """Tell the planner of the new rows. Call outside a transaction."""
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
