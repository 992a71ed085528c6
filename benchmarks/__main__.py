"""Measure this project's server, and others beside it.

    python -m benchmarks                        ours, on throwaway PostgreSQL and Valkey
    python -m benchmarks --against URL          a server that runs already
    python -m benchmarks NAME='COMMAND' ...     ours, then others, in turn

NAME='COMMAND' is a shell command that serves the same API on 127.0.0.1:$PORT, to
bench@example.com and user1@example.com to user40@example.com, with the password and
about as many tasks as `manage.py seed` gives them. Where DATABASE_URL is set, ours runs
on that database, which `manage.py migrate` and `manage.py seed` have filled.
"""

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks import processes, report
from benchmarks.operations import OPERATIONS
from benchmarks.report import Figures
from benchmarks.server import Ours, Process, Server, services
from benchmarks.subject import Subject
from benchmarks.wire import Address

WARM_UP_SECONDS = 0.5

Table = dict[str, dict[str, Figures]]


def main() -> None:
    arguments = parse()
    with servers(arguments) as (found, versions):
        subjects = [Subject(server, arguments.before) for server in found]
        about = {"machine": processes.machine(), "software": versions}
        about["load"] = (
            f"{arguments.connections} connections, {arguments.processes} process(es), "
            f"medians of {arguments.rounds} rounds of {arguments.seconds:g} s"
        )
        print("\n".join(f"{name}: {text}" for name, text in about.items()))
        print(f"\n{report.heading(len(subjects) > 1)}", flush=True)
        table = measure(subjects, arguments)
    if arguments.json:
        figures = {k: {n: asdict(f) for n, f in v.items()} for k, v in table.items()}
        written = {"about": about, "figures": figures}
        arguments.json.write_text(json.dumps(written, indent=1))


def parse() -> argparse.Namespace:
    names = ", ".join(f"{name} ({each.about})" for name, each in OPERATIONS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"Operations: {names}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("others", nargs="*", type=named, metavar="NAME=COMMAND")
    add("--against", metavar="URL", help="of a server that runs already")
    add("--pid", type=int, help="its process, to measure CPU and that of its children")
    add("--operations", type=chosen, default=list(OPERATIONS), metavar="A,B,...")
    add("--rounds", type=int, default=3)
    add("--seconds", type=float, default=2, help="of a round")
    add("--connections", type=int, default=16)
    add("--processes", type=int, default=1, help="workers of our server")
    add("--before", metavar="COMMAND", help="what empties the others' caches")
    add("--port", type=int, default=8700, help="the first of those to serve on")
    add("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


def named(text: str) -> tuple[str, str]:
    name, equals, command = text.partition("=")
    if not (name and equals and command):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=COMMAND")
    return name, command


def chosen(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(OPERATIONS):
        raise argparse.ArgumentTypeError(f"no operation {', '.join(sorted(unknown))}")
    return names


@contextmanager
def servers(arguments: argparse.Namespace) -> Iterator[tuple[list[Server], str]]:
    if arguments.against:
        address = Address.of(arguments.against)
        yield [Server("server", address, arguments.pid)], "not known"
        return
    with ExitStack() as stack:
        versions = stack.enter_context(services())
        port = arguments.port
        started: list[Process] = [Ours(port, arguments.processes)]
        stack.enter_context(closing(started[0]))
        for name, command in arguments.others:
            port += 1
            started.append(stack.enter_context(closing(Process(name, command, port))))
        for each in started:
            each.wait()
        yield list(started), versions


def measure(subjects: list[Subject], arguments: argparse.Namespace) -> Table:
    table: Table = {}
    for operation in arguments.operations:
        rounds: dict[str, list[Figures]] = {each.server.name: [] for each in subjects}
        for subject in subjects:
            subject.measure(operation, WARM_UP_SECONDS, arguments.connections)
        for _ in range(arguments.rounds):
            # In turn: what else the machine does slows all of them down.
            for subject in subjects:
                it = subject.measure(
                    operation, arguments.seconds, arguments.connections
                )
                rounds[subject.server.name].append(it)
        table[operation] = {n: Figures.typical(each) for n, each in rounds.items()}
        print(report.shown(operation, table[operation]), flush=True)
    return table


if __name__ == "__main__":
    main()
