"""Tasks as CSV (RFC 4180) without spreadsheet formulas, and back without loss."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from taskapi.api.parsers import strict_json

# Spreadsheets run a format_cell that starts with one of these (OWASP, "CSV Injection").
FORMULA_STARTS = "=+\\-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
FORMULA_STARTS += "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
NEEDS_ESCAPE = re.compile(f"'*([{FORMULA_STARTS}]|\\Z)")
ESCAPED = re.compile(f"'+([{FORMULA_STARTS}]|\\Z)")
BYTE_ORDER_MARK = "\ufeff"
TEXTS = {"title", "description", "labels", "email"}
SEPARATOR = ","  # of labels, whose names contain none
# An empty format_cell is null in these columns, and absent in the others.
NULLABLE = {
    *("description", "parentId", "assigneeId"),
    *("startDate", "dueDate", "timeZone"),
    *("recurrence", "seriesId", "nextTaskId"),
}
BOOLEANS = {"true": True, "false": False}


def write(
    pages: Iterable[list[dict[str, Any]]],
    columns: list[str],
    *,
    header: bool = True,
    bom: bool = False,
) -> Iterator[str]:
    """Yield a header and a record for each row; every cell is quoted.

    Excel takes a file for UTF-8 only with a byte order mark (`bom`).
    """
    if bom:
        yield BYTE_ORDER_MARK
    if header:
        yield to_csv([columns])
    for rows in pages:
        yield to_csv([format_cell(name, row[name]) for name in columns] for row in rows)


def to_csv(rows: Iterable[list[Any]]) -> str:
    # Quoted, so that the separator of another locale does not start a cell.
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows)
    return file.getvalue()


def format_cell(name: str, value: Any) -> Any:
    if isinstance(value, list):
        value = SEPARATOR.join(value) or None
    if isinstance(value, bool | dict):
        value = json.dumps(value)
    return escape_formula(value) if name in TEXTS and value is not None else value


def escape_formula(text: str) -> str:
    """Prefix an apostrophe to text that would be read as a formula or as null.

    Text that looks escaped is escaped, too, so that `unescape_formula` restores it.
    """
    return f"'{text}" if NEEDS_ESCAPE.match(text) else text


def unescape_formula(text: str) -> str:
    return text[1:] if ESCAPED.match(text) else text


def parse_row(columns: list[str], cells: list[str]) -> dict[str, Any]:
    """Return the row as in JSON; an invalid value is kept for the serializer."""
    values: dict[str, Any] = {}
    for name, value in zip(columns, cells, strict=True):
        if not name:  # an empty column of a spreadsheet
            continue
        if value:
            values[name] = parse_cell(name, value)
        elif name in NULLABLE:
            values[name] = None
        elif name == "labels":
            values[name] = []
    return values


def parse_cell(name: str, value: str) -> Any:
    if name == "labels":
        return unescape_formula(value).split(SEPARATOR)
    if name in TEXTS:
        return unescape_formula(value)
    if name == "isAllDay":  # spreadsheets write their own in capitals
        return BOOLEANS.get(value.lower(), value)
    if name == "recurrence":
        return parse_json(value)
    is_number = name == "version" and re.fullmatch("[0-9]{1,10}", value, re.ASCII)
    return int(value) if is_number else value


def parse_json(value: str) -> Any:
    try:
        return strict_json(value.encode())
    except ValueError:
        return value
