import json
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.test import Client
from rest_framework.test import APIClient

from accounts import passwords, rate_limits
from accounts.models import Session, User
from taskapi.api.cache_keys import prefixed
from taskapi.api.rate_limit import RateLimit
from tests.accounts.clock import Clock
from tests.accounts.wire import error, post, refresh, sign_in
from tests.factories import PASSWORD, api_of

ALICE = {"email": "alice@example.com"}
RIGHT = ALICE | {"password": PASSWORD}
WRONG = ALICE | {"password": "wrong horse 1"}

pytestmark = pytest.mark.django_db


def limit(settings: Any, **limited: int) -> None:
    """So many requests in 15 minutes for the limits named; the others stay roomy."""
    tight = {name: RateLimit(number, 900) for name, number in limited.items()}
    settings.RATE_LIMITS = settings.RATE_LIMITS | tight


def statuses(bodies: list[Any], **extra: Any) -> list[int]:
    return [post("login", body, **extra).status_code for body in bodies]


@pytest.mark.parametrize(
    ("text", "requests", "seconds"),
    [
        ("10/15m", 10, 900),
        ("1/s", 1, 1),
        ("600/1m", 600, 60),
        ("600/m", 600, 60),
        ("5/2h", 5, 7200),
        ("1000/d", 1000, 86400),
    ],
)
def test_limit_is_read(text: str, requests: int, seconds: int) -> None:
    assert RateLimit.parse(text) == RateLimit(requests, seconds)


@pytest.mark.parametrize(
    "text",
    [
        *["", "10", "10/", "/15m", "10/15", "10/m15", "10/15x", "10/15min", "10/15M"],
        *[
            "0/15m",
            "10/0m",
            "-1/15m",
            "10/-1m",
            "1.5/m",
            "10/1.5m",
            "1e3/m",
            "10/15m/2",
        ],
        *[" 10/15m", "10 / 15m", "10/15m ", "ten/15m", "²/15m", "10/m\n"],
    ],
)
def test_limit_that_could_be_misread_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a limit such as 10/15m"):
        RateLimit.parse(text)


def test_answer_tells_the_limit_and_what_is_left(settings: Any) -> None:
    limit(settings, auth=10, login=5)

    first, second = (post("login", WRONG) for _ in range(2))

    assert first["RateLimit-Policy"] == '"auth";q=10;w=900, "login";q=5;w=900'
    assert first["RateLimit"] == '"auth";r=9;t=900, "login";r=4;t=900'
    assert second["RateLimit"].startswith('"auth";r=8;t=')
    assert ', "login";r=3;t=' in second["RateLimit"]
    assert "Retry-After" not in first


def test_one_too_many_is_told_when_to_come_back(settings: Any) -> None:
    limit(settings, auth=1)
    post("login", WRONG)

    response = post("login", RIGHT)

    assert response.status_code == 429
    seconds = int(response["Retry-After"])
    assert 890 < seconds <= 900
    message = f"Request was throttled. Expected available in {seconds} seconds."
    assert response.json() == error(response, "RATE_LIMITED", message)
    assert response["RateLimit"].startswith(f'"auth";r=0;t={seconds}')
    assert not Session.objects.exists()


def test_window_ends_when_it_was_told_to(
    alice: User, settings: Any, clock: Clock
) -> None:
    settings.REDIS_URL = None  # Redis has a clock of its own
    limit(settings, auth=2)
    assert statuses([RIGHT] * 3) == [200, 200, 429]
    clock.advance(seconds=899)
    response = post("login", RIGHT)
    assert (response.status_code, response["Retry-After"]) == (429, "1")

    clock.advance(seconds=1)

    assert statuses([RIGHT] * 3) == [200, 200, 429]


