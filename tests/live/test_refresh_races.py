"""One refresh token, many hands: T1 to T5 of the session rules over real HTTP."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from accounts.models import User
from tests.factories import PASSWORD
from tests.live.people import (
    Tokens,
    login,
    logout_request,
    me_request,
    refresh_request,
    register,
)
from tests.live.race import STAGGER_SECONDS, race, rounds
from tests.live.server import Server
from tests.live.wire import Answer, request

pytestmark = pytest.mark.live
Record = Callable[[str], None]
AT_ONCE = 4  # refreshes against one call that ends the session


@pytest.mark.parametrize("hands", [2, 8, 16])
def test_token_sent_by_many_hands_has_one_successor(
    live: Server, record: Record, sql: Any, hands: int
) -> None:
    email = register(live).email
    done = 0
    for _ in rounds():
        before = login(live, email)

        answers = live.race(*[refresh_request(before.refresh)] * hands)

        assert Counter(a.status for a in answers) == {200: hands}
        [successor] = {a.json["refreshToken"] for a in answers}
        assert successor != before.refresh
        session = "SELECT max(generation) FROM accounts_session WHERE user_id = %s"
        assert sql(session, before.user_id) == [(2,)]
        assert live.ask(me_request(answers[-1].json["accessToken"])).status == 200
        assert live.ask(refresh_request(successor)).status == 200
        live.ask(logout_request(successor))
        sql("DELETE FROM accounts_session WHERE user_id = %s", before.user_id)
        done += 1
    record(f"{done} rounds of {hands} hands, 1 live successor in each")


def assert_over(live: Server, before: Tokens, answers: list[Answer]) -> None:
    """No token of the session works, be it the first or one handed out since."""
    assert {a.status for a in answers} <= {200, 401}, [a.body for a in answers]
    given = [a.json for a in answers if a.status == 200]
    # The newest first: an older one would end a session that is still alive.
    for refresh in [*{g["refreshToken"] for g in given}, before.refresh]:
        assert live.ask(refresh_request(refresh)).status == 401
    for access in [before.access, *(g["accessToken"] for g in given)]:
        assert live.ask(me_request(access)).status == 401


def alive(sql: Any, user_id: UUID) -> int:
    of_user = "FROM accounts_session WHERE user_id = %s AND ended_at IS NULL"
    return int(sql(f"SELECT count(*) {of_user}", user_id)[0][0])


def refresh_while(
    live: Server, tokens: Tokens, end: bytes, *, wanted: int = 204
) -> list[Answer]:
    """Refresh at once with a call that ends the session; what the refreshes got."""
    refreshes = [refresh_request(tokens.refresh)] * AT_ONCE
    *answers, ended = live.race(*refreshes, end, stagger=STAGGER_SECONDS)
    assert ended.status == wanted, ended.body
    return answers


def told(winners: Counter[bool]) -> str:
    return (
        f"{winners.total()} rounds, 0 live successors; a refresh came first in "
        f"{winners[True]}, the end in {winners[False]}"
    )


def was_refreshed(answers: list[Answer]) -> bool:
    return any(a.status == 200 for a in answers)


def test_logout_beats_refresh(live: Server, record: Record, sql: Any) -> None:
    email = register(live).email
    winners = Counter[bool]()
    for _ in rounds(2):
        tokens = login(live, email)

        answers = refresh_while(live, tokens, logout_request(tokens.refresh))

        winners[was_refreshed(answers)] += 1
        assert_over(live, tokens, answers)
        assert alive(sql, tokens.user_id) == 1  # the one of the registration
    record(told(winners))


def test_logout_all_beats_refresh(live: Server, record: Record, sql: Any) -> None:
    email = register(live).email
    winners = Counter[bool]()
    for _ in rounds(2):
        tokens, other = login(live, email), login(live, email)
        logout_all = request("POST", "/api/auth/logout-all", token=other.access)

        answers = refresh_while(live, tokens, logout_all)

        winners[was_refreshed(answers)] += 1
        assert_over(live, tokens, answers)
        assert alive(sql, tokens.user_id) == 0
    record(told(winners))


def test_ending_a_session_beats_refresh(live: Server, record: Record) -> None:
    owner = register(live)
    winners = Counter[bool]()
    for _ in rounds():
        tokens = login(live, owner.email)
        listing = live.ask(request("GET", "/api/auth/sessions", token=tokens.access))
        [own] = [s["id"] for s in listing.json["items"] if s["current"]]
        ending = request("DELETE", f"/api/auth/sessions/{own}", token=owner.access)

        answers = refresh_while(live, tokens, ending)

        winners[was_refreshed(answers)] += 1
        assert_over(live, tokens, answers)
    record(told(winners))


def test_password_change_beats_refresh(live: Server, record: Record, sql: Any) -> None:
    keeper = register(live)
    winners = Counter[bool]()
    old, new = PASSWORD, "another horse 2"
    for _ in rounds(2):
        tokens = login(live, keeper.email, old)
        data = {"currentPassword": old, "newPassword": new}
        change = request("POST", "/api/auth/password", data, token=keeper.access)

        answers = refresh_while(live, tokens, change)

        winners[was_refreshed(answers)] += 1
        assert_over(live, tokens, answers)
        assert alive(sql, tokens.user_id) == 1  # the one that changed the password
        old, new = new, old
    assert live.ask(refresh_request(keeper.refresh)).status == 200
    record(told(winners))


@pytest.mark.usefixtures("orm")
def test_deactivation_beats_refresh(live: Server, record: Record, sql: Any) -> None:
    email = register(live).email
    winners = Counter[bool]()

    def set_active(is_active: bool) -> None:
        try:
            user = User.objects.get(email=email)
            user.is_active = is_active
            user.save(update_fields=["is_active", "updated_at"])
        finally:
            connection.close()

    deactivate = partial(set_active, False)
    for _ in rounds(2):
        tokens = login(live, email)
        refreshes = live.lanes(*[refresh_request(tokens.refresh)] * AT_ONCE)

        *answers, _none = race(*refreshes, deactivate, stagger=STAGGER_SECONDS)

        winners[was_refreshed(answers)] += 1
        assert_over(live, tokens, answers)
        assert alive(sql, tokens.user_id) == 0
        set_active(True)
        # Nothing comes back with the account.
        assert_over(live, tokens, answers)
    record(told(winners))


def test_erasure_beats_refresh(live: Server, record: Record, sql: Any) -> None:
    winners = Counter[bool]()
    for _ in rounds(2):
        tokens = register(live)
        proof = {"password": PASSWORD}
        erase = request("POST", "/api/auth/me/erase", proof, token=tokens.access)

        answers = refresh_while(live, tokens, erase)

        winners[was_refreshed(answers)] += 1
        assert_over(live, tokens, answers)
        assert alive(sql, tokens.user_id) == 0
    record(told(winners))


def test_replay_of_an_older_token_ends_the_session_among_refreshes(
    live: Server, record: Record, sql: Any
) -> None:
    email = register(live).email
    winners = Counter[bool]()
    for _ in rounds(2):
        first = login(live, email)
        second = Tokens.of(live.ask(refresh_request(first.refresh)))
        third = Tokens.of(live.ask(refresh_request(second.refresh)))
        replay = refresh_request(first.refresh)

        answers = refresh_while(live, third, replay, wanted=401)

        winners[was_refreshed(answers)] += 1
        assert_over(live, third, answers)
        assert alive(sql, first.user_id) == 1  # the one of the registration
    record(told(winners))


def test_sessions_of_one_user_refresh_side_by_side(
    live: Server, record: Record
) -> None:
    email = register(live).email
    devices = [login(live, email) for _ in range(8)]
    for _ in rounds():
        answers = live.race(*[refresh_request(each.refresh) for each in devices])

        assert {a.status for a in answers} == {200}
        devices = [Tokens.of(answer) for answer in answers]
        assert len({each.refresh for each in devices}) == 8
    record("8 devices, each refreshed with every round")
