"""The adapter between an event loop and the threads that run the application."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from taskapi.asgi import Application
from taskapi.http import request_body
from taskapi.http.request_body import LARGE_BODY_BYTES
from tests.project.test_environ import scope

MAX_BODY_BYTES = 1000
CHUNKED = (b"Transfer-Encoding", b"chunked")
HOST = (b"Host", b"a")
Start = Callable[..., Any]
SECONDS = 20


def text(start: Start, body: bytes, status: str = "200 OK") -> list[bytes]:
    start(status, [("Content-Length", str(len(body)))])
    return [body]


def echo(environ: dict[str, Any], start: Start) -> list[bytes]:
    """The body and its length; or the refusal, as the middleware answers it."""
    if refusal := environ.get("taskapi.refusal"):
        return text(start, refusal[1].encode(), f"{refusal[0]} Refused")
    body = environ["wsgi.input"].read()
    return text(start, environ["CONTENT_LENGTH"].encode() + b":" + body)


class Pieces:
    """A response of Django's that is streamed."""

    streaming = True

    def __init__(self, make: Iterator[bytes]) -> None:
        self.make = make
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self.make

    def close(self) -> None:
        self.closed.set()


class Exchange:
    """One request to the adapter, and what it sends."""

    def __init__(self, application: Application, asked: Any, *body: bytes) -> None:
        self.application, self.asked = application, asked
        self.body = list(body)
        self.received = 0
        self.sent: list[dict[str, Any]] = []
        self.is_writable = asyncio.Event()
        self.is_writable.set()

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        if not self.body:
            await asyncio.Event().wait()  # the client sends no more
        piece = self.body.pop(0)
        if piece == b"gone":
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": piece != b""}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        await self.is_writable.wait()

    async def run(self) -> "Exchange":
        await asyncio.wait_for(
            self.application(self.asked, self.receive, self.send), SECONDS
        )
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def content(self) -> bytes:
        return b"".join(each["body"] for each in self.sent[1:])


@pytest.fixture(autouse=True)
def _small_bodies(settings: Any) -> None:
    settings.MAX_BODY_BYTES = MAX_BODY_BYTES
    settings.MAX_BODY_BYTES_UNDER = {"/small/": 10}


def adapter(wsgi: Any = echo, threads: int = 2) -> Application:
    return Application(wsgi, threads)


def asked(wsgi: Any, *body: bytes, **more: Any) -> Exchange:
    """A finished exchange, with a chunked body if there is one."""
    headers = [HOST, CHUNKED] if body else [HOST]

    async def main() -> Exchange:
        request = scope(b"/", *headers, **more)
        return await Exchange(adapter(wsgi), request, *body).run()

    return asyncio.run(main())


def test_request_without_a_body_is_not_asked_for_one() -> None:
    exchange = asked(echo)

    assert (exchange.status, exchange.content, exchange.received) == (200, b"0:", 0)


def test_chunked_body_gets_a_length() -> None:
    assert asked(echo, b"ab", b"c", b"").content == b"3:abc"


def test_declared_body_that_is_too_large_is_refused_unread() -> None:
    async def main() -> Exchange:
        length = b"Content-Length", b"%d" % (MAX_BODY_BYTES + 1)
        return await Exchange(adapter(), scope(b"/", HOST, length), b"a").run()

    exchange = asyncio.run(main())

    assert (exchange.status, exchange.received) == (413, 0)


def test_chunked_body_is_refused_as_soon_as_it_is_too_large() -> None:
    half = bytes(MAX_BODY_BYTES // 2)

    exchange = asked(echo, half, half, b"a", b"b", b"")

    assert (exchange.status, exchange.received) == (413, 3)


def test_largest_body_is_read() -> None:
    assert asked(echo, bytes(MAX_BODY_BYTES), b"").status == 200


def test_body_of_some_paths_is_refused_earlier() -> None:
    async def main() -> Exchange:
        request = scope(b"/small/", HOST, CHUNKED)
        return await Exchange(adapter(), request, bytes(10), b"a", b"").run()

    exchange = asyncio.run(main())

    assert (exchange.status, exchange.received) == (413, 2)


def test_body_that_stops_arriving_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "TIMEOUT_SECONDS", 0.05)

    assert asked(echo, b"ab").status == 408


def test_body_that_ends_early_is_refused() -> None:
    assert asked(echo, b"ab", b"gone").status == 400


