"""What is written can be read, whatever the text is."""

import csv
import io
import json
import re
from typing import Any

import icalendar
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.exports import csv_format, ical
from tasks.exports.formats import FORMATS
from tasks.imports.parsers import READERS

NAMES = ["id", "title", "description", "status", "dueDate", "version"]
# What breaks a quoting or an escape, more often than chance would have it.
NASTY = st.sampled_from(
    [
        *"'\"=+-@\t\r\n,;\\:N n",
        "\\n",
        "\r\n",
        "''",
        "\N{FULLWIDTH EQUALS SIGN}",
        "é",
        "猫",
        "🚀",
        "\x85",
        "\u2028",
    ]
)
ANY = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXTS = st.lists(NASTY | ANY, max_size=60).map("".join)


def task(title: str, description: str | None) -> dict[str, Any]:
    return {
        "id": "00000000-0000-4000-8000-000000000001",
        "title": title,
        "description": description,
        "status": "TODO",
        "priority": "LOW",
        "labels": [],
        "parentId": None,
        "dueDate": None,
        "completedAt": None,
        "version": 1,
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00.123456Z",
    }


def read_back(format: str, text: str) -> list[Any]:
    records = list(READERS[format](io.BytesIO(text.encode())))
    assert [record.problem for record in records] == [""] * len(records)
    return [record.row for record in records]


@given(st.lists(st.tuples(TEXTS.filter(bool), st.none() | TEXTS), max_size=3))
@example([("'=1", "'")])
@example([("=cmd|' /C calc'!A0", "")])
@example([("\n", "\r")])
def test_csv_comes_back_as_it_was(texts: list[tuple[str, str | None]]) -> None:
    rows = [{name: task(*each)[name] for name in NAMES} for each in texts]
    written = "".join(csv_format.write([rows], NAMES))

    assert read_back("csv", written) == rows


@given(st.lists(st.tuples(TEXTS, st.none() | TEXTS), max_size=3))
@example([("\x85\u2028\u2029", "\x0b\x0c\x1c\r\n")])
def test_json_lines_come_back_as_they_were(
    texts: list[tuple[str, str | None]],
) -> None:
    rows = [task(*each) for each in texts]
    written = "".join(FORMATS["jsonl"].write([rows]))

    assert read_back("jsonl", written) == rows
    assert [json.loads(line) for line in written.splitlines()] == rows


@given(TEXTS.filter(bool))
@example("=1+1")
@example("'=1+1")
@example("\t=1+1")
@example("\N{FULLWIDTH EQUALS SIGN}1")
def test_no_cell_is_a_formula(title: str) -> None:
    written = "".join(csv_format.write([[{"title": title}]], ["title"]))
    [_, [cell]] = csv.reader(io.StringIO(written, newline=""), strict=True)

    assert cell[0] not in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
    # Every cell is quoted: a semicolon, where that separates, begins none.
    assert re.fullmatch(r'"title"\r\n"(?:[^"]|"")*"\r\n', written)


@pytest.mark.parametrize("text", ["it's", "'quoted'", "a=b", "plain", "1-2", "''"])
def test_harmless_text_gets_no_apostrophe(text: str) -> None:
    is_bare_quotes = not text.strip("'")
    assert csv_format.escape_formula(text) == ("'" if is_bare_quotes else "") + text


@given(TEXTS, TEXTS)
@example("C:\\new\\Nothing", "a\r\nb\rc\nd")
@example("\\" * 80, ";" * 80)
@example("x" * 66 + "é" * 80, "猫" * 80)
@example("x" * 67 + "🚀" * 80, "")
def test_calendar_is_read_as_it_was_written(title: str, description: str) -> None:
    written = "".join(ical.write([[task(title, description)] * 2]))

    parsed = icalendar.Calendar.from_ical(written)
    assert len(parsed.todos) == 2
    for todo in parsed.todos:
        assert todo.errors == []
        assert str(todo["SUMMARY"]) == plain(title)
        assert str(todo["DESCRIPTION"]) == plain(description)


@given(TEXTS, TEXTS)
@example("x" * 66 + ";" * 9, "x" * 61 + ";" * 80)
@example("x" * 65 + "\\" * 9, "\\" * 80)
def test_calendar_has_short_lines_of_whole_characters(
    title: str, description: str
) -> None:
    written = "".join(ical.write([[task(title, description)]]))

    lines = written.encode().split(b"\r\n")
    assert lines.pop() == b""
    assert max(map(len, lines)) <= 75
    for line in lines:
        assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", line.decode())
        # No escape is cut in two.
        assert len(re.findall(rb"\\*$", line)[0]) % 2 == 0


def plain(text: str) -> str:
    """As far as TEXT of RFC 5545 can tell it."""
    text = re.sub("\r\n?", "\n", text)
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", "\ufffd", text)
