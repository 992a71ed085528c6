"""The export formats, which turn pages of rows into pieces of a file."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import StreamingHttpResponse

from taskapi.api.streams import stream_response
from tasks.exports import csv_format, ical
from tasks.fields import NAMES

Pages = Iterable[list[dict[str, Any]]]
# The fields of the API, in its order.
COLUMNS = list(NAMES)


@dataclass(frozen=True)
class Format:
    name: str
    media_type: str
    write: Callable[..., Iterator[str]]

    @property
    def content_type(self) -> str:
        # JSON is UTF-8 by definition (RFC 8259, section 8.1).
        is_text = self.media_type.startswith("text/")
        return f"{self.media_type}; charset=utf-8" if is_text else self.media_type

    def attachment(
        self, user_id: Any, pieces: Callable[[], Iterable[str]]
    ) -> StreamingHttpResponse:
        return stream_response(
            user_id,
            pieces,
            content_type=self.content_type,
            headers={
                "Content-Disposition": f'attachment; filename="tasks.{self.name}"'
            },
        )


# Valid in JSON strings, but some readers end a line at them.
LINE_ENDS = str.maketrans({end: f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"})


def write_jsonl(pages: Pages) -> Iterator[str]:
    """Write JSON Lines: one object per line."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    for rows in pages:
        for row in rows:
            yield f"{encode(row).translate(LINE_ENDS)}\n"


CSV = Format("csv", "text/csv", partial(csv_format.write, columns=COLUMNS))
JSONL = Format("jsonl", "application/jsonl", write_jsonl)
ICS = Format("ics", "text/calendar", ical.write)
FORMATS = {each.name: each for each in (CSV, JSONL, ICS)}
