"""How the memory of a server's workers grows with the requests that they answer."""

import time
from statistics import linear_regression
from typing import Any

from benchmarks import processes
from benchmarks.load import closed
from benchmarks.report import line
from benchmarks.subject import Subject

# All kinds of requests that can go on for as long as one likes.
MIX = {"detail": 4, "list_cached": 2, "cursor": 4, "create": 2, "patch": 2, "stats": 1}
SAMPLE_SECONDS = 5.0
MIB = 2**20


def grown(subject: Subject, minutes: float) -> dict[str, Any]:
    """MiB of each worker after so many minutes, and MiB more per 10,000 requests, by
    a line through the second half of the samples.
    """
    clients = [c for name, size in MIX.items() for c in subject.clients(name, size)]
    samples: list[tuple[int, float]] = []
    asked, errors, ends = 0, 0, time.monotonic() + 60 * minutes
    while time.monotonic() < ends:
        it = closed(clients, SAMPLE_SECONDS)
        if not it.times:
            raise SystemExit(f"The server answers no more: {it.first_error}")
        asked, errors = asked + len(it.times), errors + it.errors
        samples.append((asked, resident(subject)))
    later = samples[len(samples) // 2 :]
    slope, _ = linear_regression(*zip(*later, strict=True)) if later[1:] else (0.0, 0)
    row = {"samples": samples, "slope": slope * 10_000, "errors": errors}
    figures = [f"{samples[0][1]:.1f}", f"{samples[-1][1]:.1f}", f"{row['slope']:.3f}"]
    print(f"\n{line('', ['MiB at first', 'at the end', 'per 10,000', 'requests'])}")
    print(line("a worker", [*figures, str(asked)]))
    return row


def resident(subject: Subject) -> float:
    """MiB of the workers, on average."""
    assert subject.server.pid
    _, *workers = processes.tree(subject.server.pid)
    return sum(map(processes.resident_bytes, workers)) / len(workers) / MIB
