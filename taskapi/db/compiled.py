"""Querysets that are compiled to SQL once and executed with new values each time.

Compiling the queryset of a list costs several times what executing it does. A query is
compiled for each *shape* (filters, sort, page or cursor); a `Placeholder` stands in it
for each value of a request.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
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


class CompiledQuery:
    """A statement that returns rows, and the conversion of their values.

    `is_prepared` lets the database keep the plan for statements that come again.
    """

    converters: dict[int, Any] = {}

    def __init__(self, fragment: SQLFragment, *, is_prepared: bool = True) -> None:
        self.sql, self.params = self.fragment = fragment
        self.is_prepared = is_prepared

    @classmethod
    def compile(
        cls,
        queryset: QuerySet[Any, Any],
        suffix: SQLFragment = ("", []),
        **options: Any,
    ) -> Self:
        """The query of a `values_list()` queryset."""
        compiler = queryset.query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        query = cls((f"{sql}{suffix[0]}", [*params, *suffix[1]]), **options)
        selected = [expression for expression, *_ in compiler.select]
        query.converters = compiler.get_converters(selected)
        return query

    def rows(self, values: Mapping[str, Any]) -> list[Row]:
        """All rows, as `values_list()` returns them; django.db.Error."""
        bound = [
            p.output_field.get_db_prep_value(values[p.value], connection)
            if isinstance(p, Placeholder)
            else p
            for p in self.params
        ]
        unprepared = getattr(connection, "without_preparing", nullcontext)
        plan = nullcontext() if self.is_prepared else unprepared()
        with plan, connection.cursor() as cursor:
            cursor.execute(self.sql, bound)
            rows: list[Row] = cursor.fetchall()
        return [self.convert(row) for row in rows] if self.converters else rows

    def convert(self, row: Row) -> Row:
        """A database's row as the ORM returns it; only SQLite needs it."""
        values = list(row)
        for index, (converters, expression) in self.converters.items():
            for convert in converters:
                values[index] = convert(values[index], expression, connection)
        return values
