"""Slow requests hold up nobody as long as there are threads."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from queue import SimpleQueue
from threading import Event, current_thread
from typing import Any

import pytest

from taskapi.server import lead as lead_module
from taskapi.server import loop
from taskapi.server.connection import Connection
from taskapi.server.lead import Lead
from tests.server.conftest import THREADS, Served, read_all, read_answer, text

QUICK = b"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
Serve = Callable[..., Served]


class Gate:
    """An application that answers /slow only when it is let."""

    def __init__(self) -> None:
        self.entered: SimpleQueue[str] = SimpleQueue()
        self.opened = Event()

    def __call__(self, environ: Any, start: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/slow":
            self.entered.put(current_thread().name)
            assert self.opened.wait(20)
        return text(start, environ["PATH_INFO"].encode())


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def seconds(server: Served) -> float:
    """How long a quick request takes on a connection of its own."""
    started = time.monotonic()
    with closing(server.connect()) as client:
        client.sendall(QUICK)
        assert read_answer(client)[1] == b"/quick"
    return time.monotonic() - started


def test_quick_requests_stay_on_one_thread(serve: Serve) -> None:
    names = set()

    def application(environ: Any, start: Any) -> list[bytes]:
        names.add(current_thread().name)
        return text(start, b"")

    server = serve(application)
    with closing(server.connect()) as client:
        for _ in range(200):
            client.sendall(QUICK)
            read_answer(client)

    assert len(names) <= 2  # one, unless the machine was slow just then


def test_slow_requests_hold_up_nobody(serve: Serve, gate: Gate) -> None:
    server = serve(gate)
    with ExitStack() as stack:
        held = [stack.enter_context(closing(server.connect())) for _ in range(THREADS)]
        for each in held[: THREADS - 1]:
            each.sendall(SLOW)
            gate.entered.get(timeout=5)
        assert max(seconds(server) for _ in range(20)) < 0.2
        gate.opened.set()
        for each in held[: THREADS - 1]:
            assert read_answer(each)[1] == b"/slow"
            each.sendall(QUICK)
            assert read_answer(each)[1] == b"/quick"


def test_requests_wait_while_every_thread_is_busy(serve: Serve, gate: Gate) -> None:
    server = serve(gate)
    with ExitStack() as stack:
        held = [stack.enter_context(closing(server.connect())) for _ in range(THREADS)]
        for each in held:
            each.sendall(SLOW)
        names = {gate.entered.get(timeout=5) for _ in held}
        client = stack.enter_context(closing(server.connect()))
        client.sendall(QUICK)
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert server.loop.lead.started == len(names) == THREADS

        gate.opened.set()

        client.settimeout(10)
        assert read_answer(client)[1] == b"/quick"
        for each in held:
            assert read_answer(each)[1] == b"/slow"


def test_client_of_a_slow_request_may_send_more_or_hang_up(
    serve: Serve, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new leader must neither read for it, nor be woken again and again."""
    monkeypatch.setattr(loop, "SWEEP_SECONDS", 60)
    server = serve(gate)
    with closing(server.connect()) as ahead, closing(server.connect()) as gone:
        for each in ahead, gone:
            each.sendall(QUICK)
            read_answer(each)
            each.sendall(SLOW)
            gate.entered.get(timeout=5)
        ahead.sendall(QUICK * 3)
        gone.close()
        assert seconds(server) < 0.2
        used = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - used < 0.2

        gate.opened.set()

        bodies = [read_answer(ahead)[1] for _ in range(4)]
    assert bodies == [b"/slow", b"/quick", b"/quick", b"/quick"]


def test_connection_is_given_back_to_the_leader(serve: Serve, gate: Gate) -> None:
    """The thread that ran the request must not touch it any more."""
    server = serve(gate)
    settle, settled = server.loop.settle, SimpleQueue[str]()

    def told(connection: Connection) -> None:
        settled.put(current_thread().name)
        settle(connection)

    server.loop.settle = told  # type: ignore[method-assign]
    with closing(server.connect()) as client:
        client.sendall(SLOW)
        busy = gate.entered.get(timeout=5)
        assert seconds(server) < 0.2
        leader = settled.get(timeout=5)
        gate.opened.set()
        assert read_answer(client)[1] == b"/slow"
        assert settled.get(timeout=5) == leader != busy


