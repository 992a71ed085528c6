"""A file of tasks to rows as JSON has them, each with the line where it begins."""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from taskapi.api.parsers import DuplicateKeyError, strict_json
from tasks.exports import csv_format

# No row that is accepted comes near it; a file without line ends must not fill memory.
LONGEST_LINE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Record:
    """`row`, or what is wrong with it. `end` is where it ends in the file, in bytes;
    `is_ended` that a line end is there.
    """

    line: int
    end: int
    row: Any = None
    problem: str = ""
    is_ended: bool = True


class Lines:
    """The file's lines, counted as editors count them: a line ends with LF."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.number = self.end = 0
        self.is_ended = True

    def __iter__(self) -> Iterator[bytes]:
        while line := self.file.readline(LONGEST_LINE_BYTES):
            self.end += len(line)
            self.number += 1
            self.is_ended = line[-1:] == b"\n"
            yield line
            while len(line) == LONGEST_LINE_BYTES and line[-1:] != b"\n":
                line = self.file.readline(LONGEST_LINE_BYTES)
                self.end += len(line)

    def text(self) -> Iterator[str]:
        for line in self:
            yield decoded(line)

    def record(self, line: int, row: Any = None, problem: str = "") -> Record:
        """One that ends here."""
        return Record(line, self.end, row, problem, self.is_ended)


def decoded(line: bytes) -> str:
    """ValueError for what is not UTF-8, or too long to be a row."""
    if len(line) == LONGEST_LINE_BYTES:
        raise ValueError("Too long.")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ValueError("Not UTF-8.") from error


def read_lines(file: BinaryIO) -> Iterator[Record]:
    """JSON Lines."""
    lines = Lines(file)
    for line in lines:
        try:
            row = parsed(decoded(line))
        except ValueError as error:
            yield lines.record(lines.number, problem=str(error))
        else:
            yield lines.record(lines.number, row)


def parsed(text: str) -> Any:
    try:
        return strict_json(text)
    except DuplicateKeyError as error:
        raise ValueError("The same name is there twice.") from error
    except ValueError as error:
        raise ValueError("Not valid JSON.") from error


def read_table(file: BinaryIO) -> Iterator[Record]:
    """CSV with a header. After a fault in the quoting the rest cannot be told apart."""
    lines = Lines(file)
    begins = 1
    try:
        columns = None
        for cells in csv.reader(without_mark(lines.text()), strict=True):
            if columns is None:
                columns = header(cells)
            else:
                yield lines.record(begins, **checked(columns, cells))
            begins = lines.number + 1
        if columns is None:
            raise ValueError("There is no header.")
    except (csv.Error, ValueError) as error:
        hint = f"{str(error).rstrip('.')}. The rest was not read."
        yield lines.record(begins, problem=hint)


def without_mark(texts: Iterable[str]) -> Iterator[str]:
    """Without the byte order mark that spreadsheets put at the start."""
    for number, text in enumerate(texts):
        yield text if number else text.removeprefix("\ufeff")


def header(cells: list[str]) -> list[str]:
    if len(set(cells)) < len(cells):
        raise ValueError("A column is there twice.")
    return cells


def checked(columns: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(columns):
        hint = f"Has {len(cells)} cells; the header has {len(columns)}."
        return {"problem": hint}
    return {"row": csv_format.row(columns, cells)}


READERS: dict[str, Callable[[BinaryIO], Iterator[Record]]] = {
    "csv": read_table,
    "jsonl": read_lines,
}
