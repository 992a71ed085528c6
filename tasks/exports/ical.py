"""Tasks as an iCalendar file of to-dos (RFC 5545, section 3.6.2)."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

OPENING = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//taskapi//taskapi//EN\r\n"
CLOSING = "END:VCALENDAR\r\n"
STATUS = {"TODO": "NEEDS-ACTION", "IN_PROGRESS": "IN-PROCESS", "DONE": "COMPLETED"}
# 1 is the highest; 1 to 4 count as high, 5 as medium, 6 to 9 as low (3.8.1.9).
PRIORITY = {"URGENT": 1, "HIGH": 3, "MEDIUM": 5, "LOW": 9}
# TEXT has no way to write these (3.3.11), nor has a line of the file.
UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029]")
ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
LINE_OCTETS = 75


def write(pages: Iterable[list[dict[str, Any]]]) -> Iterator[str]:
    yield OPENING
    for rows in pages:
        yield "".join(map(todo, rows))
    yield CLOSING


def todo(row: dict[str, Any]) -> str:
    """One VTODO; `row` is a task as the wire has it."""
    lines = [
        "BEGIN:VTODO",
        f"UID:{row['id']}",
        # What DTSTAMP means where there is no METHOD (3.8.7.2).
        f"DTSTAMP:{instant(row['updatedAt'])}",
        f"CREATED:{instant(row['createdAt'])}",
        f"LAST-MODIFIED:{instant(row['updatedAt'])}",
        f"SEQUENCE:{row['version'] - 1}",
        f"SUMMARY:{text(row['title'])}",
        f"STATUS:{STATUS[row['status']]}",
        f"PRIORITY:{PRIORITY[row['priority']]}",
    ]
    if row["description"] is not None:
        lines.append(f"DESCRIPTION:{text(row['description'])}")
    if row["dueDate"]:
        lines.append(f"DUE:{instant(row['dueDate'])}")
    if row["completedAt"]:
        lines.append(f"COMPLETED:{instant(row['completedAt'])}")
    lines.append("END:VTODO")
    return "".join(map(folded, lines))


def instant(moment: str) -> str:
    """UTC to the second, which is as fine as the format goes."""
    return re.sub("[-:]", "", moment[:19]) + "Z"


def text(value: str) -> str:
    """Escaped; any line break is a line break, any other control character U+FFFD."""
    value = re.sub("\r\n?", "\n", value)
    return UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", value).translate(ESCAPES)


def folded(line: str) -> str:
    """Broken into lines of 75 octets (3.1), never within a character or an escape."""
    octets = line.encode()
    pieces = []
    room = LINE_OCTETS
    while len(octets) > room:
        end = cut(octets, room)
        pieces.append(octets[:end])
        octets, room = octets[end:], LINE_OCTETS - 1
    return b"\r\n ".join([*pieces, octets]).decode() + "\r\n"


def cut(octets: bytes, end: int) -> int:
    """The last place up to `end` where the line may be broken."""
    while octets[end] & 0b1100_0000 == 0b1000_0000:
        end -= 1
    escapes = len(octets[:end]) - len(octets[:end].rstrip(b"\\"))
    return end - escapes % 2
