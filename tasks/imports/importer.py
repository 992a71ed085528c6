"""An import: read and check everything, and only then write.

Each row's id makes it idempotent: what is there with the same content is left alone, so
that an import that broke off is taken up by running it again.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from tasks import access
from tasks.imports.parsers import Record
from tasks.imports.serializers import Row, RowInput, made, told
from tasks.imports.spool import Spool
from tasks.models import Task
from tasks.operations import ActorContext, Conflict, OperationFailed, run

FORBIDDEN = "The id belongs to a task of somebody else."


@dataclass
class Importer:
    """`report` is called with the line and what is wrong with it."""

    report: Callable[[int, str], None]
    owner: Any = None
    overwrite: bool = False
    size: int = 500
    counts: Counter[str] = field(default_factory=Counter)
    spool: Spool = field(default_factory=Spool)

    def __post_init__(self) -> None:
        # One for all rows: making it costs more than using it.
        self.body = RowInput()
        self.user_id = lru_cache(maxsize=1024)(user_id)

    def refuse(self, line: int, problem: str) -> None:
        self.counts["failed"] += 1
        self.report(line, problem)

    # First: every row is read and checked.

    def read(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                row = self.row(record)
            except ValueError as error:
                self.refuse(record.line, str(error))
                continue
            earlier = self.spool.add(row)
            if earlier is not None:
                self.refuse(row.line, f"id: Line {earlier} has the same.")

    def row(self, record: Record) -> Row:
        if record.problem:
            raise ValueError(record.problem)
        valid = self.valid(record.row)
        owner_id = self.owner.pk if self.owner else self.user_id(valid.get("email"))
        return made(record.line, owner_id, record.row, valid)

    def valid(self, row: Any) -> dict[str, Any]:
        try:
            return dict(self.body.run_validation(row))
        except ValidationError as error:
            raise ValueError(told(error.detail)) from error

    def check(self) -> None:
        """Compare the rows with what is there; what is there already is done."""
        for rows in self.spool.batches(self.size):
            there = Task.objects.in_bulk([row.id for row in rows])
            outcomes = [(row, self.outcome(row, there.get(row.id))) for row in rows]
            self.counts.update(outcome for _, outcome in outcomes if outcome)
            self.spool.drop([row for row, what in outcomes if what == "unchanged"])

    def outcome(self, row: Row, task: Task | None) -> str:
        operation = row.operation(overwrite=self.overwrite)
        try:
            return operation.outcome(task, row.owner_id)
        except Conflict as conflict:
            self.refuse(row.line, f"id: {conflict}")
        except access.TaskForbidden:
            self.refuse(row.line, f"id: {FORBIDDEN}")
        return ""

    # Then: a batch of one owner's rows is written, or none of it.

    def write(self, advance: Callable[[int], Any]) -> None:
        self.counts["created"] = self.counts["updated"] = 0
        for rows in self.spool.batches(self.size):
            self.write_batch(rows)
            advance(len(rows))

    def write_batch(self, rows: list[Row]) -> None:
        owner_id = rows[0].owner_id
        author = ActorContext(owner_id, None, "import", timezone.now())
        operations = [row.operation(overwrite=self.overwrite) for row in rows]
        try:
            batch = run(operations, author)
        except OperationFailed as failure:
            # Somebody has written it since it was checked.
            is_forbidden = isinstance(failure.cause, access.TaskForbidden)
            problem = FORBIDDEN if is_forbidden else str(failure.cause)
            self.refuse(rows[failure.index].line, f"id: {problem}")
            raise
        created, updated = len(batch.created), len(batch.changed)
        unchanged = len(rows) - created - updated
        self.counts.update(created=created, updated=updated, unchanged=unchanged)


def user_id(email: str | None) -> UUID:
    """ValueError if it names nobody."""
    if email is None:
        raise ValueError("email: Needed to tell the owner, as there is no --user.")
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(email).pk
    except users.DoesNotExist as error:
        raise ValueError("email: No user has this address.") from error
