from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import redis
from django.conf import settings
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache

from taskapi.http.redis import RedisClient, circuit_breaker

MODES = ["works", "away", "takes nothing", "flickers"]


class CacheFaults:
    """A cache that misbehaves: as its client sees it when there is Redis, else as a
    cache that finds and keeps nothing, which is what the client makes of it.
    """

    def __init__(self) -> None:
        self.mode, self.calls = "works", 0

    def fails(self, verb: str) -> bool:
        self.calls += 1
        return {
            "works": False,
            "away": True,
            "takes nothing": verb.lower() == "set",
            "flickers": self.calls % 2 == 0,
        }[self.mode]

    def lose_everything(self) -> None:
        mode, self.mode = self.mode, "works"
        circuit_breaker.close()
        cache.clear()
        self.mode = mode

    @contextmanager
    def installed(self) -> Iterator[None]:
        with self.redis() if settings.REDIS_URL else self.local_memory():
            yield
        circuit_breaker.close()

    @contextmanager
    def redis(self) -> Iterator[None]:
        execute = RedisClient.execute_command

        def faulty(client: Any, *args: Any, **options: Any) -> Any:
            if self.fails(args[0]):
                raise redis.ConnectionError("refused")
            return execute(client, *args, **options)

        with patch.object(RedisClient, "execute_command", faulty):
            yield

    @contextmanager
    def local_memory(self) -> Iterator[None]:
        get, put = LocMemCache.get, LocMemCache.set

        def faulty_get(backend: Any, key: str, *args: Any, **options: Any) -> Any:
            return None if self.fails("get") else get(backend, key, *args, **options)

        def faulty_set(backend: Any, *args: Any, **options: Any) -> None:
            if not self.fails("set"):
                put(backend, *args, **options)

        with (
            patch.object(LocMemCache, "get", faulty_get),
            patch.object(LocMemCache, "set", faulty_set),
        ):
            yield
