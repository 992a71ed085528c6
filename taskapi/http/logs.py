"""One JSON object per line, in UTC, with the id of the request it belongs to.

On a terminal the lines are for people.
"""

import json
import logging
import sys
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
    """The `logging.config` dictionary: a line for each record, on stdout."""
    formatter = "TerminalFormatter" if sys.stdout.isatty() else "JsonFormatter"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"taskapi.http.logs.{formatter}"}},
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "line",
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


class TerminalFormatter(JsonFormatter):
    """Time, level, logger and message, then the other facts; exceptions on lines of
    their own.
    """

    def format(self, record: logging.LogRecord) -> str:
        facts = json.loads(super().format(record))
        exception = facts.pop("exception", "")
        clock, level = facts.pop("time")[11:19], facts.pop("level")
        name, message = facts.pop("logger"), facts.pop("message")
        if name == "taskapi.access":
            name, message = "", describe_request(facts)
            facts = {"requestId": facts.get("requestId")}
        told = [f"{key}={value}" for key, value in facts.items() if value is not None]
        words = [clock, f"{level:7}", name, message, *told]
        line = escape(" ".join(word for word in words if word))
        lines = [line, *map(escape, exception.splitlines())]
        return "\n".join(lines)


def describe_request(facts: dict[str, Any]) -> str:
    return "{method} {path} {status} {durationMs} ms".format_map(facts)


def escape(text: str) -> str:
    """Without what would move the cursor of a terminal or change its colours."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
