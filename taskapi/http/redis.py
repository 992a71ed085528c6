"""redis-py's client behind a circuit breaker (django-redis: REDIS_CLIENT_CLASS).

While Redis is away, only one request a second waits for its timeout.
"""

import threading
import time
from typing import Any

import redis
from redis.exceptions import (
    ConnectionError,
    NoScriptError,
    ResponseError,
    TimeoutError,
)

from taskapi.http.metrics import CACHE_ERRORS

OPEN_SECONDS = 1.0


class CircuitBreaker:
    """Open for `OPEN_SECONDS` after a failure; then one caller may try again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.retry_at = 0.0

    def is_open(self) -> bool:
        with self.lock:
            if time.monotonic() < self.retry_at:
                return True
            self.open()
            return False

    def open(self) -> None:
        self.retry_at = time.monotonic() + OPEN_SECONDS

    def close(self) -> None:
        self.retry_at = 0.0


circuit_breaker = CircuitBreaker()


class RedisClient(redis.Redis):
    """`redis.Redis`; ConnectionError at once while the circuit breaker is open."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        was_open = bool(circuit_breaker.retry_at)
        if was_open and circuit_breaker.is_open():
            CACHE_ERRORS.inc()
            raise ConnectionError("Redis failed less than a second ago.")
        try:
            reply = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except (ConnectionError, TimeoutError):
            CACHE_ERRORS.inc()
            circuit_breaker.open()
            # Each idle connection would fail once more after the server's return.
            self.connection_pool.disconnect(inuse_connections=False)
            raise
        except ResponseError as error:
            circuit_breaker.close()
            if not isinstance(error, NoScriptError):  # a restart: the script is sent
                CACHE_ERRORS.inc()
            raise
        if was_open:
            circuit_breaker.close()
        return reply
