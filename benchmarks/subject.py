"""A server under measurement."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import processes
from benchmarks.load import Client, Measured, closed
from benchmarks.operations import OPERATIONS
from benchmarks.people import People
from benchmarks.report import Figures
from benchmarks.server import Server

OTHERS = 40  # users beside bench


class Subject:
    """A server and its users; `before` is run before anything fresh is asked for."""

    def __init__(self, server: Server, before: str | None = None) -> None:
        self.server, self.before = server, before
        self.people = People(server.address, OTHERS)

    def clients(self, name: str, connections: int) -> list[Client]:
        operation = OPERATIONS[name]
        if operation.is_fresh:
            self.server.forget_lists()
            if self.before:
                subprocess.run(self.before, shell=True, check=True)
        scripts = operation.scripts(self.people, connections)
        address, expects = self.server.address, operation.expects
        return [Client(address, script, expects) for script in scripts]

    @contextmanager
    def asking(self, name: str, connections: int) -> Iterator[list[Client]]:
        """The clients, for a while."""
        clients = self.clients(name, connections)
        yield clients
        for client in clients:
            client.connection.close()

    def measure(self, name: str, seconds: float, connections: int) -> Figures:
        with self.asking(name, connections) as clients:
            before = self.counters()
            measured = closed(clients, seconds)
            after = self.counters()
        return figures(measured, *(map(used, before, after)))

    def counters(self) -> list[float | None]:
        """CPU seconds and statements, since ever."""
        return [processes.cpu_seconds(self.server.pid), self.server.statements.count()]


def used(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def figures(measured: Measured, cpu: float | None, sql: float | None) -> Figures:
    answered = max(1, len(measured.times))
    return Figures(
        rate=measured.rate,
        p50=measured.percentile(0.50) * 1e3,
        p99=measured.percentile(0.99) * 1e3,
        cpu=None if cpu is None else cpu / answered * 1e6,
        sql=None if sql is None else sql / answered,
        sent=measured.received / answered,
        errors=measured.errors,
        first_error=measured.first_error,
    )
