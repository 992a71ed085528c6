"""The tests' settings for the real server: its limits and its workers can be told."""

import os

from taskapi.api.rate_limit import RateLimit
from tests.live import clock
from tests.settings import *  # noqa: F403
from tests.settings import EMAIL_BACKEND, MIDDLEWARE, RATE_LIMITS

for name in RATE_LIMITS:
    if text := os.environ.get(f"LIVE_LIMIT_{name.upper()}"):
        RATE_LIMITS[name] = RateLimit.parse(text)

if seconds := os.environ.get("LIVE_CLOCK_SECONDS"):
    clock.shift(float(seconds))

EMAIL_BACKEND = os.environ.get("LIVE_EMAIL_BACKEND") or EMAIL_BACKEND
MIDDLEWARE = ["tests.live.middleware.tell_worker", *MIDDLEWARE]
# A browser asks for them.
WHITENOISE_USE_FINDERS = True
