"""Querysets that are compiled to SQL once and executed with new values each time.

Compiling the queryset of a list costs several times what executing it does. A query is
compiled for each *shape* (filters, sort, page or cursor); a `Placeholder` stands in it
for each value of a request.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from django.db import connection
from django.db.models import QuerySet
from django.db.models import Value as LiteralValue

# SQL and its parameters, some of which may be placeholders.
SQLFragment = tuple[str, list[Any]]
Row = Sequence[Any]


class Placeholder(LiteralValue):
    """A parameter of a compiled query that is bound by its name."""

    def __init__(self, name: str, output_field: Any) -> None:
        super().__init__(name, output_field=output_field)

    def resolve_expression(self, *args: Any, **options: Any) -> Self:
        return self

    def as_sql(self, *args: Any) -> Any:
        return "%s", [self]

    def bind(self, values: Mapping[str, Any]) -> Any:
        return self.output_field.get_db_prep_value(values[self.value], connection)


class CompiledQuery:
    """The SQL of a `values_list()` queryset, or of anything that returns its rows."""

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        compiler = queryset.query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        self.fragment: SQLFragment = sql, list(params)
        self.converters = compiler.get_converters(
            [each for each, *_ in compiler.select]
        )

    def rows(
        self,
        values: Mapping[str, Any],
        suffix: SQLFragment = ("", []),
        *,
        is_prepared: bool = True,
    ) -> list[Row]:
        """All rows, as `values_list()` returns them; django.db.Error.

        `is_prepared` lets the database keep the plan for statements that come again.
        """
        sql, params = self.fragment
        statement = f"{sql}{suffix[0]}", [*params, *suffix[1]]
        rows = fetch_all(statement, values, is_prepared=is_prepared)
        return [self.convert(row) for row in rows] if self.converters else rows

    def convert(self, row: Row) -> Row:
        """A database's row as the ORM returns it; only SQLite needs it."""
        values = list(row)
        for index, (converters, expression) in self.converters.items():
            for convert in converters:
                values[index] = convert(values[index], expression, connection)
        return values


def fetch_all(
    fragment: SQLFragment, values: Mapping[str, Any], *, is_prepared: bool = True
) -> list[Row]:
    sql, params = fragment
    bound = [p.bind(values) if isinstance(p, Placeholder) else p for p in params]
    with connection.cursor() as cursor:
        if not is_prepared:  # for taskapi.db.postgresql; SQLite has no such choice
            cursor.cursor.is_prepared = False
        cursor.execute(sql, bound)
        rows: list[Row] = cursor.fetchall()
    return rows
