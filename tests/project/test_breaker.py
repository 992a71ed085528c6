import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import hiredis
import pytest
import redis
from django.core.cache import cache
from prometheus_client import CollectorRegistry, Counter
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ResponseError, TimeoutError
from redis.retry import Retry

from taskapi.http.redis import OPEN_SECONDS, Breaker, BreakerRedis, breaker

PROMPTLY = 0.05


class FakeTime:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr("taskapi.http.redis.time", clock)
    return clock


class Server:
    """Stands in for the network below BreakerRedis: fails as told, counts the calls."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.calls = 0

    def execute_command(self, *args: Any, **options: Any) -> str:
        self.calls += 1
        if self.failure:
            raise self.failure
        return "PONG"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(redis.Redis, "execute_command", server.execute_command)
    return server


@pytest.fixture
def client() -> BreakerRedis:
    return BreakerRedis()


@pytest.mark.parametrize("failure", [ConnectionError("gone"), TimeoutError("slow")])
def test_open_breaker_refuses_without_asking(
    clock: FakeTime, server: Server, client: BreakerRedis, failure: Exception
) -> None:
    server.failure = failure
    with pytest.raises(type(failure)):
        client.ping()
    with pytest.raises(ConnectionError, match="did not answer a moment ago"):
        client.ping()

    assert server.calls == 1


def test_breaker_stays_open_for_its_time(
    clock: FakeTime, server: Server, client: BreakerRedis
) -> None:
    breaker.trip()
    clock.now += OPEN_SECONDS - 0.001
    with pytest.raises(ConnectionError):
        client.ping()

    assert server.calls == 0


def test_success_after_its_time_closes_the_breaker(
    clock: FakeTime, server: Server, client: BreakerRedis
) -> None:
    breaker.trip()
    clock.now += OPEN_SECONDS

    assert [client.ping(), client.ping(), client.ping()] == ["PONG"] * 3


def test_failure_after_its_time_opens_the_breaker_again(
    clock: FakeTime, server: Server, client: BreakerRedis
) -> None:
    server.failure = ConnectionError("gone")
    breaker.trip()
    clock.now += OPEN_SECONDS
    for _ in range(3):
        with pytest.raises(ConnectionError):
            client.ping()

    assert server.calls == 1


@pytest.mark.usefixtures("clock")
def test_refused_command_does_not_open_the_breaker(
    server: Server, client: BreakerRedis
) -> None:
    server.failure = ResponseError("wrong type")
    for _ in range(2):
        with pytest.raises(ResponseError):
            client.ping()

    assert server.calls == 2


def test_one_of_many_callers_tries_again(clock: FakeTime) -> None:
    tripped = Breaker()
    tripped.trip()
    clock.now += OPEN_SECONDS
    together = Barrier(16)

    def ask(_: int) -> bool:
        together.wait()
        return tripped.allows()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))

    assert sum(answers) == 1


@pytest.fixture
def mute() -> Iterator[Callable[[], BreakerRedis]]:
    """Clients of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        yield lambda: BreakerRedis(
            port=port,
            socket_connect_timeout=0.1,
            socket_timeout=0.1,
            retry=Retry(NoBackoff(), 0),
        )


def test_mute_server_is_waited_for_once(mute: Callable[[], BreakerRedis]) -> None:
    with mute() as first, pytest.raises(TimeoutError):
        first.get("key")
    started = time.monotonic()
    with mute() as second, pytest.raises(ConnectionError):
        second.get("key")

    assert time.monotonic() - started < PROMPTLY


@pytest.mark.django_db
def test_requests_pass_while_the_breaker_is_open(alice_api: Any) -> None:
    breaker.trip()

    assert alice_api.get("/api/tasks").status_code == 200
    assert (
        alice_api.post("/api/tasks", {"title": "x"}, format="json").status_code == 201
    )
    assert len(alice_api.get("/api/tasks").json()["items"]) == 1


def test_cache_is_guarded_by_the_breaker(settings: Any) -> None:
    if not settings.REDIS_URL:
        pytest.skip("needs Redis")
    cache.set("key", "value")
    breaker.trip()
    assert cache.get("key") is None

    breaker.reset()
    assert cache.get("key") == "value"


@pytest.fixture
def own(settings: Any) -> BreakerRedis:
    """A client of the real server, with a connection of its own that was used."""
    if not settings.REDIS_URL:
        pytest.skip("needs Redis")
    client = BreakerRedis.from_url(settings.REDIS_URL, client_name="own")
    client.script_load(ECHO)
    assert client.run_script(ECHO, ["key"], 1) == [b"key", b"1"]
    return client


ECHO = "return {KEYS[1], ARGV[1]}"


