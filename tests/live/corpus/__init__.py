"""Hostile requests as data: the bytes, and which answers to them are right.

Every one is sent twice, by a client with a token and by one without.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# In a message they stand for what the client who sends it has.
AUTHORIZATION = b"~AUTHORIZATION~\r\n"
TOKEN, REFRESH, CURSOR = "~TOKEN~", "~REFRESH~", "~CURSOR~"
TASK, STRANGERS_TASK = "~TASK~", "~STRANGERS_TASK~"
# And this for the length of the body they are in.
LENGTH = "~LENGTH~"
JSON = "application/json"
# Appears in no answer and in no log.
SECRET = "hunter2-canary"
# Named by clients as if it were us; appears in no answer.
EVIL = "evil.example"
OURS = b'{"title": "Water the plants"}'
LOGIN, TASKS, BATCH = "/api/auth/login", "/api/tasks", "/api/tasks/batch"


@dataclass(frozen=True)
class Case:
    """One request. `signed` and `anonymous`: the status for either client, or
    several where the contract leaves it open.
    """

    name: str
    message: bytes
    signed: set[int]
    anonymous: set[int]
    code: str | None = None
    # What the answer to an accepted one has to say.
    keeps: Mapping[str, Any] = field(default_factory=dict)
    # How the client goes on: it waits, says that no more comes, or is gone.
    then: str = "waits"
    # What is behind the request, and is none itself, has an answer of its own.
    leaves_rest: bool = False


def case(
    name: str,
    message: bytes,
    signed: int | set[int],
    anonymous: int | set[int] | None = None,
    **more: Any,
) -> Case:
    """With one status both clients get it, as where no token is asked for."""
    either = signed if anonymous is None else anonymous
    return Case(name, message, as_set(signed), as_set(either), **more)


def as_set(status: int | set[int]) -> set[int]:
    return {status} if isinstance(status, int) else status


def http(
    method: str,
    target: str,
    body: bytes = b"",
    *fields: str,
    media: str | None = JSON,
    length: str | int | None = LENGTH,
    host: str | None = "localhost",
    version: str = "HTTP/1.1",
) -> bytes:
    """A request. Text stands for its bytes (Latin-1); None leaves a field out."""
    named = {"Host": host, "Content-Type": media, "Content-Length": length}
    lines = [f"{k}: {v}" for k, v in named.items() if v is not None]
    head = "\r\n".join([*lines, *fields, "", ""]).encode("latin-1")
    first = f"{method} {target} {version}\r\n".encode("latin-1")
    return first + AUTHORIZATION + head + body


def get(target: str, *fields: str, **more: Any) -> bytes:
    return http("GET", target, b"", *fields, media=None, length=None, **more)


def post(target: str, body: bytes, *fields: str, **more: Any) -> bytes:
    return http("POST", target, body, *fields, **more)
