"""What one request costs, in numbers that are the same on every machine."""

import gc
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import CO_GENERATOR
from threading import get_ident
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from redis.connection import AbstractConnection

from taskapi.wsgi import application

# Sends a request; the status and the body of its answer.
Call = Callable[[], tuple[int, bytes]]
MOST_SHOWN = 25


class Caller:
    """Calls the application as a server does: test clients have costs of their own."""

    def __init__(self, token: str) -> None:
        self.token = token

    def prepared(self, method: str, url: str, data: Any = None, **headers: str) -> Call:
        asked = environment(method, url, data, self.token) | headers
        statuses: list[str] = []

        def call() -> tuple[int, bytes]:
            response = application(asked, lambda status, _: statuses.append(status))
            body = b"".join(response)
            response.close()
            return int(statuses[0][:3]), body

        return call


def environment(method: str, url: str, data: Any, token: str) -> dict[str, Any]:
    """As gunicorn makes it (PEP 3333)."""
    parts, body = urlsplit(url), b"" if data is None else json.dumps(data).encode()
    asked = {
        "REQUEST_METHOD": method,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
    }
    if data is not None:
        asked |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
    return asked


class Instructions(Counter[CodeType]):
    """Bytecode instructions run by this thread, by function; not what C code does."""

    @contextmanager
    def counted(self) -> Iterator[None]:
        watched = self.monitored if sys.version_info >= (3, 12) else self.traced
        # A collection may come at any time, and runs code.
        gc.collect()
        gc.disable()
        try:
            with watched():
                yield
        finally:
            gc.enable()
        for code in filter(is_waiting, list(self)):
            del self[code]

    @contextmanager
    def monitored(self) -> Iterator[None]:
        monitoring, this = sys.monitoring, get_ident()
        tool, event = monitoring.PROFILER_ID, monitoring.events.INSTRUCTION

        def count(code: CodeType, offset: int) -> None:
            if get_ident() == this:
                self[code] += 1

        monitoring.use_tool_id(tool, "cost")
        monitoring.register_callback(tool, event, count)
        monitoring.set_events(tool, event)
        try:
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)

    @contextmanager
    def traced(self) -> Iterator[None]:
        """The same where there is no `sys.monitoring` (PEP 669)."""

        def enter(frame: FrameType, event: str, argument: Any) -> Any:
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return count

        def count(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "opcode":
                self[frame.f_code] += 1
            return count

        before = sys.gettrace()
        sys.settrace(enter)
        try:
            yield
        finally:
            sys.settrace(before)

    def table(self) -> str:
        """Where most of them are, by function."""
        rows = self.most_common(MOST_SHOWN)
        return "\n".join(
            f"{number:8,}  {code.co_qualname}  {code.co_filename}:{code.co_firstlineno}"
            for code, number in rows
        )


def is_waiting(code: CodeType) -> bool:
    """Whether it is run once more for each piece in which an answer arrives."""
    return "/psycopg/" in code.co_filename and bool(code.co_flags & CO_GENERATOR)


@contextmanager
def redis_answers() -> Iterator[list[Any]]:
    """How often Redis is waited for: one element for each answer that is read."""
    read, answers = AbstractConnection.read_response, []

    def counting(self: Any, *args: Any, **options: Any) -> Any:
        answers.append(None)
        return read(self, *args, **options)

    with patch.object(AbstractConnection, "read_response", counting):
        yield answers
