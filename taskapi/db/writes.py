"""The statements that write tasks and their history, and read what is to be changed.

Where the database has data-modifying WITH (PostgreSQL) writes are parts of one: that
takes one round trip, and is all or nothing without a transaction around it.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, connections
from django.db.models import AutoField, GeneratedField, IntegerField, JSONField, Model

from accounts.reading import Fragment, Prepared, plain
from tasks.models import Change, Task

# What a write may change of a task that is there.
WRITTEN = (*Change.FIELDS, "version", "revision", "updated_at")
OWNER = "owner"
# In the place of a task's own.
OWNERS_REVISION = f"(SELECT revision FROM {OWNER})"  # noqa: S608


def can_join() -> bool:
    return connections["default"].vendor == "postgresql"


def send(parts: Mapping[str, Fragment], returning: str = "1") -> Sequence[Any]:
    """Run all parts, in a transaction; what the last returns of each row it writes."""
    database: Any = connections["default"]
    *ahead, (sql, values) = parts.values()
    sql = f"{sql} RETURNING {returning}"
    if can_join():
        written: Sequence[Any] = database.rows(*joined(parts, sql), is_prepared=True)
        return written
    with database.cursor() as cursor:
        for each in ahead:
            cursor.execute(*each)
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def joined(parts: Mapping[str, Fragment], last: str) -> Fragment:
    """All parts as one statement; they see what was there before, not each other."""
    names = [*parts][:-1]
    ahead = ", ".join([f"{name} AS ({parts[name][0]})" for name in names])
    values = [value for _, each in parts.values() for value in each]
    return f"WITH {ahead} {last}" if ahead else last, values


def send_advancing(owner_id: UUID, parts: Mapping[str, Fragment]) -> int:
    """Run all parts and `advance` as one statement, and return the new revision;
    User.DoesNotExist.

    Only parts that read nothing: what they see is from before the wait for the owner's
    row. Needs no transaction.
    """
    users = get_user_model()
    owner = users._default_manager.advancing(owner_id)
    try:
        revisions = send({OWNER: owner, **parts}, returning=OWNERS_REVISION)
    except IntegrityError as error:
        if column_of(error) == "revision":  # that of no owner
            raise users.DoesNotExist from error
        raise
    return int(revisions[0][0])


def column_of(error: IntegrityError) -> str | None:
    """The column that was not to be null."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "column_name", None)


def existing(ids: Collection[UUID]) -> dict[UUID, Task]:
    """The tasks of these ids, live or trashed."""
    if not ids:
        return {}
    names, every = reading()
    places = ", ".join(["%s"] * len(ids))
    sql = f"{every.fragment[0]} WHERE id IN ({places})"
    with connections["default"].cursor() as cursor:
        cursor.execute(sql, [plain(pk) for pk in ids])
        rows = cursor.fetchall()
    tasks = [Task.from_db("default", names, every.row(row)) for row in rows]
    return {task.pk: task for task in tasks}


@cache
def reading() -> tuple[list[str], Prepared]:
    names = [field.attname for field in Task._meta.concrete_fields]
    return names, Prepared(Task.objects.values_list(*names))


class Shape:
    """What is written of the rows of a model, in which order."""

    def __init__(self, fields: Sequence[Any]) -> None:
        self.columns = [connection.ops.quote_name(field.column) for field in fields]
        self.read = attrgetter(*(field.attname for field in fields))
        self.adapted = [
            (index, field.get_db_prep_save)
            for index, field in enumerate(fields)
            if not is_native(field)
        ]

    def values(self, row: Model) -> list[Any]:
        values, database = list(self.read(row)), connections["default"]
        for index, adapt in self.adapted:
            values[index] = adapt(values[index], database)
        return values


def is_native(field: Any) -> bool:
    """Whether the driver takes the model's values as they are."""
    # An integer's type would follow from its size, and the statement's from that.
    return can_join() and not isinstance(field, IntegerField | JSONField)


def insertion(rows: Sequence[Model], **expressions: str) -> Fragment:
    """The rows as new ones; a column of `expressions` is that in each of them."""
    head, places, shape = inserting(type(rows[0]), tuple(expressions.items()))
    values = [value for row in rows for value in shape.values(row)]
    return f"{head}{', '.join([places] * len(rows))}", values


@cache
def inserting(
    model: type[Model], expressions: tuple[tuple[str, str], ...]
) -> tuple[str, str, Shape]:
    generated = (AutoField, GeneratedField)
    every: tuple[Any, ...] = model._meta.concrete_fields
    given = dict(expressions)
    shape = Shape(
        [f for f in every if f.name not in given and not isinstance(f, generated)]
    )
    columns = ", ".join([*shape.columns, *map(connection.ops.quote_name, given)])
    places = ", ".join([*["%s"] * len(shape.columns), *given.values()])
    table = connection.ops.quote_name(model._meta.db_table)
    head = f"INSERT INTO {table} ({columns}) VALUES "  # noqa: S608
    return head, f"({places})", shape


def update(task: Task) -> Fragment:
    """The task as it is, over what is there."""
    sql, shape = updating()
    return sql, shape.values(task)


def update_each(tasks: Sequence[Task]) -> int:
    """Write the tasks as they are, in one round trip; how many there are."""
    sql, shape = updating()
    with connections["default"].cursor() as cursor:
        cursor.executemany(sql, [shape.values(task) for task in tasks])
        return int(cursor.rowcount)


@cache
def updating() -> tuple[str, Shape]:
    shape = Shape([Task._meta.get_field(name) for name in (*WRITTEN, "id")])
    *places, key = [f"{column} = %s" for column in shape.columns]
    table = connection.ops.quote_name(Task._meta.db_table)
    return f"UPDATE {table} SET {', '.join(places)} WHERE {key}", shape  # noqa: S608
