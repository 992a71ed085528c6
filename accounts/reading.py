"""What a view reads in the round trips that its request makes anyway.

Each request asks Redis how often its caller came, and the database whether the session
lives. A view that says beforehand what it is going to read has it read by the same
command and the same statement.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

Fragment = tuple[str, list[Any]]


class Slot(str):
    """The place of a value that is told when the statement is sent."""

    __slots__ = ()


class Prepared:
    """The SQL of a queryset, made once and sent with other values each time.

    `slots` names the values of the queryset that stand for others; each must be unlike
    every other value in it. Making the SQL costs more than sending it.
    """

    def __init__(self, queryset: QuerySet[Any, Any], **slots: Any) -> None:
        compiler = queryset.query.get_compiler(connection=connection)
        self.sql, values = compiler.as_sql()
        places = {plain(value): Slot(name) for name, value in slots.items()}
        self.values = [places.get(value, value) for value in values]
        # Takes values as they are.
        self.is_native = connection.features.has_native_uuid_field
        columns = [column for column, _, _ in compiler.select]
        self.converters = compiler.get_converters(columns)

    def __call__(self, values: Mapping[str, Any]) -> Fragment:
        """The SQL and its parameters, for these values in the slots."""
        filled = [values[v] if type(v) is Slot else v for v in self.values]
        return self.sql, filled if self.is_native else [plain(v) for v in filled]

    def row(self, columns: Sequence[Any]) -> Sequence[Any]:
        """A row of the answer as the ORM would have it."""
        if not self.converters:  # as on PostgreSQL
            return columns
        row = list(columns)
        for index, (converters, expression) in self.converters.items():
            for convert in converters:
                row[index] = convert(row[index], expression, connection)
        return row


def plain(value: Any) -> Any:
    """A value as the database takes it."""
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


class Reading:
    """What one request reads; subclasses say what, and find it in `rows`.

    `key` names an entry of the cache, found in `kept` when `statement` is asked for,
    and that is before the others are.
    """

    key: str | None = None
    kept: bytes | None = None
    # Whether how best to read it depends on the values asked for.
    is_planned_anew = False
    rows: Sequence[Sequence[Any]] = ()

    def tables(self) -> list[tuple[str, Fragment]]:
        """Names and queries of what both of the others may read from, read once."""
        return []

    def scalars(self) -> list[Fragment]:
        """Subqueries of one value each; they come first in every row."""
        return []

    def statement(self) -> Fragment:
        """A query of any number of rows."""
        raise NotImplementedError

    def order(self) -> str:
        """How the rows of the statement, called `x`, are sorted; or nothing."""
        return ""


def along(base: Fragment, reading: Reading) -> Fragment:
    """`base`, a query of one row, with what is read along in each of its rows.

    Without any there is still one row, of nulls.
    """
    head, _, tail = base[0].partition(" FROM ")
    tables, _, condition = tail.rpartition(" WHERE ")
    rows, params = reading.statement()
    scalars, named = reading.scalars(), reading.tables()
    ahead = ", ".join(f'"{name}" AS MATERIALIZED ({sql})' for name, (sql, _) in named)
    columns = "".join(f", ({sql})" for sql, _ in scalars)
    sql = (
        f"{ahead and f'WITH {ahead} '}{head}{columns}, x.*"
        f" FROM {tables} LEFT JOIN ({rows}) x ON 1 = 1"
        f" WHERE {condition}{reading.order()}"
    )
    before = [value for _, (_, values) in named for value in values]
    before += [value for _, values in scalars for value in values]
    return sql, [*before, *params, *base[1]]
