"""Stores what became of the attempts to deliver messages."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from taskapi.db import clock
from taskapi.outbox.handlers import Handler, Result, get_handler
from taskapi.outbox.models import OutboxCount, OutboxMessage, Outcome

logger = logging.getLogger(__name__)
Attempt = tuple[OutboxMessage, Result]


def settle(worker: str, attempts: Sequence[Attempt]) -> None:
    """Store the outcomes in one transaction.

    An attempt of a message whose lease ended, and that another worker claimed, is left
    to that one.
    """
    with transaction.atomic():
        now = clock.now()
        held = OutboxMessage.objects.select_for_update().filter(
            pk__in=[message.pk for message, _ in attempts],
            claimed_by=worker,
            finished_at=None,
        )
        claims = set(held.order_by("pk").values_list("pk", "attempts"))
        outcomes = Counter(
            (message.handler, store(message, result, now))
            for message, result in attempts
            if (message.pk, message.attempts) in claims
        )
        for (handler, outcome), number in sorted(outcomes.items()):
            count(handler, outcome, number)


def store(message: OutboxMessage, result: Result, now: datetime) -> Outcome:
    handler = handler_of(message)
    seconds = None
    if error := result.error:
        seconds = handler.delay(message, error)
        if (
            now + timedelta(seconds=seconds or 0)
            > message.created_at + handler.lifetime
        ):
            seconds = None
        log(message, error, seconds, isinstance(error, handler.expected_errors))
    handler.settle(message, result, retries_in=seconds)
    same = OutboxMessage.objects.filter(pk=message.pk)
    if seconds is not None:
        next_attempt_at = now + timedelta(seconds=seconds)
        same.update(next_attempt_at=next_attempt_at, claimed_by=None)
        return Outcome.RETRIED
    outcome = Outcome.DROPPED if error else Outcome.DELIVERED
    # What was in it, such as an address, is of no use any more.
    same.update(finished_at=now, outcome=outcome, claimed_by=None, payload={})
    return outcome


def handler_of(message: OutboxMessage) -> Handler:
    try:
        return get_handler(message.handler)
    except (KeyError, ImportError):
        return Handler()


def log(
    message: OutboxMessage, error: Exception, seconds: float | None, is_expected: bool
) -> None:
    if seconds is None:
        level, text = logging.ERROR, f"{message} was not delivered, and is dropped."
    else:
        level = logging.WARNING
        text = f"{message} was not delivered; the next attempt is in {seconds:.0f} s."
    if is_expected:
        logger.info("%s %s", text, type(error).__name__)
    else:
        logger.log(level, text, exc_info=error)


def count(handler: str, outcome: Outcome, number: int) -> None:
    row, _ = OutboxCount.objects.get_or_create(handler=handler, outcome=outcome)
    OutboxCount.objects.filter(pk=row.pk).update(attempts=F("attempts") + number)
