"""What a view reads in the round trips that its request makes anyway.

Each request asks Redis how often its caller came, and the database whether the session
lives. A view that says beforehand what it is going to read has it read by the same
command and the same statement.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, connections
from django.db.models import QuerySet
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from taskapi.api.cache_keys import prefixed

# SQL, and its values: a slot stands for one that is told when it is sent.
Fragment = tuple[str, list[Any]]


@cache
def redis_client() -> Any:
    """The one of this process; to look it up costs as much as a command."""
    return get_redis_connection("default")


def hint_key(user: str) -> str:
    return prefixed(f"revision:{user}")


def hint_seconds() -> int:
    # Clients keep their answers longer than the cache does.
    return settings.LIST_CACHE_SECONDS + 3600


def keep_hint(user: str, revision: int) -> None:
    """Tell later requests the user's revision: what was kept under another is stale.

    Each request that may write empties the hint beforehand, so that the first list
    after it reads its page at once and not in a second statement. The hint may be
    wrong, as a write commits after that, and the admin's empty none: it only chooses
    the statement, and the revision which that reads decides what is current.
    """
    with suppress(RedisError):
        redis_client().set_unawaited(hint_key(user), b"%d" % revision, hint_seconds())


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
        sql, values = compiler.as_sql()
        places = {plain(value): Slot(name) for name, value in slots.items()}
        self.fragment = sql, [places.get(value, value) for value in values]
        columns = [column for column, _, _ in compiler.select]
        self.converters = compiler.get_converters(columns)

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


@dataclass(eq=False)
class Along:
    """What is read along with a session, made once for each way to ask for it."""

    # A query of any number of rows.
    rows: Fragment
    # How these rows, called `x`, are sorted.
    order: str = ""
    # Names and queries of what both of the others may read from, read once.
    tables: list[tuple[str, Fragment]] = field(default_factory=list)
    # Subqueries of one value each; they come first in every row.
    scalars: list[Fragment] = field(default_factory=list)
    # Whether how best to read it depends on the values asked for.
    is_planned_anew: bool = False


class Asker(NamedTuple):
    """The user that a token names, before it is known to be good."""

    id: UUID
    # The same, written out.
    key: str


class Reading:
    """What one request reads; subclasses say what, and find it in `rows`.

    `key` names an entry of the cache, found in `kept` when `known` is asked for.
    """

    key: str | None = None
    kept: bytes | None = None
    # As `keep_hint` left it, where there is a key.
    hint: bytes | None = None
    rows: Sequence[Sequence[Any]] = ()

    def known(self) -> int | None:
        """The user's revision for which all is known already."""
        return None

    def along(self) -> tuple[Along, Mapping[str, Any]]:
        """What to read, and the values for its slots."""
        raise NotImplementedError


class Statement:
    """SQL that is sent with other values each time."""

    def __init__(self, base: Fragment, along: Along | None) -> None:
        self.sql, values = joined(base, along) if along else base
        names = [v if type(v) is Slot else str(n) for n, v in enumerate(values)]
        self.fixed = dict(zip(names, values, strict=True))
        self.pick = picker(names)
        self.is_prepared = not (along and along.is_planned_anew)

    def rows(self, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """What the database answers; django.db.Error."""
        params = self.pick({**self.fixed, **values})
        database: Any = connections["default"]
        if database.vendor == "postgresql":
            found: Sequence[Any] = database.rows(self.sql, params, self.is_prepared)
            return found
        with database.cursor() as cursor:
            cursor.execute(self.sql, [plain(value) for value in params])
            rows: Sequence[Any] = cursor.fetchall()
        return rows


def picker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """Takes the values of these names from a mapping."""
    if len(names) > 1:
        return itemgetter(*names)
    # For one name `itemgetter` gives no sequence, and it takes no less.
    return lambda values: [values[name] for name in names]


def joined(base: Fragment, along: Along) -> Fragment:
    """`base`, a query of one row, with what is read along in each of its rows.

    Without any there is still one row, of nulls.
    """
    head, _, tail = base[0].partition(" FROM ")
    tables, _, condition = tail.rpartition(" WHERE ")
    rows, params = along.rows
    ahead = ", ".join(
        f'"{name}" AS MATERIALIZED ({sql})' for name, (sql, _) in along.tables
    )
    columns = "".join(f", ({sql})" for sql, _ in along.scalars)
    sql = (
        f"{ahead and f'WITH {ahead} '}{head}{columns}, x.*"
        f" FROM {tables} LEFT JOIN ({rows}) x ON 1 = 1"
        f" WHERE {condition}{along.order}"
    )
    before = [value for _, (_, values) in along.tables for value in values]
    before += [value for _, values in along.scalars for value in values]
    return sql, [*before, *params, *base[1]]