def test_fresh_window_is_not_a_second_too_long(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = None
    limit(settings, auth=1)
    now = 7637.746189766141
    assert (now + 900) - now > 900
    monkeypatch.setattr(rate_limits, "time", SimpleNamespace(monotonic=lambda: now))

    assert post("login", WRONG)["RateLimit"].startswith('"auth";r=0;t=900,')


def test_redis_ends_the_window_too(settings: Any) -> None:
    if not settings.REDIS_URL:
        pytest.skip("there is no Redis")
    limit(settings, auth=1)

    post("login", WRONG)

    store = rate_limits.get_redis_connection("default")
    [key] = store.scan_iter(prefixed("limit:auth:*"))
    assert 890_000 < store.pttl(key) <= 900_000


def test_counters_hold_no_address_of_a_person(settings: Any) -> None:
    settings.REDIS_URL = None

    post("login", WRONG)

    assert "alice" not in str(rate_limits.local.windows)


@pytest.mark.parametrize(
    "path", ["register", "login", "password/forgot", "password/reset"]
)
def test_password_calls_share_one_limit_per_address(settings: Any, path: str) -> None:
    limit(settings, auth=1)
    post("login", WRONG)

    response = post(path, {})

    assert response.status_code == 429
    assert post(path, {}, REMOTE_ADDR="192.0.2.9").status_code == 400


@pytest.mark.parametrize("path", ["password", "me/erase"])
def test_signed_in_password_calls_share_it_too(
    alice_api: APIClient, settings: Any, path: str
) -> None:
    limit(settings, auth=1)
    post("login", WRONG)

    assert alice_api.post(f"/api/auth/{path}", {}, format="json").status_code == 429


def test_refresh_is_limited_per_session(alice: User, settings: Any) -> None:
    limit(settings, refresh=2)
    token, other = sign_in(alice)["refreshToken"], sign_in(alice)["refreshToken"]
    first = refresh(token)
    assert first["RateLimit-Policy"].endswith(', "refresh";q=2;w=900')
    assert first["RateLimit"].endswith(', "refresh";r=1;t=900')
    token = refresh(first.json()["refreshToken"]).json()["refreshToken"]

    response = refresh(token)

    assert response.status_code == 429
    assert int(response["Retry-After"]) > 890
    assert refresh(other).status_code == 200


def test_limited_refresh_spends_nothing(alice: User, settings: Any) -> None:
    token = sign_in(alice)["refreshToken"]
    roomy = settings.RATE_LIMITS
    limit(settings, refresh=1)
    token = refresh(token).json()["refreshToken"]
    assert refresh(token).status_code == 429
    settings.RATE_LIMITS = roomy

    assert refresh(token).status_code == 200


def test_refresh_takes_nothing_from_the_address(alice: User, settings: Any) -> None:
    limit(settings, auth=1, user=1)
    token = sign_in(alice)["refreshToken"]

    for _ in range(3):
        token = refresh(token).json()["refreshToken"]


def test_everything_else_is_limited_per_user(
    alice: User, bob_api: APIClient, settings: Any
) -> None:
    limit(settings, user=2)
    clients = [APIClient(), APIClient()]
    for client in clients:
        token = sign_in(alice)["accessToken"]
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    paths = ["/api/auth/me", "/api/auth/sessions"]
    answers = [c.get(p) for c, p in zip(clients, paths, strict=True)]
    assert answers[0]["RateLimit-Policy"] == '"user";q=2;w=900'
    assert answers[1]["RateLimit"].startswith('"user";r=0;t=')

    response = clients[0].get("/api/auth/me")

    assert response.status_code == 429
    assert bob_api.get("/api/auth/me").status_code == 200


def test_logout_is_limited_per_address(settings: Any) -> None:
    limit(settings, address=1)

    answers = [post("logout", {"refreshToken": "x"}).status_code for _ in range(2)]

    assert answers == [401, 429]


def test_changed_limit_starts_a_new_count(alice: User, settings: Any) -> None:
    limit(settings, auth=1)
    assert statuses([RIGHT] * 2) == [200, 429]

    limit(settings, auth=2)

    assert statuses([RIGHT] * 3) == [200, 200, 429]


SPOOFS = [f"198.51.100.{n}" for n in range(4)]


@pytest.mark.parametrize(
    "header", ["HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED"]
)
def test_headers_do_not_change_the_address(settings: Any, header: str) -> None:
    limit(settings, auth=2)

    answers = [statuses([WRONG], **{header: spoof}) for spoof in SPOOFS]

    assert answers == [[401], [401], [429], [429]]


def test_one_proxy_vouches_for_the_right_most_entry(settings: Any) -> None:
    settings.NUM_PROXIES = 1
    limit(settings, auth=2)
    forged = [f"{spoof}, 192.0.2.1" for spoof in SPOOFS]

    answers = [statuses([WRONG], HTTP_X_FORWARDED_FOR=hops) for hops in forged]

    assert answers == [[401], [401], [429], [429]]
    assert statuses([WRONG], HTTP_X_FORWARDED_FOR="192.0.2.1, 192.0.2.2") == [401]


@pytest.mark.parametrize(
    ("proxies", "hops", "address"),
    [
        (0, "192.0.2.1", "203.0.113.7"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "198.51.100.1, 192.0.2.1", "192.0.2.1"),
        (2, "198.51.100.1, 192.0.2.1, 10.0.0.1", "192.0.2.1"),
        (2, "192.0.2.1", "192.0.2.1"),
        (1, "", "203.0.113.7"),
        (1, "rubbish", "203.0.113.7"),
        (1, "192.0.2.1:4711", "192.0.2.1"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "::ffff:192.0.2.1", "192.0.2.1"),
        (1, "2001:DB8::0:1", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
    ],
)
def test_address_is_the_one_trusted_parties_tell(
    alice: User, settings: Any, proxies: int, hops: str, address: str
) -> None:
    settings.NUM_PROXIES = proxies

    sign_in(alice, REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR=hops)

    assert Session.objects.get().address == address


def test_subscriber_has_one_count_for_a_whole_ipv6_network(settings: Any) -> None:
    limit(settings, auth=2)
    addresses = [f"2001:db8:0:1:{n:x}::{n:x}" for n in range(1, 5)]

    answers = [statuses([WRONG], REMOTE_ADDR=address) for address in addresses]

    assert answers == [[401], [401], [429], [429]]
    assert statuses([WRONG], REMOTE_ADDR="2001:db8:0:2::1") == [401]


def test_unix_socket_has_a_count_too(settings: Any) -> None:
    limit(settings, auth=1)

    assert statuses([WRONG] * 2, REMOTE_ADDR="") == [401, 429]


def attack(number: int, email: str = "alice@example.com") -> list[int]:
    """Wrong passwords, each from an address of its own."""
    body = WRONG | {"email": email}
    return [
        post("login", body, REMOTE_ADDR=f"198.51.100.{n}").status_code
        for n in range(number)
    ]


def test_account_is_limited_from_many_addresses(alice: User, settings: Any) -> None:
    limit(settings, login=3)

    assert attack(5) == [401, 401, 401, 429, 429]
    assert statuses([RIGHT], REMOTE_ADDR="192.0.2.1") == [429]


def test_account_has_one_count_whatever_its_case(alice: User, settings: Any) -> None:
    limit(settings, login=2)
    attack(2, "ALICE@Example.com")

    assert attack(1) == [429]


def test_unknown_account_is_limited_alike(settings: Any) -> None:
    limit(settings, login=3)

    assert attack(5, "nobody@example.com") == [401, 401, 401, 429, 429]


def test_other_accounts_are_not_limited(alice: User, bob: User, settings: Any) -> None:
    limit(settings, login=1)
    attack(2)

    sign_in(bob)


def test_owner_gets_in_from_an_address_known_before(alice: User, settings: Any) -> None:
    sign_in(alice, REMOTE_ADDR="192.0.2.1")
    limit(settings, login=1)
    attack(3)

    assert statuses([RIGHT], REMOTE_ADDR="192.0.2.1") == [200]
    assert statuses([RIGHT], REMOTE_ADDR="192.0.2.2") == [429]


def test_known_address_has_the_limit_of_its_own(alice: User, settings: Any) -> None:
    sign_in(alice, REMOTE_ADDR="192.0.2.1")
    limit(settings, login=1, auth=2)

    assert statuses([WRONG] * 4, REMOTE_ADDR="192.0.2.1") == [401, 401, 429, 429]


def test_address_known_to_another_account_is_a_stranger(
    alice: User, bob: User, settings: Any
) -> None:
    sign_in(bob, REMOTE_ADDR="192.0.2.1")
    limit(settings, login=1)
    attack(2)

    assert statuses([RIGHT], REMOTE_ADDR="192.0.2.1") == [429]


def test_password_reset_clears_the_count_of_the_account(
    alice: User, settings: Any
) -> None:
    limit(settings, login=2)
    attack(3)
    token = passwords.make_reset_token(alice)
    body = {"token": token, "newPassword": "battery staple 2"}
    assert post("password/reset", body).status_code == 204

    sign_in(alice, "battery staple 2", REMOTE_ADDR="192.0.2.1")


def test_refused_reset_clears_nothing(alice: User, settings: Any) -> None:
    limit(settings, login=2)
    attack(3)
    body = {"token": f"{alice.pk.hex}.x-y", "newPassword": "battery staple 2"}
    assert post("password/reset", body).status_code == 401

    assert attack(1) == [429]


@pytest.mark.parametrize("email", ["a\0@b.org", "\ud800@b.org", 7, None, ["a"]])
def test_what_is_no_address_breaks_no_limit(settings: Any, email: Any) -> None:
    limit(settings, auth=2, login=1)
    body = json.dumps({"email": email, "password": PASSWORD})
    sent = {"data": body, "content_type": "application/json"}

    answers = [Client().post("/api/auth/login", **sent).status_code for _ in range(3)]

    assert answers == [400, 400, 429]


@pytest.mark.parametrize("url", ["of the tests", None])
def test_token_of_a_dead_session_uses_up_nothing(
    alice: User, settings: Any, url: str | None
) -> None:
    if url is None:
        settings.REDIS_URL = None
    dead, alive = api_of(alice), api_of(alice)
    Session.objects.earliest("created_at").delete()
    limit(settings, user=2)

    refused = [dead.get("/api/auth/me").status_code for _ in range(3)]
    served = [alive.get("/api/auth/me").status_code for _ in range(3)]

    assert refused == [401] * 3
    assert served == [200, 200, 429]


MALFORMED: dict[str, dict[str, Any]] = {
    "tag": {"HTTP_IF_NONE_MATCH": "unquoted"},
    "filter": {"QUERY_STRING": "status=UNKNOWN"},
    "number of parameters": {"QUERY_STRING": "a&" * 1001},
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_question_counts_for_who_is_known_only(
    alice: User, settings: Any, name: str
) -> None:
    dead, alive = api_of(alice), api_of(alice)
    Session.objects.earliest("created_at").delete()
    limit(settings, user=2)

    refused = [dead.get("/api/tasks", **MALFORMED[name]) for _ in range(3)]
    told = [alive.get("/api/tasks", **MALFORMED[name]) for _ in range(3)]

    assert [each.status_code for each in refused] == [401] * 3
    assert [each.status_code for each in told] == [400, 400, 429]


@pytest.fixture
def _redis_away(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(alias: str) -> None:
        raise redis.exceptions.ConnectionError("Connection refused.")

    settings.REDIS_URL = "redis://localhost:1/0"
    rate_limits.increment_script.cache_clear()
    monkeypatch.setattr(rate_limits, "get_redis_connection", refuse)


@pytest.mark.usefixtures("_redis_away")
def test_limits_hold_while_redis_is_away(alice: User, settings: Any) -> None:
    limit(settings, auth=3, login=2)

    assert attack(3) == [401, 401, 429]
    assert statuses([WRONG] * 4, REMOTE_ADDR="192.0.2.3") == [429] * 4
    assert statuses([{}] * 4, REMOTE_ADDR="192.0.2.4") == [400, 400, 400, 429]


@pytest.mark.usefixtures("_redis_away")
def test_password_reset_clears_the_count_while_redis_is_away(
    alice: User, settings: Any
) -> None:
    limit(settings, login=1)
    attack(2)
    token = passwords.make_reset_token(alice)
    body = {"token": token, "newPassword": "battery staple 2"}

    assert post("password/reset", body).status_code == 204

    sign_in(alice, "battery staple 2", REMOTE_ADDR="192.0.2.1")


def test_local_counters_drop_windows_that_are_over(clock: Clock) -> None:
    counters = rate_limits.LocalCounters()
    for number in range(10_001):
        counters.increment(str(number), 60)
    clock.advance(seconds=60)

    counters.increment("late", 60)

    assert list(counters.windows) == ["late"]


def test_refused_address_locks_no_account_out(alice: User, settings: Any) -> None:
    settings.NUM_PROXIES = 1
    settings.RATE_LIMITS = settings.RATE_LIMITS | {
        "auth": RateLimit(3, 900),
        "login": RateLimit(5, 900),
    }
    wrong = {"email": alice.email, "password": "wrong horse 1"}
    refused = [post("login", wrong, HTTP_X_FORWARDED_FOR="192.0.2.1") for _ in range(9)]
    right = {"email": alice.email, "password": PASSWORD}
    response = post("login", right, HTTP_X_FORWARDED_FOR="198.51.100.1")

    assert [r.status_code for r in refused] == [401] * 3 + [429] * 6
    assert response.status_code == 200
