"""A load balancer as small as they come, and clients who do not try again."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from itertools import count
from threading import Event

from tests.live.faults import FaultProxy
from tests.live.people import Tokens
from tests.live.race import threads
from tests.live.wire import ANSWER_SECONDS, Answer, Connection, request

POLL_SECONDS = 0.2
READYZ = request("GET", "/readyz", Connection="close")


class Balancer(FaultProxy):
    """Gives each connection to the next of the servers who last said they are ready."""

    def __init__(self, *ports: int) -> None:
        self.ports, self.ready, self.turns = ports, list(ports), count()
        super().__init__(("", 0))
        self.watch = asyncio.run_coroutine_threadsafe(self.poll(), self.loop)

    def close(self) -> None:
        self.watch.cancel()
        super().close()

    async def poll(self) -> None:
        while True:
            answers = await asyncio.gather(*map(is_ready, self.ports))
            self.ready = [p for p, yes in zip(self.ports, answers, strict=False) if yes]
            await asyncio.sleep(POLL_SECONDS)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self.ready[next(self.turns) % len(self.ready)]
        return await asyncio.open_connection("127.0.0.1", port)


async def is_ready(port: int) -> bool:
    with suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            writer.write(READYZ)
            answer = await reader.read()
        return answer.startswith(b"HTTP/1.1 200 ")
    return False


class Load:
    """Clients who keep their connections and ask without a pause."""

    def __init__(self, port: int, owner: Tokens) -> None:
        self.port, self.owner = port, owner
        self.done = Event()
        self.outcomes: list[Counter[str]] = []

    @property
    def total(self) -> Counter[str]:
        return sum(self.outcomes, Counter())

    @contextmanager
    def by(self, clients: int) -> Iterator[None]:
        self.outcomes = [Counter() for _ in range(clients)]
        running = [threads.submit(self.run, n) for n in range(clients)]
        try:
            yield
        finally:
            self.done.set()
            for each in running:
                each.result(ANSWER_SECONDS)

    def run(self, number: int) -> None:
        outcomes = self.outcomes[number]
        with closing(Connection(self.port)) as connection:
            for turn in count():
                for message in self.requests(f"{number}.{turn}"):
                    outcomes[attempt(connection, message)] += 1
                if self.done.is_set():
                    return

    def requests(self, name: str) -> list[bytes]:
        token = self.owner.access
        task = {"title": name}
        return [
            request("GET", "/api/tasks?limit=5", token=token),
            request("POST", "/api/tasks", task, token=token, Idempotency_Key=name),
        ]


def attempt(connection: Connection, message: bytes) -> str:
    """What came of a request that is sent once, on a new connection if need be."""
    try:
        return str(ask_once(connection, message).status)
    except (OSError, HTTPException) as error:
        connection.close()
        return repr(error)


def ask_once(connection: Connection, message: bytes) -> Answer:
    if connection.socket is None:
        address = "127.0.0.1", connection.port
        connection.socket = socket.create_connection(address, ANSWER_SECONDS)
    return connection.exchange(message)
