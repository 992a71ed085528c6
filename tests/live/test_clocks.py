"""Two replicas on one database and one Redis, whose clocks are apart."""

import time
from collections.abc import Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.live.conftest import environment
from tests.live.people import (
    Tokens,
    login,
    logout_request,
    make_task,
    me_request,
    read_task,
    refresh_request,
    register,
)
from tests.live.server import Server
from tests.live.wire import LIVEZ, request

pytestmark = [pytest.mark.live, pytest.mark.full]
Pair = tuple[Server, Server]
GRACE_SECONDS = 3


@pytest.fixture(scope="module", params=[1, 20, 30])
def seconds(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def pair(database: str, folder: Path, seconds: int) -> Iterator[Pair]:
    """One of them is behind, the other is ahead."""
    about = environment(database) | {"REFRESH_GRACE_SECONDS": str(GRACE_SECONDS)}
    ahead = about | {"LIVE_CLOCK_SECONDS": str(seconds)}
    with closing(Server(folder, about)) as one, closing(Server(folder, ahead)) as two:
        yield one, two


@pytest.fixture(params=["made by the one ahead", "made by the one behind"])
def order(request: pytest.FixtureRequest, pair: Pair) -> Iterator[Pair]:
    """Who makes tokens, and who gets them; nothing may fail."""
    behind, ahead = pair
    for server in pair:
        server.failures()
    yield (ahead, behind) if request.param == "made by the one ahead" else pair
    assert behind.failures() + ahead.failures() == []


def test_clocks_are_apart(pair: Pair, seconds: int) -> None:
    dates = [
        parsedate_to_datetime(server.ask(LIVEZ).headers["Date"]) for server in pair
    ]
    apart = (dates[1] - dates[0]).total_seconds()

    assert seconds - 1 <= apart < seconds + 5
    assert abs(dates[0].timestamp() - time.time()) < 5


def test_fresh_token_is_good_at_the_other_replica(order: Pair) -> None:
    maker, other = order
    tokens = register(maker)

    assert other.ask(me_request(tokens.access)).status == 200
    task = make_task(other, tokens)
    assert read_task(maker, tokens, task["id"]) == task


def test_token_is_refreshed_and_its_replay_found_across_replicas(order: Pair) -> None:
    maker, other = order
    first = register(maker)

    second = Tokens.of(other.ask(refresh_request(first.refresh)))
    third = Tokens.of(maker.ask(refresh_request(second.refresh)))

    assert other.ask(me_request(third.access)).status == 200
    assert other.ask(refresh_request(first.refresh)).status == 401
    assert maker.ask(me_request(third.access)).status == 401


def test_repeated_refresh_gets_the_same_successor_from_any_replica(order: Pair) -> None:
    maker, other = order
    first = register(maker)

    second = Tokens.of(other.ask(refresh_request(first.refresh)))
    again = [Tokens.of(each.ask(refresh_request(first.refresh))) for each in order]

    assert [each.refresh for each in again] == [second.refresh] * 2
    assert maker.ask(me_request(again[0].access)).status == 200


def test_refresh_repeated_after_the_grace_ends_the_session(order: Pair) -> None:
    maker, other = order
    first = register(maker)

    second = Tokens.of(other.ask(refresh_request(first.refresh)))
    time.sleep(GRACE_SECONDS + 0.1)

    assert maker.ask(refresh_request(first.refresh)).status == 401
    assert other.ask(me_request(second.access)).status == 401


def test_login_and_logout_hold_at_both(order: Pair) -> None:
    maker, other = order
    tokens = login(other, register(maker).email)

    assert maker.ask(me_request(tokens.access)).status == 200
    assert other.ask(logout_request(tokens.refresh)).status == 204
    assert maker.ask(me_request(tokens.access)).status == 401


def test_idempotency_key_is_replayed_by_the_other_replica(order: Pair) -> None:
    maker, other = order
    tokens = register(maker)
    message = request(
        "POST",
        "/api/tasks",
        {"title": "Once"},
        token=tokens.access,
        Idempotency_Key="k",
    )

    first, second = maker.ask(message), other.ask(message)

    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert second.headers["Idempotency-Replayed"] == "true"
