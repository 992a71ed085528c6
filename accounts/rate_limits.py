"""Fixed-window counters that stay exact when many processes count at once."""

import math
import threading
import time
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from accounts.metrics import LIMIT_HITS
from taskapi.api.cache_keys import prefixed
from taskapi.api.rate_limit import RateLimit

# One round trip: count, start the window with the first request, return when it ends
# and, if there is a second key, the value of that.
INCREMENT_SCRIPT = """
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return {count, left, KEYS[2] and redis.call('GET', KEYS[2])}
"""


class RateLimitStatus(NamedTuple):
    """What one caller has used of one limit, this request included."""

    name: str
    limit: RateLimit
    is_over: bool
    remaining: int
    reset: int  # whole seconds until the window ends, at least 1
    is_local: bool  # counted by this process alone
    prefetched: bytes | None  # the value of `prefetch_key`, from Redis


class LocalCounters:
    """This process's own counters: all there is without Redis, or while it is away."""

    def __init__(self) -> None:
        self.windows: dict[str, tuple[int, float]] = {}
        self.cleanup_threshold = 10_000
        self.lock = threading.Lock()

    def increment(self, key: str, seconds: int) -> tuple[int, float]:
        """The count, and the milliseconds that are left of the window."""
        now = time.monotonic()
        with self.lock:
            if len(self.windows) > self.cleanup_threshold:
                self.windows = {k: w for k, w in self.windows.items() if w[1] > now}
                self.cleanup_threshold = max(10_000, 2 * len(self.windows))
            count, end = self.windows.get(key, (0, 0.0))
            if end <= now:
                count, end = 0, now + seconds
            self.windows[key] = (count + 1, end)
            # Rounded: the difference of two floats makes 901 seconds of 900.
            return count + 1, round((end - now) * 1000)

    def reset(self, key: str) -> None:
        with self.lock:
            self.windows.pop(key, None)


local = LocalCounters()


def increment(
    name: str, identity: str, prefetch_key: str | None = None
) -> RateLimitStatus:
    """Count a request of `identity` against the limit `name` and return its status.

    With `prefetch_key` the same round trip to Redis reads that key.
    """
    limit: RateLimit = settings.RATE_LIMITS[name]
    key, found = counter_key(name, limit, identity), None
    if settings.REDIS_URL:
        with suppress(RedisError):
            keys = [key, prefetch_key] if prefetch_key else [key]
            found = increment_script()(keys, [limit.seconds * 1000])
    used, left, *prefetched = found or local.increment(key, limit.seconds)
    if used > limit.requests:
        LIMIT_HITS.labels(name).inc()
    return RateLimitStatus(
        name,
        limit,
        is_over=used > limit.requests,
        remaining=max(0, limit.requests - used),
        reset=max(1, math.ceil(left / 1000)),
        is_local=found is None,
        prefetched=prefetched[0] if prefetched else None,
    )


@cache
def increment_script() -> Any:
    return get_redis_connection("default").register_script(INCREMENT_SCRIPT)


def reset(name: str, identity: str) -> None:
    """Reset a window, after a proof that is stronger than a password."""
    key = counter_key(name, settings.RATE_LIMITS[name], identity)
    local.reset(key)
    if settings.REDIS_URL:
        with suppress(RedisError):
            get_redis_connection("default").delete(key)


def counter_key(name: str, limit: RateLimit, identity: str) -> str:
    # The numbers are in the key: a new limit starts new windows.
    return prefixed(f"limit:{name}:{limit.requests}/{limit.seconds}:{identity}")
