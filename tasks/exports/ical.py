"""Tasks as an iCalendar file of to-dos (RFC 5545, section 3.6.2)."""

import re
from collections.abc import Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from taskapi.api import datetimes

OPENING = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//taskapi//taskapi//EN\r\n"
CLOSING = "END:VCALENDAR\r\n"
STATUS = {"TODO": "NEEDS-ACTION", "IN_PROGRESS": "IN-PROCESS", "DONE": "COMPLETED"}
# How far a task in progress is (3.8.1.8) is not known.
PERCENT_COMPLETE = {"TODO": 0, "DONE": 100}
# 1 is the highest; 1 to 4 are high, 5 is medium, 6 to 9 are low (3.8.1.9).
PRIORITY = {"URGENT": 1, "HIGH": 3, "MEDIUM": 5, "LOW": 9}
# Neither TEXT (3.3.11) nor a content line can contain these.
NOT_ALLOWED = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029]")
ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
MAX_LINE_OCTETS = 75


def write(pages: Iterable[list[dict[str, Any]]]) -> Iterator[str]:
    yield OPENING
    for rows in pages:
        yield from map(todo, rows)
    yield CLOSING


def todo(row: dict[str, Any]) -> str:
    """Format a VTODO; `row` is a task as in the API."""
    lines = [
        "BEGIN:VTODO",
        f"UID:{row['id']}",
        # Without METHOD, DTSTAMP is the time of the last change (3.8.7.2).
        f"DTSTAMP:{format_datetime(row['updatedAt'])}",
        f"CREATED:{format_datetime(row['createdAt'])}",
        f"LAST-MODIFIED:{format_datetime(row['updatedAt'])}",
        f"SEQUENCE:{row['version'] - 1}",
        f"SUMMARY:{escape_text(row['title'])}",
        f"STATUS:{STATUS[row['status']]}",
        f"PRIORITY:{PRIORITY[row['priority']]}",
    ]
    lines += optional_lines(row)
    if row["parentId"]:
        lines.append(f"RELATED-TO:{row['parentId']}")
    lines.append("END:VTODO")
    return "".join(map(fold_line, lines))


def optional_lines(row: dict[str, Any]) -> Iterator[str]:
    if row["description"] is not None:
        yield f"DESCRIPTION:{escape_text(row['description'])}"
    if row["labels"]:
        yield f"CATEGORIES:{','.join(map(escape_text, row['labels']))}"
    if row["status"] in PERCENT_COMPLETE:
        yield f"PERCENT-COMPLETE:{PERCENT_COMPLETE[row['status']]}"
    if row["dueDate"]:
        yield due_line(row)
    if row["completedAt"]:
        yield f"COMPLETED:{format_datetime(row['completedAt'])}"


def due_line(row: dict[str, Any]) -> str:
    if not row["isAllDay"]:
        return f"DUE:{format_datetime(row['dueDate'])}"
    day = datetimes.parse(row["dueDate"]).astimezone(ZoneInfo(row["timeZone"]))
    return f"DUE;VALUE=DATE:{day:%Y%m%d}"


def format_datetime(moment: str) -> str:
    """Format a UTC datetime to the second, the precision of iCalendar."""
    return re.sub("[-:]", "", moment[:19]) + "Z"


def escape_text(value: str) -> str:
    """Escape text; control characters except line breaks become U+FFFD."""
    value = re.sub("\r\n?", "\n", value)
    return NOT_ALLOWED.sub("\N{REPLACEMENT CHARACTER}", value).translate(ESCAPES)


def fold_line(line: str) -> str:
    """Fold into lines of 75 octets (3.1), never inside a character or an escape."""
    octets = line.encode()
    pieces = []
    room = MAX_LINE_OCTETS
    while len(octets) > room:
        end = fold_position(octets, room)
        pieces.append(octets[:end])
        octets, room = octets[end:], MAX_LINE_OCTETS - 1
    return b"\r\n ".join([*pieces, octets]).decode() + "\r\n"


def fold_position(octets: bytes, end: int) -> int:
    """Return the last position up to `end` where the line may be fold_line."""
    while octets[end] & 0b1100_0000 == 0b1000_0000:
        end -= 1
    escapes = len(octets[:end]) - len(octets[:end].rstrip(b"\\"))
    return end - escapes % 2
