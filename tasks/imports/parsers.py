"""Parses a file of tasks into rows as in JSON, each with the line where it begins."""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

from taskapi.api.parsers import DuplicateKeyError, strict_json
from tasks.exports import csv_format

# Far above any valid row: a file without line ends must not fill the memory.
MAX_LINE_BYTES = 1024 * 1024
# Spreadsheets write `;` where the comma is the decimal sign, and tabs as "text".
SEPARATORS = ",;\t"
# Excel writes and reads such a line before the header.
SEPARATOR_LINE = re.compile(r"sep=([,;\t])\r?\n?", re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """`row`, or a `problem` that it has. `end` is its end in the file, in bytes;
    `is_ended`: whether a line end follows.
    """

    line: int
    end: int
    row: Any = None
    problem: str = ""
    is_ended: bool = True


class Lines:
    """The lines of a file, ended by LF; the rest of an oversize line is skipped."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.number = self.end = 0
        self.is_ended = True

    def __iter__(self) -> Iterator[bytes]:
        while line := self.file.readline(MAX_LINE_BYTES):
            self.end += len(line)
            self.number += 1
            self.is_ended = line[-1:] == b"\n"
            yield line
            while len(line) == MAX_LINE_BYTES and line[-1:] != b"\n":
                line = self.file.readline(MAX_LINE_BYTES)
                self.end += len(line)

    def text(self) -> Iterator[str]:
        for line in self:
            yield self.decode(line)

    def decode(self, line: bytes) -> str:
        # Spreadsheets and PowerShell write a byte order mark at the start.
        return decode(line.removeprefix(BOM_UTF8) if self.number == 1 else line)

    def record(self, line: int, row: Any = None, problem: str = "") -> Record:
        """Return a record that ends at the current position."""
        return Record(line, self.end, row, problem, self.is_ended)


def decode(line: bytes) -> str:
    """Decode a line. Raises ValueError if it is not UTF-8 or too long."""
    if len(line) == MAX_LINE_BYTES:
        raise ValueError("The line is too long.")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        hint = 'The line is not UTF-8; in a spreadsheet, save as "CSV UTF-8".'
        raise ValueError(hint) from error


def read_jsonl(file: BinaryIO) -> Iterator[Record]:
    """Parse JSON Lines."""
    lines = Lines(file)
    for line in lines:
        try:
            row = parse_json(lines.decode(line))
        except ValueError as error:
            yield lines.record(lines.number, problem=str(error))
        else:
            yield lines.record(lines.number, row)


def parse_json(text: str) -> Any:
    try:
        return strict_json(text.encode())
    except DuplicateKeyError as error:
        raise ValueError("An object has the same key twice.") from error
    except ValueError as error:
        raise ValueError("The line is not valid JSON.") from error


def read_csv(file: BinaryIO) -> Iterator[Record]:
    """Parse CSV with a header; stop at a quoting error, which hides the row ends.

    Empty rows and empty columns, which spreadsheets write, are skipped.
    """
    lines = Lines(file)
    begins = 1
    try:
        columns = None
        for cells in split_rows(lines.text()):
            if not any(cells):
                pass
            elif columns is None:
                columns = validate_header(cells)
            else:
                yield lines.record(begins, **parse_cells(columns, cells))
            begins = lines.number + 1
        if columns is None:
            raise ValueError("The file has no header.")
    except (csv.Error, ValueError) as error:
        hint = f"{str(error).rstrip('.')}. The rest was not read."
        yield lines.record(begins, problem=hint)


def split_rows(texts: Iterator[str]) -> Iterator[list[str]]:
    """The cells of each row; the separator is that of the first line."""
    first = next(texts, "")
    if declared := SEPARATOR_LINE.fullmatch(first):
        separator = declared[1]
    else:
        # No name of a column contains one.
        separator = max(SEPARATORS, key=first.count)
        texts = chain([first], texts)
    return csv.reader(texts, delimiter=separator, strict=True)


def validate_header(cells: list[str]) -> list[str]:
    names = [name for name in cells if name]
    if len(set(names)) < len(names):
        raise ValueError("The header has the same column twice.")
    while not cells[-1]:
        cells.pop()
    return cells


def parse_cells(columns: list[str], cells: list[str]) -> dict[str, Any]:
    size = len(columns)
    if len(cells) < size or any(cells[size:]):
        hint = f"The row has {len(cells)} cells; the header has {size}."
        return {"problem": hint}
    nameless = [cell for name, cell in zip(columns, cells, strict=False) if not name]
    if any(nameless):
        return {"problem": "A cell is in a column that has no name in the header."}
    return {"row": csv_format.parse_row(columns, cells[:size])}


READERS: dict[str, Callable[[BinaryIO], Iterator[Record]]] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
}
