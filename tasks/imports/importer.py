"""An import: reads and checks everything before it writes anything.

It is idempotent by the rows' ids: a task with the same content is left unchanged, so
an interrupted import continues when it is run again.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError

from tasks import access
from tasks.imports.parsers import Record
from tasks.imports.serializers import Row, RowInput, build_row, format_errors
from tasks.imports.spool import Spool
from tasks.models import Task
from tasks.operations import ActorContext, Conflict, OperationFailed, run

FORBIDDEN = "The id belongs to a task of another user."


@dataclass
class Importer:
    """`report` is called with a line and its problem."""

    report: Callable[[int, str], None]
    owner: Any = None
    overwrite: bool = False
    size: int = 500
    counts: Counter[str] = field(default_factory=Counter)
    spool: Spool = field(default_factory=Spool)

    def __post_init__(self) -> None:
        # Shared by all rows: creating it costs more than using it.
        self.body = RowInput()
        self.user_id = lru_cache(maxsize=1024)(user_id)

    def reject(self, line: int, problem: str) -> None:
        self.counts["failed"] += 1
        self.report(line, problem)

    # First, every row is read and checked.

    def read(self, records: Iterable[Record]) -> None:
        for record in records:
            try:
                row = self.parse(record)
            except ValueError as error:
                self.reject(record.line, str(error))
                continue
            earlier = self.spool.add(row)
            if earlier is not None:
                self.reject(row.line, f"id: Line {earlier} has the same id.")

    def parse(self, record: Record) -> Row:
        if record.problem:
            raise ValueError(record.problem)
        valid = self.validate(record.row)
        owner_id = self.owner.pk if self.owner else self.user_id(valid.get("email"))
        return build_row(record.line, owner_id, record.row, valid)

    def validate(self, row: Any) -> dict[str, Any]:
        try:
            return dict(self.body.run_validation(row))
        except ValidationError as error:
            raise ValueError(format_errors(error.detail)) from error

    def check(self) -> None:
        """Compare the rows with existing tasks; drop those that are unchanged."""
        for rows in self.spool.batches(self.size):
            existing = Task.objects.in_bulk([row.id for row in rows])
            outcomes = [(row, self.outcome(row, existing.get(row.id))) for row in rows]
            self.counts.update(outcome for _, outcome in outcomes if outcome)
            self.spool.drop(
                [row for row, outcome in outcomes if outcome == "unchanged"]
            )

    def outcome(self, row: Row, task: Task | None) -> str:
        operation = row.operation(overwrite=self.overwrite)
        try:
            return operation.outcome(task, row.owner_id)
        except Conflict as conflict:
            self.reject(row.line, f"id: {conflict}")
        except (access.TaskForbidden, access.TaskNotFound):
            self.reject(row.line, f"id: {FORBIDDEN}")
        return ""

    # Then, each batch of one owner's rows is written in one transaction.

    def write(self, advance: Callable[[int], Any]) -> None:
        self.counts["created"] = self.counts["updated"] = 0
        for rows in self.spool.batches(self.size):
            self.write_batch(rows)
            advance(len(rows))

    def write_batch(self, rows: list[Row]) -> None:
        owner_id = rows[0].owner_id
        now = timezone.now()
        author = ActorContext(owner_id, None, "import", now, obeys_quotas=False)
        operations = [row.operation(overwrite=self.overwrite) for row in rows]
        try:
            batch = run(operations, author)
        except OperationFailed as failure:
            # The task was written since it was checked.
            self.reject(rows[failure.index].line, problem_of(failure.cause))
            raise
        created, updated = len(batch.created), len(batch.changed)
        unchanged = len(rows) - created - updated
        self.counts.update(created=created, updated=updated, unchanged=unchanged)


def problem_of(refusal: APIException) -> str:
    if isinstance(refusal, access.TaskForbidden | access.TaskNotFound):
        return f"id: {FORBIDDEN}"
    text = format_errors(refusal.detail)
    return text if isinstance(refusal, ValidationError) else f"id: {text}"


def user_id(email: str | None) -> UUID:
    """Return the id of the user with this address, or raise ValueError."""
    if email is None:
        raise ValueError("email: Required unless --user names the owner.")
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(email).pk
    except users.DoesNotExist as error:
        raise ValueError("email: No user has this address.") from error
