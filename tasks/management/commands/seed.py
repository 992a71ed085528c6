"""Fills a database with people and tasks, to measure or to look at."""

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
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
from tasks.samples import PEOPLE, PLACES, SPAN, Past, Writer

BENCH = "bench@example.com"
PASSWORD = "pass1234!"  # noqa: S105  known to all: that is why --force is asked for
CHUNK = 5_000
WORTH_UNINDEXING = 50_000  # tasks; fewer go into the indexes one by one


class Command(BaseCommand):
    help = (
        f"Make {BENCH} and user1@example.com, user2@example.com and so on, with tasks "
        f"and their history. Everybody's password is {PASSWORD}"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--users", type=whole, default=10, help=f"besides {BENCH}")
        parser.add_argument("--tasks", type=whole, default=1000, help="of each user")
        parser.add_argument(
            "--seed", type=int, default=1, help="another one, other rows"
        )
        parser.add_argument("--force", action="store_true", help="without DEBUG, too")

    def handle(self, *, users: int, tasks: int, seed: int, **options: Any) -> str:
        if not (settings.DEBUG or options["force"]):
            raise CommandError(
                "Everybody would know the password of these accounts. Is this no "
                "production database? Then give --force, or set DEBUG."
            )
        started = time.monotonic()
        # The same seed gives the same rows; nothing here is secret.
        random = Random(seed)  # noqa: S311
        everybody = people(users, random)
        refuse_doubles([user.email for user in everybody])
        with transaction.atomic():
            fill(everybody, tasks, random)
        bulk.tidy(get_user_model(), Task, TaskChange)
        return told(users + 1, (users + 1) * tasks, time.monotonic() - started)


def whole(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text} is no number of them")
    return int(text)


def refuse_doubles(emails: list[str]) -> None:
    there = get_user_model()._default_manager.filter(email__lower__in=emails)
    if first := there.order_by("created_at").first():
        raise CommandError(f"{first} is there already; nothing was made.")


def told(users: int, tasks: int, seconds: float) -> str:
    pace = f"{seconds:.0f} s, {tasks / seconds:,.0f} tasks/s"
    return f"Made {users:,} users and {tasks:,} tasks in {pace}."


def people(others: int, random: Random) -> list[Any]:
    """Everybody, bench first; who joined when leaves all of `SPAN` for their tasks."""
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


def fill(users: list[Any], tasks: int, random: Random) -> None:
    total = len(users) * tasks
    # None: a bar where somebody looks at it, and nowhere else.
    bar = tqdm(total=total, unit=" tasks", disable=None, file=sys.stderr)
    with bar, unindexed_for(total):
        everything = (past for user in users for past in written(user, tasks, random))
        while chunk := list(islice(everything, CHUNK)):
            bulk.insert([past.task for past in chunk])
            bulk.insert([change for past in chunk for change in past.changes])
            bar.update(len(chunk))
        # Last, because their revisions count what they wrote.
        bulk.insert(users)


def unindexed_for(tasks: int) -> AbstractContextManager[None]:
    return (
        bulk.unindexed(Task, TaskChange) if tasks > WORTH_UNINDEXING else nullcontext()
    )


def written(user: Any, tasks: int, random: Random) -> Iterator[Past]:
    writer = Writer(user.pk, random, timezone.now())
    yield from writer.tasks(tasks)
    user.revision = writer.revision
