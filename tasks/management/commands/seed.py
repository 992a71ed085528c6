"""Fills a database with users and tasks, for benchmarks and demonstrations."""

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from random import Random
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from tqdm import tqdm

from tasks import bulk
from tasks.models import Task, TaskChange
from tasks.samples import PEOPLE, PLACES, SPAN, TaskHistory, Writer

BENCH = "bench@example.com"
PASSWORD = "pass1234!"  # noqa: S105  public, hence --force
CHUNK_TASKS = 5_000
MIN_TASKS_WITHOUT_INDEXES = 50_000  # below, rebuilding the indexes takes longer


class Command(BaseCommand):
    help = (
        f"Create {BENCH}, user1@example.com, user2@example.com and so on, with tasks "
        f"and their history. The password of all is {PASSWORD}"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        count: dict[str, Any] = {"type": non_negative_int}
        parser.add_argument("--users", **count, default=10, help=f"besides {BENCH}")
        parser.add_argument("--tasks", **count, default=1000, help="per user")
        parser.add_argument("--seed", type=int, default=1, help="of random numbers")
        parser.add_argument("--force", action="store_true", help="also without DEBUG")

    def handle(self, *, users: int, tasks: int, seed: int, **options: Any) -> str:
        if not (settings.DEBUG or options["force"]):
            raise CommandError(
                "The password of these accounts is public. Is this a production "
                "database? If not, use --force or set DEBUG."
            )
        started = time.monotonic()
        # The same seed creates the same rows; nothing here is secret.
        random = Random(seed)  # noqa: S311
        new_users = create_users(users, random)
        reject_existing([user.email for user in new_users])
        with transaction.atomic():
            insert_rows(new_users, tasks, random)
        bulk.analyze(get_user_model(), Task, TaskChange)
        return summary(users + 1, (users + 1) * tasks, time.monotonic() - started)


def non_negative_int(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text} is not a whole number")
    return int(text)


def reject_existing(emails: list[str]) -> None:
    existing = get_user_model()._default_manager.filter(email__lower__in=emails)
    if first := existing.order_by("created_at").first():
        raise CommandError(f"{first} already exists; nothing was created.")


def summary(users: int, tasks: int, seconds: float) -> str:
    pace = f"{seconds:.0f} s, {tasks / seconds:,.0f} tasks/s"
    return f"Created {users:,} users and {tasks:,} tasks in {pace}."


def create_users(others: int, random: Random) -> list[Any]:
    """Return unsaved users, bench first, who all joined before `SPAN` began."""
    now, password = timezone.now(), make_password(PASSWORD)
    emails = [BENCH, *(f"user{n}@example.com" for n in range(1, others + 1))]
    return [
        get_user_model()(
            id=UUID(int=random.getrandbits(128), version=4),
            email=email,
            name=f"{random.choice(PEOPLE)} {random.choice(PLACES)}",
            password=password,
            created_at=(joined := now - SPAN * (1 + random.random())),
            updated_at=joined,
        )
        for email in emails
    ]


def insert_rows(users: list[Any], tasks: int, random: Random) -> None:
    total = len(users) * tasks
    # None: disabled if standard error is no terminal.
    bar = tqdm(total=total, unit=" tasks", disable=None, file=sys.stderr)
    with bar, indexes_dropped_for(total):
        histories = chain.from_iterable(
            histories_of(user, tasks, random) for user in users
        )
        while chunk := list(islice(histories, CHUNK_TASKS)):
            bulk.insert([history.task for history in chunk])
            bulk.insert([change for history in chunk for change in history.changes])
            bar.update(len(chunk))
        # Last, because their revisions count their writes.
        bulk.insert(users)
        manager: Any = get_user_model()._default_manager
        manager.run_created_hooks(users)


def indexes_dropped_for(tasks: int) -> AbstractContextManager[None]:
    is_worth_it = tasks > MIN_TASKS_WITHOUT_INDEXES
    return bulk.without_indexes(Task, TaskChange) if is_worth_it else nullcontext()


def histories_of(user: Any, tasks: int, random: Random) -> Iterator[TaskHistory]:
    writer = Writer(user.pk, random, timezone.now())
    yield from writer.tasks(tasks)
    user.revision = writer.revision
