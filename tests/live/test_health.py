"""A database that goes away, and comes back."""

import re
from collections import Counter
from collections.abc import Callable
from time import monotonic, sleep

import pytest

from taskapi.http.health import MOST_SECONDS_OLD
from tests.factories import PASSWORD
from tests.live.faults import FaultProxy
from tests.live.people import Tokens, login_request, make_task, register
from tests.live.race import rounds
from tests.live.server import WORKERS, Server
from tests.live.wire import Answer, request

pytestmark = [pytest.mark.live, pytest.mark.full]
Record = Callable[[str], None]
ANSWER_SECONDS = 2.0
BACK_SECONDS = 1.5
# Whoever tries again 1, 3 and 7 seconds after a failure comes 2 seconds late.
OUTAGE_SECONDS = 4.8
NOISE_SECONDS = 0.5
LEAKS = re.compile(rb"Traceback|psycopg|django|File |SELECT|connection to|127\.0\.0")


@pytest.fixture
def owner(live: Server) -> Tokens:
    return register(live)


def assert_unavailable(answer: Answer) -> None:
    """503 in the one error shape, soon, and with no word about what is behind it."""
    assert answer.status == 503, answer.body
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "error": {
            "code": "SERVICE_UNAVAILABLE",
            "message": "The database does not answer; try again.",
        },
        "requestId": answer.headers["X-Request-Id"],
    }
    assert not LEAKS.search(answer.body)
    assert answer.seconds < ANSWER_SECONDS + NOISE_SECONDS


def calls(owner: Tokens) -> list[bytes]:
    """One of each kind, twice: as many as there are threads."""
    token = owner.access
    return [
        request("GET", "/api/tasks", token=token),
        request("POST", "/api/tasks", {"title": "Lost?"}, token=token),
        request("POST", "/api/tasks", {"title": "?"}, token=token, Idempotency_Key="k"),
        request("GET", "/api/auth/me", token=token),
        request("POST", "/api/auth/refresh", {"refreshToken": owner.refresh}),
        login_request(owner.email, PASSWORD),
        request("GET", "/api/tasks/stats", token=token),
        request("GET", "/api/auth/me/export", token=token),
    ] * 2


def seconds_until_ready(fragile: Server) -> float:
    """How long it takes until both workers have found the database again."""
    started = monotonic()
    probe = [request("GET", "/readyz")] * WORKERS
    while {answer.status for answer in fragile.race(*probe)} != {200}:
        assert monotonic() - started < 30
        sleep(0.02)
    return monotonic() - started


@pytest.mark.parametrize("fault", ["refuse", "reset"])
@pytest.mark.usefixtures("empty_fragile_redis")
def test_calls_say_so_while_the_database_is_away(
    fragile: Server,
    owner: Tokens,
    postgres_proxy: FaultProxy,
    record: Record,
    fault: str,
) -> None:
    task = make_task(fragile, owner)
    postgres_proxy.become(fault)

    answers = fragile.race(*calls(owner))

    postgres_proxy.become("ok")
    for answer in answers:
        assert_unavailable(answer)
    seconds_until_ready(fragile)
    listed = fragile.ask(request("GET", "/api/tasks", token=owner.access))
    assert [item["id"] for item in listed.json["items"]] == [task["id"]]
    slowest = max(answer.seconds for answer in answers)
    record(f"{len(answers)} answers 503, slowest {slowest:.2f} s")


@pytest.mark.usefixtures("empty_fragile_redis")
def test_database_is_found_again_at_once(
    fragile: Server, owner: Tokens, postgres_proxy: FaultProxy, record: Record
) -> None:
    """Nobody waits longer after each try, and is away about as long again."""
    ends = monotonic() + OUTAGE_SECONDS
    postgres_proxy.become("refuse")
    fragile.race(*calls(owner))  # so that every connection is found to be broken
    sleep(ends - monotonic())
    postgres_proxy.become("ok")

    seconds = seconds_until_ready(fragile)

    assert seconds < BACK_SECONDS
    record(f"{seconds:.2f} s after {OUTAGE_SECONDS} s")


@pytest.mark.parametrize("fault", ["refuse", "reset", "mute"])
def test_probes_tell_that_the_database_is_away(
    fragile: Server, postgres_proxy: FaultProxy, record: Record, fault: str
) -> None:
    postgres_proxy.become(fault)
    sleep(MOST_SECONDS_OLD + 0.1)  # what was found before may be told until then
    paths = ["/health", "/readyz", "/livez"]

    # Each by each worker.
    answers = fragile.race(
        *[request("GET", path) for path in paths for _ in range(WORKERS)]
    )
    alive = [answers.pop() for _ in range(WORKERS)]

    postgres_proxy.become("ok")
    for answer in answers:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json == {"status": "down", "database": "down", "cache": "ok"}
        assert answer.seconds < ANSWER_SECONDS
    for answer in alive:
        assert (answer.status, answer.json) == (200, {"status": "ok"})
        assert answer.seconds < NOISE_SECONDS
    seconds = seconds_until_ready(fragile)
    slowest = max(answer.seconds for answer in answers)
    record(f"slowest {slowest:.2f} s; back in {seconds:.2f} s")


def test_connections_that_broke_meanwhile_fail_no_request(
    fragile: Server, owner: Tokens, postgres_proxy: FaultProxy, record: Record
) -> None:
    """The database restarts between requests: the threads' connections are all dead."""
    outcomes = Counter[int]()
    asked = [request("GET", "/api/tasks", token=owner.access)] * 16
    for _ in rounds(0.5, most=50):
        fragile.race(*asked)  # so that the threads have connections
        postgres_proxy.become("reset")
        postgres_proxy.become("ok")

        outcomes.update(answer.status for answer in fragile.race(*asked))
    assert outcomes.keys() == {200}
    assert fragile.failures() == []
    record(f"{outcomes.total()} requests right after a restart: {dict(outcomes)}")
