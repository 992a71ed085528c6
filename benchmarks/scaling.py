"""How this project's server bears load: more processes, more connections, more time.

    python -m benchmarks.scaling

On throwaway PostgreSQL and Valkey, or where DATABASE_URL leads. Prints throughput for
each number of processes and connections; latency when requests come at 80 % of the best
of these, whether or not they are answered (an open loop); the time to start; and how
the workers' memory grows with the requests that they answer.
"""

import argparse
import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import memory, processes
from benchmarks.load import Measured, closed, opened
from benchmarks.operations import LIST
from benchmarks.report import line
from benchmarks.server import Ours, services
from benchmarks.subject import Subject
from benchmarks.wire import fetch

SHARE_OF_PEAK = 0.8
# Of an open loop: enough for no request to wait unless the server falls behind.
SPARE_CONNECTIONS = 64
WARM_UP_SECONDS = 1.0

Row = dict[str, Any]


def main() -> None:
    arguments = parse()
    with services() as versions:
        print(f"{processes.machine()}, {versions}\n", flush=True)
        found = {"load": loads(arguments), "start": starts(arguments)}
        with closing(Ours(arguments.port, 1)) as ours:
            ours.wait()
            found["memory"] = [memory.grown(Subject(ours), arguments.minutes)]
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--processes", type=numbers, default=[1, 2, 4], metavar="1,2,4")
    add("--connections", type=numbers, default=[1, 4, 16, 64, 256, 512])
    add("--operations", type=lambda text: text.split(","), default=["detail", "create"])
    add("--seconds", type=float, default=2, help="of each measurement")
    add("--minutes", type=float, default=1, help="of load on the workers' memory")
    add("--port", type=int, default=8760)
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def loads(arguments: argparse.Namespace) -> list[Row]:
    print(line("", ["processes", "connections", "req/s", "p50 ms", "p99 ms", "errors"]))
    rows = []
    for number in arguments.processes:
        with closing(Ours(arguments.port, number)) as ours:
            ours.wait()
            subject = Subject(ours)
            for operation in arguments.operations:
                rows += load(subject, operation, number, arguments)
    return rows


def load(
    subject: Subject, operation: str, number: int, arguments: argparse.Namespace
) -> list[Row]:
    """Throughput with ever more connections, then latency at a share of the best."""
    seconds = arguments.seconds
    subject.measure(operation, WARM_UP_SECONDS, SPARE_CONNECTIONS)
    rows = []
    for connections in arguments.connections:
        with subject.asking(operation, connections) as clients:
            it = closed(clients, seconds)
        rows.append(shown(operation, number, str(connections), it))
    peak = max(row["rate"] for row in rows)
    with subject.asking(operation, SPARE_CONNECTIONS) as clients:
        it = opened(clients, 2 * seconds, SHARE_OF_PEAK * peak)
    return [*rows, shown(operation, number, f"{SHARE_OF_PEAK:.0%} of peak", it)]


def shown(operation: str, number: int, how: str, it: Measured) -> Row:
    row = {"operation": operation, "processes": number, "connections": how}
    row |= {"rate": it.rate, "errors": it.errors, "first_error": it.first_error}
    row |= {"p50": it.percentile(0.5) * 1e3, "p99": it.percentile(0.99) * 1e3}
    times = [f"{it.rate:.0f}", f"{row['p50']:.2f}", f"{row['p99']:.2f}"]
    print(line(operation, [str(number), how, *times, str(it.errors)]), flush=True)
    if it.first_error:
        print(f"  error: {it.first_error}")
    return row


def starts(arguments: argparse.Namespace) -> list[Row]:
    """From the command to the first answer, and the first list after it."""
    print(f"\n{line('', ['start s', 'first ms', 'second ms'])}")
    with closing(Ours(arguments.port, 1)) as ours:
        ours.wait()
        asked = Subject(ours).people.asks(LIST)
    rows = []
    for _ in range(3):
        # A token is good for any process, so nothing was asked before the list.
        with closing(Ours(arguments.port, 1)) as ours:
            ours.wait("/livez")
            row = {"start": time.monotonic() - ours.started}
            row |= {"first": timed(ours, asked), "second": timed(ours, asked)}
        figures = [row["start"], row["first"] * 1e3, row["second"] * 1e3]
        print(line("a process", [f"{figure:.2f}" for figure in figures]), flush=True)
        rows.append(row)
    return rows


def timed(ours: Ours, asked: bytes) -> float:
    started = time.monotonic()
    assert fetch(ours.address, asked).status == 200
    return time.monotonic() - started


if __name__ == "__main__":
    main()
