"""Fixed-window counters that stay exact when many processes count at once."""

import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Self

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError

from accounts.metrics import LIMIT_HITS
from accounts.reading import Reading, hint_key, hint_seconds, redis_client
from taskapi.api.cache_keys import prefixed

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

# One round trip: count, start the window with the first hit, and tell when it ends; and
# empty the hint of a user who may write now, or read it with another key.
HIT = """
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
if ARGV[2] then redis.call('SET', KEYS[2], '', 'EX', ARGV[2]) end
return {count, left, KEYS[3] and redis.call('MGET', KEYS[3], KEYS[2])}
"""
TAKE_BACK = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECR', KEYS[1]) end
"""


@dataclass(frozen=True)
class Limit:
    """So many requests in a window of so many seconds; written `10/15m`."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `requests/period`; the period is a number and s, m, h or d."""
        requests, _, period = text.partition("/")
        number, unit = period[:-1] or "1", period[-1:]
        if not (
            requests.isdecimal()
            and number.isdecimal()
            and unit in UNITS
            and int(requests) * int(number)
        ):
            raise ValueError(
                f"{text!r} is not a limit such as 10/15m (units: s, m, h, d)."
            )
        return cls(int(requests), int(number) * UNITS[unit])


class Usage(NamedTuple):
    """What one caller has used of one limit, this request included."""

    name: str
    limit: Limit
    used: int
    reset: int  # whole seconds until the window ends, at least 1
    is_local: bool = False  # counted by this process alone

    @property
    def is_over(self) -> bool:
        return self.used > self.limit.requests

    @property
    def remaining(self) -> int:
        return max(0, self.limit.requests - self.used)


class LocalCounters:
    """This process's own counters: all there is without Redis, or while it is away."""

    def __init__(self) -> None:
        self.windows: dict[str, tuple[int, float]] = {}
        self.crowded = 10_000
        self.lock = threading.Lock()

    def hit(self, key: str, seconds: int) -> tuple[int, float]:
        now = time.monotonic()
        with self.lock:
            if len(self.windows) > self.crowded:
                self.windows = {k: w for k, w in self.windows.items() if w[1] > now}
                self.crowded = max(10_000, 2 * len(self.windows))
            count, end = self.windows.get(key, (0, 0.0))
            if end <= now:
                count, end = 0, now + seconds
            self.windows[key] = (count + 1, end)
            return count + 1, end - now

    def take_back(self, key: str) -> None:
        with self.lock:
            if key in self.windows:
                count, end = self.windows[key]
                self.windows[key] = (count - 1, end)

    def forget(self, key: str) -> None:
        with self.lock:
            self.windows.pop(key, None)


local = LocalCounters()


def hit(
    name: str, identity: str, reading: Reading | None = None, may_write: bool = False
) -> Usage:
    """Count a request of `identity` against the limit `name`; say where it stands.

    `reading.kept` is set to what its key holds, and `reading.hint`, which a request
    that may write empties.
    """
    limit: Limit = settings.RATE_LIMITS[name]
    key = key_of(name, limit, identity)
    is_local = not settings.REDIS_URL
    try:
        count, left = (
            hit_local(key, limit.seconds, reading)
            if is_local
            else hit_redis(key, limit.seconds, identity, reading, may_write)
        )
    except RedisError:
        is_local = True
        count, left = local.hit(key, limit.seconds)
    # Rounded first: the difference of two floats makes 901 seconds of 900.
    reset = max(1, math.ceil(round(left, 3)))
    usage = Usage(name, limit, count, reset, is_local)
    if usage.is_over:
        LIMIT_HITS.labels(name).inc()
    return usage


def hit_redis(
    key: str, seconds: int, identity: str, reading: Reading | None, may_write: bool
) -> tuple[int, float]:
    keys, arguments = [key], [seconds * 1000]
    if may_write:
        keys.append(hint_key(identity))
        arguments.append(hint_seconds())
    elif reading and reading.key:
        keys += [hint_key(identity), reading.key]
    count, left, *found = redis_client().run_script(HIT, keys, *arguments)
    if reading and found:
        reading.kept, reading.hint = found[0]
    return count, left / 1000


def hit_local(key: str, seconds: int, reading: Reading | None) -> tuple[int, float]:
    if reading and reading.key:
        reading.kept = cache.get(reading.key)
    return local.hit(key, seconds)


def take_back(usage: Usage, identity: str) -> None:
    """Uncount a request that turned out not to be of `identity`, where it counted."""
    key = key_of(usage.name, usage.limit, identity)
    if usage.is_local:
        local.take_back(key)
        return
    with suppress(RedisError):
        redis_client().run_script(TAKE_BACK, [key])


def forget(name: str, identity: str) -> None:
    """Start a window anew, for a proof that is stronger than a password."""
    key = key_of(name, settings.RATE_LIMITS[name], identity)
    local.forget(key)
    if settings.REDIS_URL:
        with suppress(RedisError):
            redis_client().delete(key)


def key_of(name: str, limit: Limit, identity: str) -> str:
    # The numbers are in the key: a new limit starts new windows.
    return prefixed(f"limit:{name}:{limit.requests}/{limit.seconds}:{identity}")
