"""One JSON object per line, in UTC, with the id of the request it belongs to."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")


def trace_id() -> str:
    """Another one takes this one's place where requests are traced."""
    return ""


# `json.dumps` would make an encoder for each line.
encode = json.JSONEncoder(default=str).encode
# What the lines do not tell is not found out (logging HOWTO, "Optimization").
logging._srcfile = None
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "request",
}


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message and request id, then whatever came in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if current := request_id.get():
            line["requestId"] = current
        if current := trace_id():
            line["traceId"] = current
        line |= {k: v for k, v in record.__dict__.items() if k not in STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return encode(line)
