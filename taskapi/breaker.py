"""A Redis client that asks a dead or mute server once, not once per request."""

import threading
import time
from typing import Any

import redis
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from taskapi.metrics import CACHE_ERRORS

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


class BreakerRedis(redis.Redis):
    """`redis.Redis` behind the process's breaker; ConnectionError while it is open."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return self.execute_unless_open(*args, **options)
        except RedisError:
            CACHE_ERRORS.inc()
            raise

    def execute_unless_open(self, *args: Any, **options: Any) -> Any:
        if not breaker.allows():
            raise ConnectionError("Redis did not answer a moment ago.")
        try:
            answer = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except (ConnectionError, TimeoutError):
            breaker.trip()
            # Each idle connection would fail once more after the server's return.
            self.connection_pool.disconnect(inuse_connections=False)
            raise
        breaker.reset()
        return answer

    def set_unanswered(self, key: str, value: bytes, seconds: int) -> None:
        """SET without waiting for Redis to say that it did."""
        if not breaker.allows():
            return
        connection: Any = self.connection_pool.get_connection()
        try:
            connection.send_packed_command(
                connection.pack_commands(
                    [("CLIENT", "REPLY", "SKIP"), ("SET", key, value, "EX", seconds)]
                )
            )
        finally:
            self.connection_pool.release(connection)
