"""One JSON object per line, in UTC, with the id of the request it belongs to."""

import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from itertools import islice
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="")


# Set by taskapi.http.tracing, where requests are traced.
get_trace_id: Callable[[], str] | None = None

# `json.dumps` would create an encoder for each line.
encode = json.JSONEncoder(default=str).encode
# The lines do not have it, so it is not collected (logging HOWTO, "Optimization").
logging._srcfile = None
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

DEFAULT_ATTRS = logging.makeLogRecord({}).__dict__
# Left behind by other formatters, and by Django in its records.
EXCLUDED = {"message", "asctime", "request"}


def configuration(level: str, loggers: dict[str, Any]) -> dict[str, Any]:
    """The `logging.config` dictionary: a line of JSON for each record, on stdout."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "taskapi.http.logs.JsonFormatter"}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "json",
            }
        },
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": loggers,
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
        if get_trace_id and (current := get_trace_id()):
            line["traceId"] = current
        # A record's own attributes come first in it.
        extra = dict(islice(record.__dict__.items(), len(DEFAULT_ATTRS), None))
        if not EXCLUDED.isdisjoint(extra):
            extra = {k: v for k, v in extra.items() if k not in EXCLUDED}
        line |= extra
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return encode(line)
