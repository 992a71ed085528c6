"""Metrics of the outbox, read from the database with each scrape: workers have no port.

Every server tells the same numbers, so that queries take their maximum, not their sum.
"""

import logging
from collections.abc import Iterator
from datetime import datetime
from itertools import product

from django.conf import settings
from django.db import Error
from django.db.models import Count, Exists, Min, OuterRef, Q
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from taskapi.db import clock
from taskapi.outbox.models import OutboxCount, OutboxMessage, Outcome

logger = logging.getLogger(__name__)


class OutboxCollector:
    """The numbers of the outbox; none while the database is away."""

    def describe(self) -> list[Metric]:
        return [waiting(), oldest(), overdue(), deliveries()]

    def collect(self) -> Iterator[Metric]:
        try:
            yield from [*pending(clock.now()), attempted()]
        except Error:
            logger.warning("The metrics of the outbox are left out.", exc_info=True)


def waiting() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "taskapi_outbox_messages",
        "Mails and events that are not delivered yet.",
        labels=["handler"],
    )


def oldest() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "taskapi_outbox_oldest_seconds",
        "Age of the oldest mail or event that is not delivered yet.",
        labels=["handler"],
    )


def overdue() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "taskapi_outbox_overdue_seconds",
        "How long a message has waited for a worker.",
        labels=["handler"],
    )


def deliveries() -> CounterMetricFamily:
    return CounterMetricFamily(
        "taskapi_outbox_deliveries",
        "Attempts to deliver, by outcome.",
        labels=["handler", "outcome"],
    )


def pending(now: datetime) -> list[Metric]:
    # What waits for an earlier message of its key does not wait for a worker.
    earlier = OutboxMessage.objects.filter(
        channel=OuterRef("channel"),
        ordering_key=OuterRef("ordering_key"),
        pk__lt=OuterRef("pk"),
        finished_at=None,
    )
    is_overdue = Q(next_attempt_at__lt=now) & ~Q(Exists(earlier))
    rows = OutboxMessage.objects.filter(finished_at=None).values("handler")
    found = {
        row["handler"]: (row["number"], row["created"], row["due"])
        for row in rows.annotate(
            number=Count("pk"),
            created=Min("created_at"),
            due=Min("next_attempt_at", filter=is_overdue),
        )
    }
    families = waiting(), oldest(), overdue()
    for handler in sorted(found.keys() | settings.OUTBOX_HANDLERS.keys()):
        number, created, due = found.get(handler, (0, None, None))
        values = number, age(created, now), age(due, now)
        for family, value in zip(families, values, strict=True):
            family.add_metric([handler], value)
    return list(families)


def age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def attempted() -> Metric:
    rows = OutboxCount.objects.values_list("handler", "outcome", "attempts")
    counts = {(handler, outcome): number for handler, outcome, number in rows}
    zeros = dict.fromkeys(product(settings.OUTBOX_HANDLERS, Outcome.values), 0)
    family = deliveries()
    for labels, number in sorted((zeros | counts).items()):
        family.add_metric(labels, number)
    return family


REGISTRY = CollectorRegistry()
REGISTRY.register(OutboxCollector())
