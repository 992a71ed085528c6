"""How messages of a kind are delivered, and what happens if they cannot be."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from taskapi.outbox.models import OutboxMessage

Job = Callable[[], Any]


class Undeliverable(Exception):
    """No further attempt can succeed."""


@dataclass(frozen=True)
class Result:
    """What an attempt returned or raised."""

    value: Any = None
    error: Exception | None = None


class Handler:
    """The base of what settings.OUTBOX_HANDLERS names.

    `prepare` and `settle` may use the database; the job between them runs in a thread
    that must not, while no transaction is open.
    """

    # Seconds from a failed attempt to the next one; the last of them repeats.
    delays: tuple[float, ...] = (5, 30, 120, 600, 1800)
    # From the write of a message on; then it is dropped.
    lifetime = timedelta(days=1)
    # Failures that are no affair of the operator's.
    expected_errors: tuple[type[Exception], ...] = ()

    def prepare(self, message: OutboxMessage) -> Job | None:
        """What delivers the message; None if there is nothing to deliver any more."""
        raise NotImplementedError

    def delay(self, message: OutboxMessage, error: Exception) -> float | None:
        """Seconds until the next attempt; None to drop the message."""
        if isinstance(error, Undeliverable):
            return None
        return self.delays[min(message.attempts, len(self.delays)) - 1]

    def settle(
        self, message: OutboxMessage, result: Result, *, retries_in: float | None
    ) -> None:
        """Called in the transaction that stores the outcome of an attempt."""


def get_handler(name: str) -> Handler:
    """A handler that only a newer release has fails the attempt, not the worker."""
    return load(settings.OUTBOX_HANDLERS[name])


@cache
def load(path: str) -> Handler:
    handler: Handler = import_string(path)
    return handler
