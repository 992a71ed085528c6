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

# One round trip: for each window of ARGV count its key, start the window with the first
# request and return when it ends; and the value of one more key, if there is one.
INCREMENT_SCRIPT = """
local answer = {}
for i, window in ipairs(ARGV) do
  answer[2 * i - 1] = redis.call('INCR', KEYS[i])
  local left = redis.call('PTTL', KEYS[i])
  if left < 0 then
    redis.call('PEXPIRE', KEYS[i], window)
    left = tonumber(window)
  end
  answer[2 * i] = left
end
answer[2 * #ARGV + 1] = KEYS[#ARGV + 1] and redis.call('GET', KEYS[#ARGV + 1])
return answer
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
    name: str, identity: str, prefetch_key: str | None = None, answer: Any = None
) -> RateLimitStatus:
    """Count a request of `identity` against the limit `name` and return its status.

    With `prefetch_key` the same round trip to Redis reads that key. `answer` is Redis's
    if the request was counted there already.
    """
    limit: RateLimit = settings.RATE_LIMITS[name]
    key, found = counter_key(name, limit, identity), answer
    if found is None and settings.REDIS_URL:
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


def increment_both(
    first: tuple[str, str], second: tuple[str, str], prefetch_key: str | None = None
) -> list[RateLimitStatus]:
    """`increment` for two limits, each with its identity, in one round trip; the first
    status has what was read.
    """
    answers: Any = (None, None)
    if settings.REDIS_URL:
        limits: list[RateLimit] = [settings.RATE_LIMITS[n] for n, _ in (first, second)]
        keys = [
            counter_key(name, limit, identity)
            for limit, (name, identity) in zip(limits, (first, second), strict=True)
        ]
        asked = [*keys, prefetch_key] if prefetch_key else keys
        with suppress(RedisError):
            windows = [limit.seconds * 1000 for limit in limits]
            found = increment_script()(asked, windows)
            answers = ([*found[:2], *found[4:]], found[2:4])
    return [
        increment(*each, answer=answer)
        for each, answer in zip((first, second), answers, strict=True)
    ]


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
