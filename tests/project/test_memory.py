"""What a worker keeps of the bodies that it has received, and what it gives back."""

import asyncio
import ctypes
import gc
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest

from taskapi.asgi import Application
from taskapi.http import allocator, request_body
from tests.project.test_asgi import CHUNKED, HOST, Exchange, text
from tests.project.test_environ import scope

MIB = 1024 * 1024
LARGE = 2 * MIB
EMOJI = "\N{PILE OF POO}".encode()
Start = Callable[..., Any]


@pytest.fixture(autouse=True)
def _large_bodies(settings: Any) -> None:
    settings.MAX_BODY_BYTES = LARGE


def exchange(application: Application, *body: bytes) -> Exchange:
    return Exchange(application, scope(b"/", HOST, CHUNKED), *body, b"")


@pytest.fixture
def _traced() -> Iterator[None]:
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("_traced")
def test_body_is_in_memory_once() -> None:
    def read(environ: dict[str, Any], start: Start) -> list[bytes]:
        body = environ["wsgi.input"].read(LARGE + 1)
        found.append((len(body), tracemalloc.get_traced_memory()[0]))
        return text(start, b"read")

    found: list[tuple[int, int]] = []
    pieces = [bytes(MIB // 16)] * 32
    asyncio.run(exchange(Application(read, 1), *pieces).run())

    size, held = found[0]
    assert size == LARGE
    assert held < LARGE * 1.2


def test_large_body_is_gone_once_it_is_answered() -> None:
    class View:
        """Refers to itself, as Django's and DRF's requests and views do."""

        def __init__(self, environ: dict[str, Any]) -> None:
            self.stream: BytesIO = environ["wsgi.input"]
            self.itself = self

    def keep(environ: dict[str, Any], start: Start) -> list[bytes]:
        view = View(environ)
        found.append(weakref.ref(view))
        return text(start, b"kept")

    found: list[Any] = []

    async def main() -> list[Any]:
        sender = exchange(Application(keep, 1), bytes(LARGE))
        sender.is_writable.clear()
        running = asyncio.create_task(sender.run())
        while not sender.sent:
            await asyncio.sleep(0)
        left = [each() for each in found]  # before the client reads the response
        sender.is_writable.set()
        await running
        return left

    gc.disable()
    try:
        assert asyncio.run(main()) == [None]
    finally:
        gc.enable()


# The last is large as a text, of which the emoji makes four bytes a character.
@pytest.mark.parametrize("body", [bytes(LARGE), b"a" * (MIB // 4) + EMOJI])
def test_large_bodies_are_handled_one_at_a_time(body: bytes) -> None:
    def slow(environ: dict[str, Any], start: Start) -> list[bytes]:
        is_large = int(environ["CONTENT_LENGTH"]) > MIB // 8
        if is_large:
            running.append(1)
            counts.append(len(running))
            small_is_answered.wait(1)
            running.pop()
        return text(start, b"done")

    running: list[int] = []
    counts: list[int] = []
    small_is_answered = threading.Event()

    async def main() -> list[int]:
        application = Application(slow, 2)
        large = [exchange(application, body) for _ in range(4)]
        waiting = [asyncio.create_task(each.run()) for each in large]
        while not counts:
            await asyncio.sleep(0)
        small = await exchange(application, b"small").run()
        small_is_answered.set()
        return [small.status, *[(await each).status for each in waiting]]

    assert asyncio.run(main()) == [200] * 5
    assert counts == [1] * 4


def test_large_body_of_a_client_who_left_counts_until_it_is_done() -> None:
    def slow(environ: dict[str, Any], start: Start) -> list[bytes]:
        running.append(1)
        counts.append(len(running))
        may_end.wait(20)
        running.pop()
        return text(start, b"done")

    running: list[int] = []
    counts: list[int] = []
    may_end = threading.Event()

    async def main() -> int:
        application = Application(slow, 2)
        leaving = asyncio.create_task(exchange(application, bytes(LARGE)).run())
        while not counts:
            await asyncio.sleep(0)
        leaving.cancel()
        staying = asyncio.create_task(exchange(application, bytes(LARGE)).run())
        await asyncio.sleep(0.1)
        assert application.bodies.held_bytes == 2 * LARGE
        may_end.set()
        return (await staying).status

    assert asyncio.run(main()) == 200
    assert counts == [1, 1]


def test_what_arrived_of_a_refused_body_is_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And it does not wait for the large bodies that are handled one at a time."""
    monkeypatch.setattr(request_body, "MAX_HELD_WITH_LARGER_BYTES", LARGE)
    monkeypatch.setattr(request_body, "ROOM_SECONDS", 0.05)
    may_end = threading.Event()

    def wsgi(environ: dict[str, Any], start: Start) -> list[bytes]:
        if "taskapi.refusal" in environ:
            return text(start, b"refused", "503 Busy")
        may_end.wait(20)
        return text(start, b"done")

    async def main() -> list[int]:
        application = Application(wsgi, 2)
        first = asyncio.create_task(exchange(application, bytes(LARGE)).run())
        await asyncio.sleep(0)
        pieces = [bytes(MIB // 2)] * 3
        refused = await exchange(application, *pieces).run()
        held = application.bodies.held_bytes
        may_end.set()
        return [refused.status, held, (await first).status]

    assert asyncio.run(main()) == [503, LARGE, 200]


LEFT = """
import sys
from pathlib import Path
from taskapi.http import allocator, request_body
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
allocator.return_large_blocks()
bytes(20_000_000)  # once freed, it raises glibc's threshold
large = [bytearray(b"x") * 4_000_000 for _ in range(5)]
small = [object() for _ in range(100_000)]
before = resident()
del large
print(before - resident())
"""


def freed_bytes(**variables: str) -> int:
    command = [sys.executable, "-c", LEFT]
    done = subprocess.run(command, env=variables, capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc keeps large blocks"
)
def test_worker_gives_freed_blocks_back_unless_the_operator_tunes_glibc() -> None:
    tuned = {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "99999999"}

    assert freed_bytes() > 19_000_000
    assert freed_bytes(**tuned) < 1_000_000


def test_allocator_without_mallopt_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())

    allocator.return_large_blocks()