def test_all_bodies_together_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_HELD_BYTES", 1500)
    monkeypatch.setattr(request_body, "ROOM_SECONDS", 0.05)

    async def main() -> list[int]:
        application, request = adapter(), scope(b"/", HOST, CHUNKED)
        half = Exchange(application, request, bytes(1000))
        waiting = asyncio.create_task(half.run())
        while half.received < 2:
            await asyncio.sleep(0)
        refused = await Exchange(application, request, bytes(600), b"").run()
        small = await Exchange(application, request, bytes(400), b"").run()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert application.bodies.held_bytes == 0
        large = await Exchange(application, request, bytes(1000), b"").run()
        return [refused.status, small.status, large.status]

    assert asyncio.run(main()) == [503, 200, 200]


def test_small_body_finds_room_beside_larger_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_body, "MAX_HELD_WITH_LARGER_BYTES", 1500)
    monkeypatch.setattr(request_body, "SMALL_BODY_BYTES", 600)
    monkeypatch.setattr(request_body, "ROOM_SECONDS", 0.05)

    async def main() -> list[int]:
        application, request = adapter(), scope(b"/", HOST, CHUNKED)
        held = Exchange(application, request, bytes(1000))
        waiting = asyncio.create_task(held.run())
        while held.received < 2:
            await asyncio.sleep(0)
        larger = await Exchange(application, request, bytes(601), b"").run()
        small = await Exchange(application, request, bytes(600), b"").run()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return [larger.status, small.status]

    assert asyncio.run(main()) == [503, 200]


def test_body_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_HELD_BYTES", 1500)

    async def main() -> list[int]:
        application, request = adapter(), scope(b"/", HOST, CHUNKED)
        many = [Exchange(application, request, bytes(1000), b"") for _ in range(8)]
        return [each.status for each in await asyncio.gather(*(m.run() for m in many))]

    assert asyncio.run(main()) == [200] * 8


@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_application_that_fails_is_asked_for_an_error_response(
    error: type[BaseException],
) -> None:
    def application(environ: dict[str, Any], start: Start) -> list[bytes]:
        if "taskapi.refusal" not in environ:
            raise error
        return echo(environ, start)

    exchange = asked(application)

    assert (exchange.status, exchange.content) == (500, b"Something went wrong")


def test_application_that_always_fails_ends_its_request_only() -> None:
    def application(environ: dict[str, Any], start: Start) -> list[bytes]:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        asked(application)


def streaming(pieces: Pieces) -> Any:
    def application(environ: dict[str, Any], start: Start) -> Any:
        if "taskapi.refusal" in environ or environ["PATH_INFO"] == "/quick":
            return echo(environ, start)
        start("200 OK", [])
        return pieces

    return application


def test_stream_is_sent_piece_by_piece() -> None:
    pieces = Pieces(iter([b"he", b"", b"llo"]))
    exchange = asked(streaming(pieces))

    bodies = [(each["body"], each["more_body"]) for each in exchange.sent[1:]]
    assert bodies == [(b"he", True), (b"", True), (b"llo", True), (b"", False)]
    assert pieces.closed.wait(SECONDS)


def test_slow_reader_of_a_stream_holds_no_thread() -> None:
    pieces = Pieces(iter([b"a"] * 5))

    async def main() -> tuple[int, bytes]:
        application = adapter(streaming(pieces), threads=1)
        slow = Exchange(application, scope())
        slow.is_writable.clear()
        reading = asyncio.create_task(slow.run())
        while not slow.sent:
            await asyncio.sleep(0)
        quick = await Exchange(application, scope(b"/quick")).run()
        slow.is_writable.set()
        await reading
        return quick.status, slow.content

    assert asyncio.run(main()) == (200, b"aaaaa")


def test_liveness_waits_for_no_probe_of_the_database() -> None:
    is_alive = threading.Event()

    def wsgi(environ: dict[str, Any], start: Start) -> list[bytes]:
        if environ["PATH_INFO"] != "/livez":
            assert is_alive.wait(SECONDS)
        return text(start, b"")

    async def main() -> set[int]:
        application = adapter(wsgi)
        paths = [b"/health", b"/readyz"] * 2
        waiting = [
            asyncio.create_task(Exchange(application, scope(path)).run())
            for path in paths
        ]
        await asyncio.sleep(0)
        await Exchange(application, scope(b"/livez")).run()
        is_alive.set()
        return {each.status for each in await asyncio.gather(*waiting)}

    assert asyncio.run(main()) == {200}


