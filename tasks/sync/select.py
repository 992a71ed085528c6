"""Reads rows of a stage: one statement for any number of branches and sources.

A part is one branch of the own space, or of projects. Of projects, the first rows of
each are read by an index, as lists do (tasks.queries.sources).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BigIntegerField, JSONField, UUIDField
from django.db.models.expressions import RawSQL
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan

from taskapi.db.compiled import CompiledQuery, Placeholder, Row
from tasks.sync.stages import OWNER, Source, Stage
from tasks.sync.state import NOTHING, Position

NUMBER = BigIntegerField()
LAST_KEY = 2**128 - 1
# Without LATERAL, each project is a part.
MAX_PARTS = 100
# More would only fill the connection's cache of statements.
MAX_PREPARED_PARTS = 20


class Part(NamedTuple):
    branch: int
    scope: str
    # With their numbers.
    sources: list[tuple[int, Source]]


def supports_lateral() -> bool:
    return connection.vendor == "postgresql"


def divide(stage: Stage, sources: Sequence[Source], position: Position) -> list[Part]:
    """What is still to be read of a stage, in order."""
    parts: list[Part] = []
    for branch in range(position.branch, len(stage.branches)):
        for number, source in enumerate(sources):
            place = branch, source.group, source.id
            if (
                stage.column(source.scope) is None
                or (source.is_new and branch in stage.gone)
                or place < (position.branch, position.group, position.source)
            ):
                continue
            last = parts[-1] if parts else None
            is_same = last and last[:2] == (branch, source.scope)
            if last and is_same and source.scope != OWNER and supports_lateral():
                last.sources.append((number, source))
            else:
                parts.append(Part(branch, source.scope, [(number, source)]))
    return parts


def select(
    stage: Stage, parts: Sequence[Part], position: Position, limit: int
) -> list[Row]:
    """Rows from the position on, in order: their branch, number of the source, key and
    revision, and the stage's columns.
    """
    pieces, params = [], []
    values: dict[str, Any] = {}
    for index, part in enumerate(parts):
        query = compiled(stage, part.branch, part.scope)
        pieces.append(f"SELECT {part.branch} AS branch, x.* FROM ({query.sql}) x")  # noqa: S608
        params += [renamed(param, index) for param in query.params]
        bound = values_of(stage, part, position, limit)
        values |= {f"{name}{index}": value for name, value in bound.items()}
    sql = f"{' UNION ALL '.join(pieces)} ORDER BY 1, 2, 4, 3 LIMIT %s"
    is_prepared = len(parts) <= MAX_PREPARED_PARTS
    found = CompiledQuery((sql, [*params, limit]), is_prepared=is_prepared).rows(values)
    return [(*row[:2], *query.convert(row[2:])) for row in found]


def renamed(param: Any, index: int) -> Any:
    """Of several parts, each has its own values."""
    if not isinstance(param, Placeholder):
        return param
    return Placeholder(f"{param.value}{index}", param.output_field)


def values_of(
    stage: Stage, part: Part, position: Position, limit: int
) -> dict[str, Any]:
    starts = [
        {
            "number": number,
            "scope": source.scope_id,
            **start_of(stage, part.branch, source, position),
            "until": source.window.until,
        }
        for number, source in part.sources
    ]
    if is_lateral(part.scope):
        projects = [
            each | {k: str(each[k]) for k in ("scope", "key")} for each in starts
        ]
        return {"projects": projects, "limit": limit}
    return starts[0] | {"limit": limit}


def start_of(
    stage: Stage, branch: int, source: Source, position: Position
) -> dict[str, Any]:
    """The revision and the key after which the rows begin."""
    is_there = position.revision > NOTHING and (
        (branch, source.group, source.id)
        == (position.branch, position.group, position.source)
    )
    after, key = source.window.after, LAST_KEY
    if is_there:
        after, key = position.revision, position.key
    return {"after": after, "key": stage.to_key(key)}


def is_lateral(scope: str) -> bool:
    return scope != OWNER and supports_lateral()


@cache
def compiled(stage: Stage, branch: int, scope: str) -> CompiledQuery:
    """The first rows of a window after a start: an index has them in this order."""
    bind: Any = project_value if is_lateral(scope) else Placeholder
    key, is_after = stage.key_field, TupleGreaterThan
    start: Any = bind("after", NUMBER), bind("key", key)
    rows = stage.model._default_manager.filter(
        stage.branches[branch],
        is_after(Tuple("revision", key.name), start),
        **{str(stage.column(scope)): bind("scope", UUIDField())},
        revision__lte=bind("until", NUMBER),
    )
    rows = rows.order_by("revision", key.name)
    selected = rows.values_list(key.name, "revision", *stage.columns)
    limit = " LIMIT %s", [Placeholder("limit", NUMBER)]
    query = CompiledQuery.compile(selected, limit)
    query.sql, query.params = numbered(query, stage, scope)
    return query


def project_value(name: str, field: Any) -> RawSQL:
    return RawSQL(f"p.{name}", [], field)  # noqa: S611


def numbered(query: CompiledQuery, stage: Stage, scope: str) -> Any:
    """With the number of the source before the columns."""
    if not is_lateral(scope):
        number = "%s", [Placeholder("number", NUMBER)]
        sql = f"SELECT CAST({number[0]} AS bigint) AS number, y.* FROM ({query.sql}) y"  # noqa: S608
        return sql, [*number[1], *query.params]
    kind = "uuid" if stage.has_uuids else "bigint"
    columns = f"number bigint, scope uuid, after bigint, key {kind}, until bigint"
    projects = f"jsonb_to_recordset(%s) p({columns})"
    # In this order, so that no more projects are read than the page needs.
    in_order = f"(SELECT p.* FROM {projects} ORDER BY p.number) p"  # noqa: S608
    sql = f"SELECT p.number, y.* FROM {in_order} CROSS JOIN LATERAL ({query.sql}) y"  # noqa: S608
    return sql, [Placeholder("projects", JSONField()), *query.params]
