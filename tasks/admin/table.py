"""Tasks as CSV (RFC 4180), a chunk at a time."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from tasks.models import Task
from tasks.personal_data import in_chunks
from tasks.serializers import TaskSerializer

COLUMNS = [*TaskSerializer().fields, "email"]
TEXTS = {"title", "description", "email"}
# A cell that begins so is a formula to a spreadsheet (OWASP, "CSV Injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def lines(tasks: QuerySet[Task]) -> Iterator[str]:
    show = TaskSerializer().to_representation
    yield written([COLUMNS])
    for chunk in in_chunks(tasks.select_related("user")):
        rows = [show(task) | {"email": task.user.email} for task in chunk]
        yield written([[cell(name, row[name]) for name in COLUMNS] for row in rows])


def cell(name: str, value: Any) -> Any:
    return f"'{value}" if name in TEXTS and str(value).startswith(FORMULA) else value


def written(rows: list[list[Any]]) -> str:
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    return file.getvalue()
