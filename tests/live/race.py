"""Things that start at the same moment."""

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")

# More of them prove more: TASKAPI_RACE_ROUNDS=500 for the record, few for every day.
ROUNDS = int(os.environ.get("TASKAPI_RACE_ROUNDS") or 4)
# Between two parties, about as much as one of their requests takes.
STAGGER_SECONDS = 0.006

threads = ThreadPoolExecutor(128, thread_name_prefix="racer")


def rounds(share: float = 1, *, most: int = 10_000) -> Iterator[int]:
    """This test's share of the rounds, at least two."""
    return iter(range(min(most, max(2, round(ROUNDS * share)))))


def race(*parties: Callable[[], T], stagger: float = 0.0) -> list[T]:
    """Run all at once; their results, in order.

    With `stagger` each waits up to so long, so that every order comes about.
    """
    start = Barrier(len(parties))

    def run(party: Callable[[], T]) -> T:
        start.wait(30)
        if stagger:
            time.sleep(random.uniform(0, stagger))
        return party()

    return list(threads.map(run, parties))