def failing(*before: bytes) -> Iterator[bytes]:
    yield from before
    raise RuntimeError


def test_stream_that_fails_at_once_is_an_error_response() -> None:
    assert asked(streaming(Pieces(failing()))).status == 500


def test_stream_that_fails_later_is_not_completed() -> None:
    pieces = Pieces(failing(b"a"))

    async def main() -> Exchange:
        exchange = Exchange(adapter(streaming(pieces)), scope())
        with pytest.raises(RuntimeError):
            await exchange.run()
        return exchange

    exchange = asyncio.run(main())

    assert [each.get("more_body") for each in exchange.sent] == [None, True]
    assert pieces.closed.wait(SECONDS)


def test_stream_of_a_client_who_left_is_closed_after_its_piece() -> None:
    is_made, may_end = threading.Event(), threading.Event()
    log: list[str] = []

    def make() -> Iterator[bytes]:
        yield b"a"
        is_made.set()
        may_end.wait(SECONDS)
        log.append("piece")
        yield b"b"

    pieces = Pieces(make())
    pieces.close = lambda: log.append("close")  # type: ignore[method-assign]

    async def main() -> None:
        application = adapter(streaming(pieces))
        task = asyncio.create_task(Exchange(application, scope()).run())
        while not is_made.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        may_end.set()
        application.pool.shutdown()

    asyncio.run(main())

    assert log == ["piece", "close"]


def test_large_body_is_not_kept_while_a_stream_is_sent(settings: Any) -> None:
    settings.MAX_BODY_BYTES = LARGE_BODY_BYTES + 1
    inputs: list[Any] = []

    def make() -> Iterator[bytes]:
        yield b"a"
        yield b"closed" if inputs[0].closed else b"open"

    def wsgi(environ: dict[str, Any], start: Start) -> Any:
        inputs.append(environ["wsgi.input"])
        return streaming(Pieces(make()))(environ, start)

    assert asked(wsgi, bytes(LARGE_BODY_BYTES + 1), b"").content == b"aclosed"


@pytest.mark.parametrize("size", [0, LARGE_BODY_BYTES + 1])
def test_stream_of_a_client_who_left_before_its_first_piece_is_closed(
    settings: Any, size: int
) -> None:
    settings.MAX_BODY_BYTES = LARGE_BODY_BYTES + 1
    is_called, may_end = threading.Event(), threading.Event()

    def make() -> Iterator[bytes]:
        is_called.set()
        may_end.wait(SECONDS)
        yield b"a"
        yield b"b"

    pieces = Pieces(make())

    async def main() -> None:
        application = adapter(streaming(pieces))
        request = scope(b"/", HOST, CHUNKED)
        exchange = Exchange(application, request, bytes(size), b"")
        task = asyncio.create_task(exchange.run())
        while not is_called.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0.01)
        assert not pieces.closed.is_set()
        may_end.set()
        await asyncio.gather(task, return_exceptions=True)
        while application.finished_calls < 1:
            await asyncio.sleep(0.001)
        assert exchange.sent == []

    asyncio.run(main())

    assert pieces.closed.wait(SECONDS)


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No Content")]
)
def test_response_without_a_body_has_none(method: str, status: str) -> None:
    def application(environ: dict[str, Any], start: Start) -> list[bytes]:
        return text(start, b"hello", status)

    exchange = asked(application, method=method)

    assert exchange.content == b""
    assert exchange.sent[0]["headers"] == [(b"Content-Length", b"5")]


def test_stream_is_not_made_for_head() -> None:
    pieces = Pieces(failing())
    exchange = asked(streaming(pieces), method="HEAD")

    assert (exchange.status, exchange.content) == (200, b"")
    assert pieces.closed.is_set()


def test_stream_of_a_known_length_is_sent_whole() -> None:
    """Such as a static file, in pieces of 4 KB."""
    pieces = Pieces(iter([b"a"] * 5))

    def application(environ: dict[str, Any], start: Start) -> Any:
        start("200 OK", [("content-length", "5")])
        return pieces

    exchange = asked(application)

    assert [each.get("body") for each in exchange.sent] == [None, b"aaaaa"]
    assert pieces.closed.is_set()


def test_only_http_is_served() -> None:
    with pytest.raises(NotImplementedError):
        asked(echo, type="lifespan")
