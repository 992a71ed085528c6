import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.core.cache import cache
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ResponseError, TimeoutError
from redis.retry import Retry

from taskapi.http.redis import (
    OPEN_SECONDS,
    CircuitBreaker,
    RedisClient,
    circuit_breaker,
)


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
    """Stands in for the network below RedisClient: fails as told, counts the calls."""

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
def client() -> RedisClient:
    return RedisClient()


@pytest.mark.parametrize("failure", [ConnectionError("gone"), TimeoutError("slow")])
def test_open_breaker_refuses_without_asking(
    clock: FakeTime, server: Server, client: RedisClient, failure: Exception
) -> None:
    server.failure = failure
    with pytest.raises(type(failure)):
        client.ping()
    with pytest.raises(ConnectionError, match="failed less than a second ago"):
        client.ping()

    assert server.calls == 1


def test_breaker_stays_open_for_its_time(
    clock: FakeTime, server: Server, client: RedisClient
) -> None:
    circuit_breaker.open()
    clock.now += OPEN_SECONDS - 0.001
    with pytest.raises(ConnectionError):
        client.ping()

    assert server.calls == 0


def test_success_after_its_time_closes_the_breaker(
    clock: FakeTime, server: Server, client: RedisClient
) -> None:
    circuit_breaker.open()
    clock.now += OPEN_SECONDS

    assert [client.ping(), client.ping(), client.ping()] == ["PONG"] * 3


def test_failure_after_its_time_opens_the_breaker_again(
    clock: FakeTime, server: Server, client: RedisClient
) -> None:
    server.failure = ConnectionError("gone")
    circuit_breaker.open()
    clock.now += OPEN_SECONDS
    for _ in range(3):
        with pytest.raises(ConnectionError):
            client.ping()

    assert server.calls == 1


@pytest.mark.usefixtures("clock")
def test_refused_command_does_not_open_the_breaker(
    server: Server, client: RedisClient
) -> None:
    server.failure = ResponseError("wrong type")
    for _ in range(2):
        with pytest.raises(ResponseError):
            client.ping()

    assert server.calls == 2


def test_one_of_many_callers_tries_again(clock: FakeTime) -> None:
    opened = CircuitBreaker()
    opened.open()
    clock.now += OPEN_SECONDS
    together = Barrier(16)

    def ask(_: int) -> bool:
        together.wait()
        return not opened.is_open()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(16)))

    assert sum(answers) == 1


@pytest.fixture
def mute() -> Iterator[Callable[[], RedisClient]]:
    """Clients of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        yield lambda: RedisClient(
            port=port,
            socket_connect_timeout=0.1,
            socket_timeout=0.1,
            retry=Retry(NoBackoff(), 0),
        )


@pytest.mark.usefixtures("clock")
def test_mute_server_is_waited_for_once(mute: Callable[[], RedisClient]) -> None:
    with mute() as first, pytest.raises(TimeoutError):
        first.get("key")

    # Answered by the circuit breaker, and not after another timeout.
    with mute() as second, pytest.raises(ConnectionError, match="less than a second"):
        second.get("key")


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
def test_requests_pass_while_the_breaker_is_open(alice_api: Any) -> None:
    circuit_breaker.open()

    assert alice_api.get("/api/tasks").status_code == 200
    assert (
        alice_api.post("/api/tasks", {"title": "x"}, format="json").status_code == 201
    )
    assert len(alice_api.get("/api/tasks").json()["items"]) == 1


@pytest.mark.usefixtures("clock")
def test_cache_is_guarded_by_the_breaker(settings: Any) -> None:
    if not settings.REDIS_URL:
        pytest.skip("needs Redis")
    cache.set("key", "value")
    circuit_breaker.open()
    assert cache.get("key") is None

    circuit_breaker.close()
    assert cache.get("key") == "value"


@pytest.mark.usefixtures("clock")
def test_script_that_redis_forgot_is_sent_again(settings: Any) -> None:
    """As after a restart of Redis, which is often what opened the breaker."""
    if not settings.REDIS_URL:
        pytest.skip("needs Redis")
    client = RedisClient.from_url(settings.REDIS_URL)
    script = client.register_script(f"return {{KEYS[1], ARGV[1]}} -- {uuid4()}")

    assert script(["key"], [1]) == [b"key", b"1"]
    assert script(["key"], [2]) == [b"key", b"2"]


def test_first_answer_after_a_restart_closes_the_breaker(
    clock: FakeTime, settings: Any
) -> None:
    if not settings.REDIS_URL:
        pytest.skip("needs Redis")
    client = RedisClient.from_url(settings.REDIS_URL)
    circuit_breaker.open()
    clock.now += OPEN_SECONDS
    # Its answer is that it does not know the script.
    script = client.register_script(f"return 1 -- {uuid4()}")

    assert script() == 1


def test_restarted_redis_is_asked_by_new_connections(settings: Any) -> None:
    if not settings.REDIS_URL:
        pytest.skip("needs Redis")
    name = f"own-{uuid4()}"
    client = RedisClient.from_url(
        settings.REDIS_URL, client_name=name, retry=Retry(NoBackoff(), 0)
    )
    other = redis.Redis.from_url(settings.REDIS_URL)
    client.ping()
    [ours] = [each for each in other.client_list() if each["name"] == name]
    other.client_kill_filter(_id=ours["id"])
    circuit_breaker.close()

    # The pool notices that the server closed the connection.
    assert client.ping()
