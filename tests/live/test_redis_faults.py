"""Redis may fail in any way: answers stay right, and nearly as quick as ever."""

from collections.abc import Callable, Iterator
from statistics import median
from time import monotonic, sleep

import pytest

from tests.live.faults import SLOW_SECONDS, FaultProxy
from tests.live.people import Tokens, make_task, patch_request, register
from tests.live.race import race, rounds
from tests.live.server import WORKERS, Server
from tests.live.wire import Answer, request

pytestmark = pytest.mark.live
Record = Callable[[str], None]
# Three calls to Redis, each cut off after 0.2 s, would be more than this.
FIRST_SECONDS = 0.5
# What a list may take besides; the machine that runs this may be busy.
NOISE_SECONDS = 0.05
# And the slowest of several.
BUSY_SECONDS = 0.5
RECOVERY_SECONDS = 3.0


@pytest.fixture
def owner(live: Server) -> Tokens:
    return register(live)


@pytest.fixture(autouse=True)
def _calm(fragile: Server, empty_fragile_redis: Callable[[], None]) -> Iterator[None]:
    """Redis is seen to be well before each test, and nothing failed in it."""
    wait_for_cache(fragile, "ok")
    yield
    assert fragile.failures() == []


def wait_for_cache(fragile: Server, state: str) -> None:
    """Until every worker says so."""
    deadline = monotonic() + RECOVERY_SECONDS
    health = request("GET", "/health")
    while {c.ask(health).json["cache"] for c in fragile.crowd(WORKERS)} != {state}:
        assert monotonic() < deadline
        sleep(0.02)


def list_request(owner: Tokens) -> bytes:
    return request("GET", "/api/tasks", token=owner.access)


def shown(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [item["title"] for item in answer.json["items"]]


def write_and_look(fragile: Server, owner: Tokens, task: str, number: int) -> None:
    """A write by one worker; then all show it, asked twice, the cache being warm."""
    title = f"Title {number}"
    assert fragile.ask(patch_request(owner, task, {"title": title})).status == 200
    for connection in fragile.crowd(WORKERS) * 2:
        assert shown(connection.ask(list_request(owner))) == [title]


def list_seconds(fragile: Server, owner: Tokens, count: int = 20) -> list[float]:
    """How long so many lists took, by the workers in turn."""
    return [fragile.ask(list_request(owner)).seconds for _ in range(count)]


@pytest.mark.parametrize("fault", ["mute", "refuse", "reset"])
def test_lists_stay_true_and_quick_while_redis_fails(
    fragile: Server,
    owner: Tokens,
    redis_proxy: FaultProxy,
    record: Record,
    fault: str,
) -> None:
    task = make_task(fragile, owner, title="Before")["id"]
    usual = median(list_seconds(fragile, owner))

    redis_proxy.become(fault)
    first = max(c.ask(list_request(owner)).seconds for c in fragile.crowd(WORKERS))
    during = list_seconds(fragile, owner)
    for number in rounds():
        write_and_look(fragile, owner, task, number)
    redis_proxy.become("ok")
    wait_for_cache(fragile, "ok")
    after = median(list_seconds(fragile, owner))

    assert first < FIRST_SECONDS + NOISE_SECONDS
    assert max(during) < FIRST_SECONDS + NOISE_SECONDS
    assert median(during) < 2 * usual + NOISE_SECONDS
    assert after < 2 * usual + NOISE_SECONDS
    times = [usual, first, median(during), after]
    record("usual, first, during, after: " + ", ".join(f"{t:.4f}" for t in times))


def test_slow_redis_costs_its_delay_and_no_more(
    fragile: Server, owner: Tokens, redis_proxy: FaultProxy, record: Record
) -> None:
    task = make_task(fragile, owner, title="Before")["id"]
    redis_proxy.become("slow")

    times = list_seconds(fragile, owner, 6)
    write_and_look(fragile, owner, task, 1)

    # The limit, the cached list, and the list that is put there.
    assert median(times) < 3 * SLOW_SECONDS + 2 * NOISE_SECONDS
    assert max(times) < 3 * SLOW_SECONDS + BUSY_SECONDS
    record(
        f"{SLOW_SECONDS:.3f} a call, lists {median(times):.4f}, max {max(times):.4f}"
    )


def test_lists_stay_true_while_redis_comes_and_goes(
    fragile: Server, owner: Tokens, redis_proxy: FaultProxy, record: Record
) -> None:
    task = make_task(fragile, owner, title="Before")["id"]
    done = 0
    for _ in rounds(0.5, most=50):
        for fault in ("mute", "ok", "reset", "ok", "refuse", "ok", "slow", "ok"):
            redis_proxy.become(fault)
            write_and_look(fragile, owner, task, done)
            done += 1
    record(f"{done} faults and recoveries, a write and 4 lists in each, 0 stale")


def test_lists_stay_true_while_redis_is_emptied(
    fragile: Server,
    owner: Tokens,
    empty_fragile_redis: Callable[[], None],
    record: Record,
) -> None:
    task = make_task(fragile, owner, title="Before")["id"]
    done = 0
    for number in rounds(3):
        patch = patch_request(owner, task, {"title": f"Title {number}"})
        looks = fragile.lanes(patch, *[list_request(owner)] * 4)
        patched, *_looks, _empty = race(*looks, empty_fragile_redis)

        assert patched.status == 200
        for connection in fragile.crowd(WORKERS):
            assert shown(connection.ask(list_request(owner))) == [f"Title {number}"]
        done += 1
    record(f"{done} writes, lists and losses at once, 0 stale")


def test_health_tells_of_redis_and_stays_up(
    fragile: Server, redis_proxy: FaultProxy
) -> None:
    redis_proxy.become("refuse")

    wait_for_cache(fragile, "down")
    for path in ("/health", "/readyz"):
        answer = fragile.ask(request("GET", path))
        assert answer.status == 200
        assert answer.json == {"status": "ok", "database": "ok", "cache": "down"}
