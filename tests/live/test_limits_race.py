"""Limits hold to the request, however many arrive at once, on both workers."""

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial

import pytest

from tests.live.faults import FaultProxy
from tests.live.people import login, login_request, refresh_request, register
from tests.live.race import race, rounds
from tests.live.server import WORKERS, Server
from tests.live.wire import LIVEZ, Answer

pytestmark = pytest.mark.live
Record = Callable[[str], None]
AT_ONCE = 64
LIMIT = 10


def passed(answers: list[Answer], status: int) -> int:
    """How many were let through, all others being told when to come again."""
    outcomes = Counter(a.status for a in answers)
    assert outcomes.keys() <= {status, 429}, outcomes
    for answer in answers:
        if answer.status == 429:
            assert answer.json["error"]["code"] == "RATE_LIMITED"
            assert 1 <= int(answer.headers["Retry-After"]) <= 15 * 60
    return outcomes[status]


def guesses(name: str) -> list[bytes]:
    """Wrong passwords for as many accounts, so that only the address is the same."""
    return [
        login_request(f"{name}{n}@example.com", "wrong horse") for n in range(AT_ONCE)
    ]


def test_ten_of_sixty_four_guesses_pass(
    limited: Server, empty_limited_redis: Callable[[], None], record: Record
) -> None:
    done = 0
    for number in rounds(0.5):
        empty_limited_redis()

        assert passed(limited.race(*guesses(f"guess{number}.")), 401) == LIMIT
        done += 1
    record(f"{done} rounds of {AT_ONCE}, {LIMIT} passed in each")


def test_forged_addresses_do_not_help(
    limited: Server, empty_limited_redis: Callable[[], None], record: Record
) -> None:
    done = 0
    for number in rounds(0.5):
        empty_limited_redis()
        forged = []
        for n in range(AT_ONCE):
            address = f"10.{number % 250}.{n}.1"
            headers = {
                "X_Forwarded_For": address,
                "X_Real_IP": address,
                "Forwarded": f"for={address}",
            }
            email = f"forged{n}@example.com"
            forged.append(login_request(email, "wrong horse", **headers))

        assert passed(limited.race(*forged), 401) == LIMIT
        done += 1
    record(f"{done} rounds of {AT_ONCE} addresses, {LIMIT} passed in each")


@pytest.mark.skipif(sys.platform != "linux", reason="only 127.0.0.1 is local there")
def test_ten_guesses_at_one_account_pass_from_many_addresses(
    limited: Server, empty_limited_redis: Callable[[], None], record: Record
) -> None:
    done = 0
    guess = login_request("nobody@example.com", "wrong horse")
    with ExitStack() as stack:
        connections = [
            stack.enter_context(
                closing(limited.connection(n, source=f"127.0.0.{2 + n % 8}"))
            )
            for n in range(AT_ONCE)
        ]
        for _ in rounds(0.5):
            for connection in connections:
                connection.open()
            empty_limited_redis()

            answers = race(*[partial(c.ask, guess) for c in connections])

            assert passed(answers, 401) == LIMIT
            done += 1
    record(f"{done} rounds of {AT_ONCE} from 8 addresses, {LIMIT} passed in each")


@pytest.mark.usefixtures("empty_limited_redis")
def test_ten_of_sixty_four_refreshes_of_a_session_pass(
    live: Server, limited: Server, record: Record
) -> None:
    email = register(live).email
    done = 0
    for _ in rounds(0.5):
        refresh = refresh_request(login(live, email).refresh)

        answers = limited.race(*[refresh] * AT_ONCE)

        assert passed(answers, 200) == LIMIT
        assert len({a.json["refreshToken"] for a in answers if a.status == 200}) == 1
        done += 1
    record(f"{done} rounds of {AT_ONCE}, {LIMIT} passed in each, one successor")


@pytest.mark.parametrize("fault", ["mute", "refuse"])
@pytest.mark.usefixtures("empty_fragile_redis")
def test_each_worker_keeps_the_limit_without_redis(
    live: Server, fragile: Server, redis_proxy: FaultProxy, record: Record, fault: str
) -> None:
    email = register(live).email
    counted = Counter[int]()
    redis_proxy.become(fault)
    for _ in rounds(0.3):
        refresh = refresh_request(login(live, email).refresh)

        let_through = passed(fragile.race(*[refresh] * AT_ONCE), 200)

        assert LIMIT <= let_through <= WORKERS * LIMIT
        counted[let_through] += 1
    assert fragile.failures() == []
    record(f"passed of {AT_ONCE}, and how often: {dict(counted)}")


@pytest.mark.usefixtures("empty_fragile_redis")
def test_guesses_stay_limited_while_redis_goes_away(
    fragile: Server, redis_proxy: FaultProxy, record: Record
) -> None:
    let_through = passed(fragile.race(*guesses("before")), 401)
    for fault in ("mute", "reset", "refuse"):
        redis_proxy.become(fault)
        let_through += passed(fragile.race(*guesses(fault)), 401)

    assert fragile.failures() == []
    # Ten by Redis, and ten by each worker for as long as it is away.
    assert let_through <= LIMIT + WORKERS * LIMIT
    record(f"{let_through} of {4 * AT_ONCE} passed, over three faults")


def test_connections_reach_both_workers(fragile: Server) -> None:
    """What the others rest on: a race is a race between processes."""
    workers = Counter(c.ask(LIVEZ).worker for c in fragile.crowd(AT_ONCE))

    assert list(workers.values()) == [AT_ONCE / WORKERS] * WORKERS