def test_lead_is_passed_on_first_when_requests_are_slow() -> None:
    lead = Lead(lambda turn: None, lambda: None, threads=3)
    lead.pass_on()

    lead.begin(is_awaited=True)
    assert lead.turn == 1  # they are not slow
    lead.slow_until = time.monotonic() + 60
    lead.begin(is_awaited=False)
    assert lead.turn == 1  # nobody waits
    lead.begin(is_awaited=True)
    assert (lead.turn, lead.busy_since) == (2, 0)
    lead.begin(is_awaited=True)
    lead.begin(is_awaited=True)
    assert lead.turn == 3  # nobody is free
    assert lead.busy_since


class Clocks:
    """Of the wall, and of the processor: milliseconds."""

    wall = work = 1000.0

    def run(self, lead: Lead, waits: float, works: float) -> None:
        """One request that nobody else's overlaps."""
        lead.begin(is_awaited=True)
        turn = lead.turn
        self.wall += waits + works
        self.work += works
        assert lead.end(turn)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(lead_module, "monotonic", lambda: clocks.wall / 1000)
    monkeypatch.setattr(lead_module, "process_time", lambda: clocks.work / 1000)
    return clocks


@pytest.fixture
def lead() -> Lead:
    lead = Lead(lambda turn: None, lambda: None, threads=3)
    lead.pass_on()
    return lead


def test_requests_that_mostly_wait_are_slow(lead: Lead, clocks: Clocks) -> None:
    for _ in range(4):
        assert lead.turn == 1
        clocks.run(lead, waits=3.2, works=1)  # of 10 ms, 3.2 - 0.5 are full
    lead.begin(is_awaited=True)
    assert lead.turn == 2

    clocks.wall += 101
    for _ in range(2):  # still so: that is found out sooner
        clocks.run(lead, waits=3.2, works=1)
    lead.begin(is_awaited=True)
    assert lead.turn == 3


def test_requests_that_mostly_work_are_not_slow(lead: Lead, clocks: Clocks) -> None:
    """Threads would only take turns with the interpreter."""
    for _ in range(500):
        clocks.run(lead, waits=0.4, works=1)
    clocks.run(lead, waits=9, works=1)
    clocks.run(lead, waits=0, works=50)

    lead.begin(is_awaited=True)
    assert lead.turn == 1


def test_relief_comes_sooner_while_requests_are_slow(
    lead: Lead, clocks: Clocks
) -> None:
    lead.begin(is_awaited=False)
    clocks.wall += 4
    assert not lead.relieve()
    clocks.wall += 8
    assert lead.relieve()  # that alone made them slow

    lead.begin(is_awaited=False)
    clocks.wall += 0.9
    assert not lead.relieve()
    clocks.wall += 0.2
    assert lead.relieve()


def test_relieved_request_that_worked_does_not_make_them_slow(
    lead: Lead, clocks: Clocks
) -> None:
    lead.begin(is_awaited=True)
    clocks.wall += 20
    clocks.work += 20
    assert lead.relieve()

    lead.begin(is_awaited=True)
    assert lead.turn == 2


def test_leader_goes_on_where_the_one_before_stopped(serve: Serve, gate: Gate) -> None:
    """With events that were received together with the slow request's."""
    server = serve(gate)
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(server.connect())) for _ in range(20)]
        for each in clients:
            each.sendall(QUICK)
            read_answer(each)
        for number, each in enumerate(clients):
            each.sendall(SLOW if number == 0 else QUICK)
        for each in clients[1:]:
            assert read_answer(each)[1] == b"/quick"
        gate.opened.set()
        assert read_answer(clients[0])[1] == b"/slow"


def test_many_clients_with_slow_and_quick_requests(serve: Serve) -> None:
    """Each answer goes to who asked, however the lead is passed around."""

    def application(environ: Any, start: Any) -> list[bytes]:
        time.sleep(int(environ["PATH_INFO"].rpartition("/")[2]) / 1000)
        return text(start, environ["PATH_INFO"].encode())

    server = serve(application)

    def ask(number: int) -> None:
        with closing(server.connect()) as client:
            for turn in range(60):
                path = b"/%d/%d/%d" % (number, turn, (number * turn) % 7)
                client.sendall(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
                assert read_answer(client)[1] == path

    with ThreadPoolExecutor(16) as clients:
        assert list(clients.map(ask, range(16), timeout=60)) == [None] * 16


def test_slow_reader_of_a_stream_holds_one_thread_only(serve: Serve) -> None:
    def application(environ: Any, start: Any) -> Any:
        if environ["PATH_INFO"] == "/quick":
            return text(start, b"/quick")
        start("200 OK", [])
        return (bytes(100_000) for _ in range(30))

    server = serve(application)
    with closing(server.connect()) as client:
        client.sendall(SLOW.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        time.sleep(0.1)
        assert max(seconds(server) for _ in range(10)) < 0.2
        assert len(read_all(client)) > 3_000_000
