"""One core for each worker.

Threads of one interpreter on two cores hand its lock from core to core, which costs a
request more than its own work.
"""

import os
import random
from collections import Counter
from collections.abc import Iterable


def available_cores() -> int:
    """How many cores this process may use; 0 where workers cannot be bound."""
    if not hasattr(os, "sched_getaffinity"):
        return 0
    return len(os.sched_getaffinity(0))


def least_used_core(taken: Iterable[int]) -> int:
    """In the arbiter: a core that as few workers as possible are bound to."""
    workers = Counter(taken)
    cores = list(os.sched_getaffinity(0))
    # Two servers on one machine should not both begin with the first core.
    random.shuffle(cores)
    return min(cores, key=lambda core: workers[core])
