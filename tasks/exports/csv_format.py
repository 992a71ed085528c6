"""Tasks as CSV (RFC 4180) that a spreadsheet does not run, and back without loss."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

# A cell that begins so is a formula to a spreadsheet (OWASP, "CSV Injection").
FORMULA = "=+\\-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
FORMULA += "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
DANGEROUS = re.compile(f"'*([{FORMULA}]|\\Z)")
GUARDED = re.compile(f"'+([{FORMULA}]|\\Z)")
TEXTS = {"title", "description", "email"}
# An empty cell is null here, and not given in the other columns.
NULLABLE = {"description", "dueDate"}


def write(
    pages: Iterable[list[dict[str, Any]]], columns: list[str], *, header: bool = True
) -> Iterator[str]:
    """A header and a record for each row; every cell is quoted."""
    if header:
        yield records([columns])
    for rows in pages:
        yield records([cell(name, row[name]) for name in columns] for row in rows)


def records(rows: Iterable[list[Any]]) -> str:
    # Quoted, so that a separator of another locale does not begin a cell.
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    return file.getvalue()


def cell(name: str, value: Any) -> Any:
    return guarded(value) if name in TEXTS and value is not None else value


def guarded(text: str) -> str:
    """With an apostrophe in front of what would be a formula, or null.

    And in front of what looks as if it had one already, so that `unguarded` restores
    every text.
    """
    return f"'{text}" if DANGEROUS.match(text) else text


def unguarded(text: str) -> str:
    return text[1:] if GUARDED.match(text) else text


def row(columns: list[str], cells: list[str]) -> dict[str, Any]:
    """The row as JSON would have it; a bad value stays as it is, to be refused."""
    read: dict[str, Any] = {}
    for name, value in zip(columns, cells, strict=True):
        if value:
            read[name] = typed(name, value)
        elif name in NULLABLE:
            read[name] = None
    return read


def typed(name: str, value: str) -> Any:
    if name in TEXTS:
        return unguarded(value)
    is_number = name == "version" and re.fullmatch("[0-9]{1,10}", value, re.ASCII)
    return int(value) if is_number else value
