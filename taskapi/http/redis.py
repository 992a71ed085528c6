"""A Redis client that asks a dead or mute server once, not once per request."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cache
from typing import Any, cast

import redis
from hiredis import pack_command
from redis.exceptions import (
    ConnectionError,
    NoScriptError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from taskapi.http.metrics import CACHE_ERRORS

OPEN_SECONDS = 1.0


class Breaker:
    """Open for `OPEN_SECONDS` after a failure; then one caller may try again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.retry_at = 0.0

    def allows(self) -> bool:
        if not self.retry_at:
            return True
        with self.lock:
            if time.monotonic() < self.retry_at:
                return False
            self.retry_at = time.monotonic() + OPEN_SECONDS
            return True

    def trip(self) -> None:
        self.retry_at = time.monotonic() + OPEN_SECONDS

    def reset(self) -> None:
        self.retry_at = 0.0


breaker = Breaker()


# Set where requests are traced: what is around a command of that name.
span: Callable[[str], AbstractContextManager[Any]] | None = None


class BreakerRedis(redis.Redis):
    """`redis.Redis` behind the process's breaker; ConnectionError while it is open.

    The commands that come with nearly every request go over connections of their own:
    to take one from the pool and to watch it there costs more than the command.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Each with whether it still has an answer that nobody waited for.
        self.free: list[tuple[Any, bool]] = []

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return self.guarded(super().execute_command, *args, **options)

    def guarded(self, execute: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            if not breaker.allows():
                raise ConnectionError("Redis did not answer a moment ago.")
            answer = self.tripping(execute, *args, **options)
        except RedisError:
            CACHE_ERRORS.inc()
            raise
        breaker.reset()
        return answer

    def tripping(self, execute: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            return execute(*args, **options)
        except (ConnectionError, TimeoutError):
            breaker.trip()
            # Each idle connection would fail once more after the server's return.
            self.connection_pool.disconnect(inuse_connections=False)
            self.free.clear()
            raise

    def run_script(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        """What the script returns of these keys and arguments."""
        asked = (len(keys), *keys, *arguments)
        if span is None:
            return self.guarded(self.evaluate, script, asked)
        with span("EVALSHA"):
            return self.guarded(self.evaluate, script, asked)

    def evaluate(self, script: str, asked: Sequence[Any]) -> Any:
        line = self.line()
        try:
            line.send_packed_command(packed("EVALSHA", name_of(script), *asked))
            try:
                return line.read_response()
            except NoScriptError:  # as it is after a restart of Redis
                line.send_packed_command(packed("EVAL", script, *asked))
                return line.read_response()
        finally:
            self.free.append((line, False))

    def set_unawaited(self, key: str, value: bytes, seconds: int) -> None:
        """SET without waiting for Redis to say that it did, or why not."""
        # What nobody waits for cannot tell that Redis is back.
        if not breaker.retry_at:
            self.guarded(self.put, packed("SET", key, value, "EX", seconds))

    def put(self, command: list[bytes]) -> None:
        line = self.line()
        line.send_packed_command(command)
        self.free.append((line, True))

    def line(self) -> Any:
        """A connection to use alone and put back: nobody hung up, and nothing is left
        in it.
        """
        try:
            line, has_answer = self.free.pop()
        except IndexError:
            line, has_answer = None, False
        if line is None or line.pid != os.getpid():
            pool = self.connection_pool
            line, has_answer = pool.connection_class(**pool.connection_kwargs), False
        line.connect()
        with suppress(ConnectionError):
            if has_answer:
                read_unawaited(line)
            if not line.can_read():
                return line
        line.disconnect()
        line.connect()
        return line


def read_unawaited(line: Any) -> None:
    """Read before the next command what its answer would be taken for."""
    try:
        line.read_response()
    except ResponseError:
        CACHE_ERRORS.inc()


def packed(*command: Any) -> list[bytes]:
    return [pack_command(cast(Any, command))]


@cache
def name_of(script: str) -> str:
    """What EVALSHA calls it."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
