"""Tasks as of one moment, read in short queries without an open transaction."""

from array import array
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, cast
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from taskapi.api import datetimes
from taskapi.db.pages import fetch, in_pages, split
from tasks.fields import HISTORY_FIELDS, join_recurrence
from tasks.models import Priority, Task, TaskChange

PAGE_SIZE = 500
ID_BYTES = 16


class Snapshot:
    """The tasks of a query, in its order, as of the creation of the snapshot.

    Stores 20 bytes per task: the id and the version, both from one statement. No
    transaction stays open, so a slow reader does no harm. Later changes are reverted by
    the history; tasks that were purged since are left out.

    Pages are read from `source`, by default all tasks, which may select related rows.
    """

    def __init__(
        self, tasks: QuerySet[Task], *, source: QuerySet[Task] | None = None
    ) -> None:
        self.source = Task.objects.all() if source is None else source
        self.ids = bytearray()
        self.versions = array("I")
        # A server-side cursor saves memory. PostgreSQL needs a transaction for it;
        # on SQLite, a transaction would wait for writers.
        is_sqlite = connection.vendor == "sqlite"
        with nullcontext() if is_sqlite else transaction.atomic():
            found = tasks.values_list("id", "version").iterator(chunk_size=5000)
            for pk, version in found:
                self.ids += pk.bytes
                self.versions.append(version)

    def __len__(self) -> int:
        return len(self.versions)

    def pages(self, size: int = PAGE_SIZE) -> Iterator[list[Task]]:
        """Pages of up to so many tasks, and of MAX_PAGE_BYTES of text."""
        for start in range(0, len(self), size):
            versions = {
                self.id_of(index): self.versions[index]
                for index in range(start, min(start + size, len(self)))
            }
            sizes = text_sizes(list(versions))
            for pks in split((pk, sizes[pk]) for pk in versions if pk in sizes):
                yield [as_of(versions[t.pk], t) for t in fetch(self.source, pks)]

    def id_of(self, index: int) -> UUID:
        start = index * ID_BYTES
        return UUID(bytes=bytes(self.ids[start : start + ID_BYTES]))


def text_sizes(pks: list[UUID]) -> dict[UUID, int]:
    tasks = Task.objects.filter(pk__in=pks).annotate(page_octets=Task.TEXT_OCTETS)
    return dict(tasks.values_list("pk", "page_octets"))


def as_of(version: int, task: Task) -> Task:
    """Revert the task, in memory, to this version."""
    if task.version != version:
        later = task.changes.filter(version__gt=version)
        for page in in_pages(later, TaskChange.OCTETS, key="-version"):
            for change in page:
                revert(change, task)
        task.version = version
        kept = task.changes.filter(version__lte=version).order_by("version")
        task.updated_at = cast(Any, kept.values_list("changed_at", flat=True).last())
    return task


def revert(change: TaskChange, task: Task) -> None:
    columns = {field.name: column for column, field in HISTORY_FIELDS.items()}
    for entry in change.fields:
        column = columns[entry["field"]]
        setattr(task, column, parse_value(column, entry["from"]))


def parse_value(name: str, plain: Any) -> Any:
    """Convert a value of the history to the value of the model field."""
    if plain is None:
        return None
    if name == "priority":
        return Priority[plain].value
    if name == "labels":
        return ",".join(plain)
    if name == "recurrence":
        return join_recurrence(plain)
    if name.endswith("_id"):
        return UUID(plain)
    return datetimes.parse(plain) if name.endswith("_at") else plain
