"""Inserts and updates of rows as parts of one statement.

Where the database has data-modifying WITH (PostgreSQL), that takes one round trip and
is all or nothing without a transaction around it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from django.db import connection
from django.db.models import AutoField, GeneratedField, IntegerField, JSONField, Model

from taskapi.db.compiled import CompiledQuery, Row, SQLFragment


def supports_writable_ctes() -> bool:
    return connection.vendor == "postgresql"


def execute(parts: Mapping[str, SQLFragment], returning: str = "1") -> list[Row]:
    """Run all parts, in a transaction; what the last returns of each row it writes."""
    *first, (sql, params) = parts.values()
    sql = f"{sql} RETURNING {returning}"
    if supports_writable_ctes():
        return CompiledQuery(as_one_statement(parts, sql)).rows({})
    with connection.cursor() as cursor:
        for each in first:
            cursor.execute(*each)
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def as_one_statement(parts: Mapping[str, SQLFragment], last: str) -> SQLFragment:
    """The parts see what was there before, not what the others write."""
    names = [*parts][:-1]
    tables = ", ".join([f"{name} AS ({parts[name][0]})" for name in names])
    params = [param for _, each in parts.values() for param in each]
    return f"WITH {tables} {last}" if tables else last, params


class RowWriter:
    """The columns of a model that are written, and a row's values for them."""

    def __init__(self, fields: Sequence[Any]) -> None:
        self.columns = [connection.ops.quote_name(field.column) for field in fields]
        self.get_values = attrgetter(*(field.attname for field in fields))
        self.adapters = [
            (index, field.get_db_prep_save)
            for index, field in enumerate(fields)
            if not is_native(field)
        ]

    def values(self, row: Model) -> list[Any]:
        values = list(self.get_values(row))
        for index, adapt in self.adapters:
            values[index] = adapt(values[index], connection)
        return values


def is_native(field: Any) -> bool:
    """Whether the driver accepts the model's values as they are."""
    # The type of an integer would follow from its size, and the statement from that.
    return supports_writable_ctes() and not isinstance(field, IntegerField | JSONField)


def insert_sql(rows: Sequence[Model], **expressions: str) -> SQLFragment:
    """Inserts the rows; a column of `expressions` is that SQL in each of them."""
    head, row_sql, writer = insert_template(type(rows[0]), tuple(expressions.items()))
    params = [value for row in rows for value in writer.values(row)]
    return f"{head}{', '.join([row_sql] * len(rows))}", params


@cache
def insert_template(
    model: type[Model], expressions: tuple[tuple[str, str], ...]
) -> tuple[str, str, RowWriter]:
    quote, given = connection.ops.quote_name, dict(expressions)
    fields: tuple[Any, ...] = model._meta.concrete_fields
    writer = RowWriter(
        [
            field
            for field in fields
            if field.name not in given
            and not isinstance(field, (AutoField, GeneratedField))
        ]
    )
    columns = ", ".join([*writer.columns, *map(quote, given)])
    placeholders = ", ".join([*["%s"] * len(writer.columns), *given.values()])
    head = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES "  # noqa: S608
    return head, f"({placeholders})", writer


def update_sql(row: Model, columns: tuple[str, ...]) -> SQLFragment:
    """Writes these columns of the row over what is stored."""
    sql, writer = update_template(type(row), columns)
    return sql, writer.values(row)


def update_rows(rows: Sequence[Model], columns: tuple[str, ...]) -> int:
    """Update each row, in one round trip; returns how many were there."""
    sql, writer = update_template(type(rows[0]), columns)
    with connection.cursor() as cursor:
        cursor.executemany(sql, [writer.values(row) for row in rows])
        return int(cursor.rowcount)


@cache
def update_template(
    model: type[Model], columns: tuple[str, ...]
) -> tuple[str, RowWriter]:
    fields = [model._meta.get_field(name) for name in (*columns, model._meta.pk.name)]
    writer = RowWriter(fields)
    *assignments, key = [f"{column} = %s" for column in writer.columns]
    table = connection.ops.quote_name(model._meta.db_table)
    return f"UPDATE {table} SET {', '.join(assignments)} WHERE {key}", writer  # noqa: S608
