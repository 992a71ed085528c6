"""One clock for the project, SimpleJWT and PyJWT, which moves only when told."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch


class Clock:
    def __init__(self) -> None:
        # Whole seconds, as the times in a token are.
        self.now = datetime.now(UTC).replace(microsecond=0)

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)

    def readings(self) -> dict[str, Any]:
        """Everything that reads the time, and what it reads from this clock."""
        clock = self

        class Datetime(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return clock.now

        monotonic = SimpleNamespace(monotonic=lambda: clock.now.timestamp())
        generator = "django.contrib.auth.tokens.PasswordResetTokenGenerator"
        return {
            "django.utils.timezone.now": lambda: clock.now,
            "taskapi.db.clock.now": lambda: clock.now,
            "rest_framework_simplejwt.tokens.aware_utcnow": lambda: clock.now,
            "jwt.api_jwt.datetime": Datetime,
            "accounts.rate_limits.time": monotonic,
            f"{generator}._now": lambda self: clock.now.replace(tzinfo=None),
        }

    @contextmanager
    def running(self) -> Iterator["Clock"]:
        with ExitStack() as patches:
            for target, reading in self.readings().items():
                patches.enter_context(patch(target, reading))
            yield self
