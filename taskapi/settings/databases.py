"""The options of the connections to PostgreSQL, SQLite and Redis."""

from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry


def engine_options(*, prepare: bool) -> dict[str, dict[str, Any]]:
    """Options by engine; `prepare`: whether statements may be prepared."""
    return {
        "django.db.backends.sqlite3": {
            # With DEFERRED, one of two writers fails: "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;",
        },
        "taskapi.db.postgresql": {
            # Each connection plans a statement once, as Django repeats their texts.
            "server_side_binding": True,
            "prepare_threshold": 5 if prepare else None,
            "connect_timeout": 2,
            # A server that vanished without closing its connections times out.
            "tcp_user_timeout": 4000,
            "keepalives_idle": 10,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "options": " ".join(
                f"-c {name}={value}"
                for name, value in {
                    # Otherwise Django runs a statement for it on each connection.
                    "TimeZone": "UTC",
                    "statement_timeout": "5s",
                    "lock_timeout": "3s",
                    "idle_in_transaction_session_timeout": "10s",
                    # Compiling a search takes longer than running it.
                    "jit": "off",
                    # Starting other processes takes longer than reading a page.
                    "max_parallel_workers_per_gather": "0",
                }.items()
            ),
        },
    }


def redis_cache(url: str | None) -> dict[str, Any]:
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": "taskapi",
        "OPTIONS": {
            # Not pickle: write access to Redis must not allow code execution here.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
            "REDIS_CLIENT_CLASS": "taskapi.http.redis.RedisClient",
            "IGNORE_EXCEPTIONS": True,
            "SOCKET_CONNECT_TIMEOUT": 0.2,
            "SOCKET_TIMEOUT": 0.2,
            # redis-py would retry ten times, and a retried counter counts twice.
            "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 0)},
        },
    }
