"""The project's settings with keys of no value, cheap hashes and roomy limits."""

import os
from pathlib import Path

KEYS = ["SECRET_KEY", "JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET"]
for name in KEYS:
    os.environ[name] = f"{name}: for tests only, never for anything that is deployed"
os.environ.update(ALLOWED_HOSTS="testserver,localhost,127.0.0.1", HTTPS="false")
os.environ["METRICS_TOKEN"] = "metrics-token-for-tests-only"
for name in ["AUTH", "ADDRESS", "LOGIN", "REFRESH", "USER"]:
    os.environ[f"RATE_LIMIT_{name}"] = "1000000/1m"

from taskapi.settings import *  # noqa: E402, F403
from taskapi.settings import CACHES, DATABASES, REDIS_URL  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Keys of its own for each process of a run, in a Redis that others may use, too.
if prefix := os.environ.get("TASKAPI_TEST_KEY_PREFIX"):
    CACHES["default"]["KEY_PREFIX"] = prefix
    if REDIS_URL:
        CACHES["default"]["BACKEND"] = "tests.caches.OwnKeysCache"
# A busy machine's Redis is late, and counters would be this process's own meanwhile.
if REDIS_URL and (seconds := os.environ.get("TASKAPI_TEST_REDIS_SECONDS", "10")):
    for name in ["SOCKET_CONNECT_TIMEOUT", "SOCKET_TIMEOUT"]:
        CACHES["default"]["OPTIONS"][name] = float(seconds)  # type: ignore[index]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if "sqlite" in DATABASES["default"]["ENGINE"]:
    # A file: with an in-memory database threads would see "table is locked".
    path = Path(DATABASES["default"]["NAME"])
    DATABASES["default"]["TEST"] = {"NAME": path.with_suffix(".test.sqlite3")}
# Each test client would look for every static file anew.
WHITENOISE_USE_FINDERS = False
