"""How the server ends, how its workers are replaced, and what they are bound to."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.live.gunicorn import SECONDS, THREADS, Gunicorn, ask_on
from tests.live.server import is_alive

pytestmark = pytest.mark.live
TIMEOUT_SECONDS = 2
Start = Callable[..., Gunicorn]
clients = ThreadPoolExecutor(16)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(*options: str, **variables: str) -> Gunicorn:
            server = Gunicorn(tmp_path, *options, **variables)
            return stack.enter_context(closing(server))

        yield start


def asking(server: Gunicorn, milliseconds: int) -> Any:
    """A request that takes so long, once it has begun."""
    answer = clients.submit(server.ask, milliseconds)
    time.sleep(0.3)
    return answer


def test_running_request_is_answered_before_the_end(start: Start) -> None:
    server = start()
    worker = server.worker()
    answer = asking(server, 2000)

    server.process.send_signal(signal.SIGTERM)

    assert answer.result() == worker
    assert server.process.wait(SECONDS) == 0


def test_idle_connections_do_not_hold_up_the_end(start: Start) -> None:
    server = start()
    with closing(server.client()) as used, closing(server.connect()):
        ask_on(used)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(SECONDS) == 0
        assert time.monotonic() - started < 15  # gunicorn alone: graceful_timeout, 30


@pytest.mark.parametrize(
    "variables", [{}, {"DRAIN_SECONDS": "2"}], ids=["now", "drain"]
)
def test_kept_connections_are_closed_with_a_response(
    start: Start, variables: dict[str, str]
) -> None:
    """Whoever sends while the server stops is answered, and told to go elsewhere."""
    server = start(**variables)
    with closing(server.client()) as kept:
        ask_on(kept)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)

        kept.request("GET", "/a")

        response = kept.getresponse()
        assert (response.status, response.headers["Connection"]) == (200, "close")
        assert response.headers["Keep-Alive"] is None
        assert response.read() == b"/a"
    assert server.process.wait(SECONDS) == 0


def test_request_that_does_not_end_is_given_up(start: Start) -> None:
    server = start("--graceful-timeout", "1")
    answer = asking(server, 15_000)

    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(10) == 0
    with pytest.raises(ConnectionError):
        answer.result()


def test_quick_stop_does_not_wait(start: Start) -> None:
    server = start()
    answer = asking(server, 15_000)

    server.process.send_signal(signal.SIGQUIT)

    assert server.process.wait(10) == 0
    with pytest.raises(ConnectionError):
        answer.result()


def test_killed_worker_is_replaced(start: Start) -> None:
    server = start()
    worker = server.worker()
    os.kill(worker, signal.SIGKILL)

    assert server.ask() != worker


def test_reload_replaces_the_workers_without_losing_a_request(start: Start) -> None:
    server = start()
    worker = server.worker()
    with closing(server.client()) as kept:
        ask_on(kept)
        server.process.send_signal(signal.SIGHUP)
        pids = {worker}
        deadline = time.monotonic() + SECONDS
        while is_alive(worker):
            assert time.monotonic() < deadline
            # One that was closed with its last response is opened again.
            pids.add(ask_on(kept))

    assert len(pids | {server.ask()}) == 2


@pytest.mark.full
def test_worker_is_replaced_when_every_thread_is_stuck(start: Start) -> None:
    server = start("--timeout", str(TIMEOUT_SECONDS))
    worker = server.worker()
    stuck = [asking(server, 30_000)]
    # With a thread left it serves, however long this lasts.
    until = time.monotonic() + 2 * TIMEOUT_SECONDS
    while time.monotonic() < until:
        assert server.ask() == worker
        time.sleep(0.05)

    stuck += [asking(server, 30_000) for _ in range(THREADS - 1)]

    for each in stuck:
        with pytest.raises(ConnectionError):
            each.result()
    assert server.ask() != worker


def rest_and_post(server: Gunicorn, seconds: float) -> tuple[int, bytes]:
    with closing(server.client()) as client:
        ask_on(client)
        time.sleep(seconds)
        assert client.sock  # the server has not said that it closes
        client.sock.settimeout(SECONDS)
        client.request("POST", "/a", b"b")
        response = client.getresponse()
        return response.status, response.read()


@pytest.mark.full
def test_connection_works_until_the_announced_time(start: Start) -> None:
    """0 of 200 requests are lost on connections that rested for just under it."""
    server = start(KEEPALIVE_SECONDS="3")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: rest_and_post(server, 2.95), range(200)))

    assert answers == [(200, b"/ab")] * 200


def cores_of(pid: int) -> set[int]:
    return os.sched_getaffinity(pid)


def workers_of(server: Gunicorn) -> set[int]:
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(server.client())) for _ in range(30)]
        return {ask_on(client) for client in clients}


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="there is no second core",
)
class TestPinning:
    @pytest.fixture
    def two(self) -> dict[str, str]:
        # Never asked: what is served here counts nothing.
        return {"WEB_CONCURRENCY": "2", "REDIS_URL": "redis://127.0.0.1:1"}

    def wait_for(self, server: Gunicorn, is_so: Callable[[set[int]], bool]) -> set[int]:
        deadline = time.monotonic() + SECONDS
        while not is_so(pids := workers_of(server)):
            assert time.monotonic() < deadline
        return pids

    def test_each_worker_has_a_core(self, start: Start, two: dict[str, str]) -> None:
        server = start(**two)
        pids = self.wait_for(server, lambda pids: len(pids) == 2)

        cores = [cores_of(pid) for pid in pids]
        assert [len(each) for each in cores] == [1, 1]
        assert cores[0] != cores[1]
        # The master has them all, for those that it starts later.
        assert len(cores_of(server.process.pid)) >= 2

    def test_new_worker_takes_the_free_core(
        self, start: Start, two: dict[str, str]
    ) -> None:
        server = start(**two)
        pids = self.wait_for(server, lambda pids: len(pids) == 2)
        before = {pid: cores_of(pid) for pid in pids}
        victim = pids.pop()
        os.kill(victim, signal.SIGKILL)
        after = self.wait_for(server, lambda now: len(now - {victim}) == 2)

        [new] = after - pids - {victim}
        assert cores_of(new) == before[victim]

    def test_pinning_can_be_turned_off(self, start: Start) -> None:
        server = start(WORKER_CPU_PINNING="false")

        assert cores_of(server.worker()) == os.sched_getaffinity(0)


class OtherWorker(Gunicorn):
    application = "taskapi.wsgi"


def test_wsgi_application_runs_under_another_worker(tmp_path: Path) -> None:
    settings = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    server = OtherWorker(tmp_path, "--worker-class", "gthread", **settings)
    with closing(server), closing(server.client()) as client:
        for method, path, body, expected in (
            ("GET", "/livez", None, 200),
            ("HEAD", "/livez", None, 200),
            ("GET", "/nothing", None, 404),
            ("GET", "/api/tasks", None, 401),
            ("POST", "/api/auth/login", b"{", 400),
            ("POST", "/api/auth/login", iter([b"{}"]), 400),
        ):
            client.request(method, path, body, {"Content-Type": "application/json"})
            response = client.getresponse()
            assert response.status == expected
            assert response.headers["X-Request-Id"]
            content = json.loads(response.read() or b"{}")
            assert (expected < 400) or content["error"]["message"]
    assert "Using worker: gthread" in server.log.read_text()
