"""Either worker tells at /metrics what both have done, and those before them."""

import re
import socket
from contextlib import closing
from time import monotonic, sleep

import psycopg
import pytest

from tests.live.people import register
from tests.live.server import WORKERS, Server
from tests.live.wire import Answer, request
from tests.settings import METRICS_TOKEN

pytestmark = pytest.mark.live
SCRAPE = request("GET", "/metrics", token=METRICS_TOKEN)
COUNTED = 'taskapi_http_requests_total{method="GET",route="unmatched",status="404"}'
IN_FLIGHT = "taskapi_http_requests_in_flight"
N = 60


def value(answer: Answer, name: str) -> float:
    assert answer.status == 200
    found = re.search(rf"^{re.escape(name)} (.+)$", answer.body.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def told(live: Server, name: str) -> float:
    """What both workers say, which must be the same."""
    answers = [live.ask(SCRAPE) for _ in range(WORKERS)]
    assert len({answer.worker for answer in answers}) == WORKERS
    [one] = {value(answer, name) for answer in answers}
    return one


def spread(live: Server) -> None:
    """N requests, to both workers."""
    asked = [request("GET", "/nothing")] * 6
    answers = [a for _ in range(N // len(asked)) for a in live.race(*asked)]
    assert {answer.status for answer in answers} == {404}
    assert len({answer.worker for answer in answers}) == WORKERS


def test_requests_to_all_workers_are_counted(live: Server) -> None:
    before = told(live, COUNTED)
    spread(live)

    assert told(live, COUNTED) - before == N


def test_what_a_dead_worker_counted_still_counts(live: Server) -> None:
    before = told(live, COUNTED)
    spread(live)
    for index in range(WORKERS):
        live.kill(index)
        live.wait_for_workers()
    assert told(live, COUNTED) - before == N
    spread(live)

    assert told(live, COUNTED) - before == 2 * N


def wait_for_in_flight(live: Server, number: int) -> None:
    deadline = monotonic() + 10
    while value(live.ask(SCRAPE), IN_FLIGHT) != number:
        assert monotonic() < deadline
        sleep(0.02)


def test_requests_of_a_dead_worker_are_not_in_flight(
    live: Server, database: str
) -> None:
    owner, victim = register(live), live.connection(0)
    victim.open()
    assert isinstance(victim.socket, socket.socket)
    with psycopg.connect(database) as connection, closing(victim):
        lock = "SELECT 1 FROM accounts_user WHERE id = %s FOR UPDATE"
        connection.execute(lock, [owner.user_id])
        waiting = request("POST", "/api/tasks", {"title": "?"}, token=owner.access)
        victim.socket.sendall(waiting)
        wait_for_in_flight(live, 2)

        live.kill(0)
        live.wait_for_workers()

        wait_for_in_flight(live, 1)
