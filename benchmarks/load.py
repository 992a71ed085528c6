"""Load on a server, from one thread: closed, or open at a given rate.

Closed, every connection sends its next request when it has its answer, as `wrk` does.
Open, requests are due at even intervals whatever the server does, and each one's time
counts from when it was due: a server that stalls is not asked less for it.
"""

import math
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from selectors import EVENT_READ, BaseSelector, DefaultSelector, SelectSelector
from time import monotonic

from benchmarks.wire import ANSWER_SECONDS, Address, Answer, Connection

# Yields requests and is told their answers; when it ends, so does its client's load.
Script = Generator[bytes, Answer, None]


@dataclass
class Measured:
    """What came of it. Times and `elapsed` are in seconds, `received` in bytes."""

    times: list[float] = field(default_factory=list)
    elapsed: float = 0.0
    received: int = 0
    errors: int = 0
    first_error: str = ""

    @property
    def rate(self) -> float:
        return len(self.times) / self.elapsed if self.elapsed else 0.0

    def percentile(self, share: float) -> float:
        """The time within which this share of the requests was answered."""
        ranked = sorted(self.times)
        return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else 0.0

    def fail(self, what: str) -> None:
        self.errors += 1
        self.first_error = self.first_error or what


class Client:
    """A connection that follows a script; what is not as expected is asked again."""

    def __init__(self, address: Address, script: Script, expects: int) -> None:
        self.script, self.expects = script, expects
        # Up to its first request a script prepares what it needs, unmeasured.
        self.request = next(script, None)
        self.connection = Connection(address)

    def join(self, selector: BaseSelector) -> None:
        self.selector = selector
        selector.register(self.connection, EVENT_READ, self)

    def send(self, due: float | None = None) -> None:
        self.due = monotonic() if due is None else due
        assert self.request
        self.connection.send(self.request)

    def receive(self, measured: Measured) -> bool:
        """Whether the request is over, well or not."""
        try:
            answer = self.connection.receive()
        except OSError as error:
            measured.fail(str(error))
            self.reopen()
            return True
        if answer:
            self.take(answer, measured)
        return answer is not None

    def take(self, answer: Answer, measured: Measured) -> None:
        if answer.status == self.expects:
            measured.times.append(monotonic() - self.due)
            measured.received += answer.size
            try:
                self.request = self.script.send(answer)
            except StopIteration:
                self.request = None
        else:
            measured.fail(f"{answer.status} {answer.body[:200].decode()}")
        if self.connection.is_last:
            self.reopen()

    def reopen(self) -> None:
        self.selector.unregister(self.connection)
        self.connection.close()
        self.connection.open()
        self.join(self.selector)


class Load:
    """Clients at work; `measured` grows as their answers come."""

    def __init__(self, clients: Sequence[Client], selector: BaseSelector) -> None:
        self.measured, self.selector = Measured(), selector
        self.idle = deque(client for client in clients if client.request)
        self.busy = 0
        for client in clients:
            client.join(selector)

    def send(self, due: float | None = None) -> None:
        self.idle.popleft().send(due)
        self.busy += 1

    def wait(self, seconds: float) -> bool:
        """Take what answers arrive, or give up after so long: whether any event was."""
        events = self.selector.select(seconds)
        for key, _ in events:
            if key.data.receive(self.measured):
                self.busy -= 1
                if key.data.request:
                    self.idle.append(key.data)
        return bool(events)

    def finish(self, started: float) -> Measured:
        while self.busy and self.wait(ANSWER_SECONDS):
            pass
        for _ in range(self.busy):
            self.measured.fail(f"no answer within {ANSWER_SECONDS:.0f} s")
        self.measured.elapsed = monotonic() - started
        self.selector.close()
        return self.measured


def closed(clients: Sequence[Client], seconds: float) -> Measured:
    """As many requests as the clients can get answered, one at a time each."""
    load, started = Load(clients, DefaultSelector()), monotonic()
    while monotonic() - started < seconds and (load.idle or load.busy):
        while load.idle:
            load.send()
        if not load.wait(ANSWER_SECONDS):
            break
    return load.finish(started)


def opened(clients: Sequence[Client], seconds: float, rate: float) -> Measured:
    """`rate` requests a second; those who find no idle client wait for one."""
    # epoll waits for whole milliseconds, which would make every request late.
    load, started = Load(clients, SelectSelector()), monotonic()
    waiting = deque(started + n / rate for n in range(round(seconds * rate)))
    while waiting and (load.idle or load.busy):
        while waiting and load.idle and waiting[0] <= monotonic():
            load.send(waiting.popleft())
        pause = waiting[0] - monotonic() if waiting and load.idle else 1
        load.wait(max(0, pause))
    return load.finish(started)