def test_script_runs_though_redis_forgot_it(
    own: BreakerRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.script_flush()
    monkeypatch.setattr("taskapi.http.redis.CACHE_ERRORS", None)

    assert own.run_script(ECHO, ["key"], 2) == [b"key", b"2"]
    assert breaker.allows()


def test_own_connection_that_redis_ended_is_replaced(own: BreakerRedis) -> None:
    [before] = own_connections(own)
    own.client_kill_filter(_id=before)

    assert own.run_script(ECHO, ["key"], 2) == [b"key", b"2"]
    assert own_connections(own) != [before]


def test_process_uses_no_connection_of_its_parent(
    own: BreakerRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(parents, _)] = own.free
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert own.run_script(ECHO, ["key"], 2) == [b"key", b"2"]
    assert parents not in [line for line, _ in own.free]


def test_own_connection_with_an_unread_answer_is_replaced(own: BreakerRedis) -> None:
    line = own.line()
    line.send_command("PING")
    while not line.can_read():
        pass
    own.free.append((line, False))

    assert own.run_script(ECHO, ["key"], 2) == [b"key", b"2"]


def test_threads_share_no_connection(own: BreakerRedis) -> None:
    together = Barrier(4)

    def ask(number: int) -> bool:
        together.wait()
        answers = [own.run_script(ECHO, ["key"], number) for _ in range(100)]
        return answers == [[b"key", b"%d" % number]] * 100

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(4)))
    assert len(own_connections(own)) >= 1


def test_failed_script_opens_the_breaker(mute: Callable[[], BreakerRedis]) -> None:
    with mute() as first, pytest.raises(TimeoutError):
        first.run_script(ECHO, ["key"], 1)
    started = time.monotonic()
    with mute() as second, pytest.raises(ConnectionError):
        second.run_script(ECHO, ["key"], 1)

    assert time.monotonic() - started < PROMPTLY


class Restricted:
    """A server that takes its time, and knows no command but these two."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.set = b"+OK\r\n"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=[connection], daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with connection:
            reader = hiredis.Reader(encoding="utf-8")
            while data := connection.recv(65536):
                reader.feed(data)
                while command := reader.gets():
                    time.sleep(0.03)
                    connection.sendall(self.answer_to(*command))

    def answer_to(self, name: str, *arguments: str) -> bytes:
        if name == "SET":
            return self.set
        if name == "EVALSHA":
            return b"$%d\r\n%b\r\n" % (len(arguments[-1]), arguments[-1].encode())
        return b"-ERR unknown command\r\n"


@pytest.fixture
def restricted() -> Iterator[tuple[Restricted, BreakerRedis]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        retry = Retry(NoBackoff(), 0)
        client = BreakerRedis(port=port, protocol=2, socket_timeout=5, retry=retry)
        yield Restricted(listener), client
        client.free.clear()


def test_nobody_gets_the_answer_to_somebody_elses_command(
    restricted: tuple[Restricted, BreakerRedis],
) -> None:
    _, client = restricted
    client.set_unawaited("key", b"value", 60)

    assert [client.run_script(ECHO, [], n) for n in "abc"] == [b"a", b"b", b"c"]


def test_refusal_that_nobody_waited_for_is_counted(
    restricted: tuple[Restricted, BreakerRedis], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = restricted
    server.set = b"-OOM command not allowed\r\n"
    errors = Counter("errors", "Errors.", registry=CollectorRegistry())
    monkeypatch.setattr("taskapi.http.redis.CACHE_ERRORS", errors)
    client.set_unawaited("key", b"value", 60)

    assert client.run_script(ECHO, [], "a") == b"a"
    [counted] = errors.collect()
    assert counted.samples[0].value == 1


def test_values_that_nobody_waited_for_are_there(own: BreakerRedis) -> None:
    for value in (b"1", b"2", b"3"):
        own.set_unawaited("unawaited", value, 60)
        assert own.run_script(READ, ["unawaited"]) == value


def test_failure_forgets_all_connections_of_its_own(
    own: BreakerRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [own.line() for _ in range(3)]
    own.free.extend((line, False) for line in lines)
    with monkeypatch.context() as broken:
        broken.setattr(lines[-1], "read_response", raising(TimeoutError("slow")))
        with pytest.raises(TimeoutError):
            own.run_script(ECHO, ["key"], 1)

    assert own.free == []


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*args: Any, **options: Any) -> Any:
        raise error

    return fail


READ = "return redis.call('GET', KEYS[1])"


def own_connections(client: BreakerRedis) -> list[int]:
    """Of this thread and others, without the pool's."""
    found: Any = client.client_list()
    own = [each for each in found if each["name"] == "own" and "eval" in each["cmd"]]
    return [int(each["id"]) for each in own]
