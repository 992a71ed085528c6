"""How personal tokens are recognised, what that costs, and how they are counted."""

import logging
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts import audit
from accounts.auth import personal_tokens
from accounts.models import User
from taskapi.api.rate_limit import RateLimit
from taskapi.http.logs import JsonFormatter
from tests.accounts.wire import assert_token_refused, bearer
from tests.factories import api_of, make_token
from tests.project.cost import redis_answers

pytestmark = pytest.mark.django_db
ME = "/api/auth/me"


def test_tokens_are_all_different_and_well_formed() -> None:
    tokens = {personal_tokens.make_token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(map(personal_tokens.is_well_formed, tokens))
    assert {len(token) for token in tokens} == {43}


def test_every_slip_is_noticed() -> None:
    """Each character in place of each other one, and neighbours that changed places."""
    raw = personal_tokens.make_token()
    slips = {
        raw[:n] + other + raw[n + 1 :]
        for n in range(len(raw))
        for other in "abcdefghijklmnopqrstuvwxyz234567ABC019_"
    }
    slips |= {raw[:n] + raw[n + 1] + raw[n] + raw[n + 2 :] for n in range(len(raw) - 1)}
    slips |= {raw[:-1], f"{raw}a", raw.upper(), ""}

    assert [s for s in slips - {raw} if personal_tokens.is_well_formed(s)] == []


def test_mistyped_token_costs_no_statement(alice: User) -> None:
    _, raw = make_token(alice)
    slip = raw[:10] + ("a" if raw[10] != "a" else "b") + raw[11:]

    with CaptureQueriesContext(connection) as queries:
        assert_token_refused(bearer(slip).get(ME))

    assert len(queries) == 0


def test_unknown_token_is_counted_against_the_address(settings: Any) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"address": RateLimit(1, 900)}
    stranger = bearer(personal_tokens.make_token())

    assert_token_refused(stranger.get(ME))
    assert stranger.get(ME).status_code == 429


def test_other_schemes_are_not_read(alice: User) -> None:
    _, raw = make_token(alice)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Basic {raw}")

    assert client.get(ME).status_code == 401


def cost_of(client: APIClient, path: str) -> tuple[int, int]:
    """Statements, and round trips to Redis, of a request like many before it."""
    for _ in range(12):
        client.get(path)
    with CaptureQueriesContext(connection) as queries, redis_answers() as answers:
        assert client.get(path).status_code == 200
    return len(queries), len(answers)


@pytest.mark.parametrize(
    "path", ["/api/tasks", "/api/tasks/stats", ME, "/api/projects", "/api/labels"]
)
def test_request_costs_no_more_than_a_sessions(alice: User, path: str) -> None:
    _, raw = make_token(alice)

    assert cost_of(bearer(raw), path) == cost_of(api_of(alice), path)


def test_user_is_read_with_the_token(alice: User) -> None:
    _, raw = make_token(alice)

    with CaptureQueriesContext(connection) as queries:
        user, token = personal_tokens.get_principal(raw)  # type: ignore[misc]
        told = [user.pk, user.role, user.is_active, user.revision, user.reads_projects]

    # One more stores that it was used.
    assert len([q for q in queries if q["sql"].startswith("SELECT")]) == 1
    assert told == [alice.pk, "USER", True, alice.revision, False]
    assert (user.token_id, user.project_ids) == (token.pk, None)


# -- limits


def limit(settings: Any, **limited: int) -> None:
    tight = {name: RateLimit(number, 900) for name, number in limited.items()}
    settings.RATE_LIMITS = settings.RATE_LIMITS | tight


def test_each_token_is_counted_on_its_own(alice: User, settings: Any) -> None:
    limit(settings, user=2)
    first, second = (bearer(make_token(alice)[1]) for _ in range(2))
    person = api_of(alice)

    assert [first.get(ME).status_code for _ in range(3)] == [200, 200, 429]
    assert [second.get(ME).status_code for _ in range(3)] == [200, 200, 429]
    assert [person.get(ME).status_code for _ in range(3)] == [200, 200, 429]


def test_all_tokens_of_a_user_are_counted_together(
    alice: User, bob: User, settings: Any
) -> None:
    limit(settings, tokens=3)
    clients = [bearer(make_token(alice)[1]) for _ in range(4)]

    answers = [client.get(ME) for client in clients]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    policy = '"user";q={};w={}, "tokens";q=3;w=900'
    usual = settings.RATE_LIMITS["user"]
    assert answers[0]["RateLimit-Policy"] == policy.format(
        usual.requests, usual.seconds
    )
    assert '"tokens";r=2;t=' in answers[0]["RateLimit"]
    assert 0 < int(answers[3]["Retry-After"]) <= 900
    assert bearer(make_token(bob)[1]).get(ME).status_code == 200
    assert api_of(alice).get(ME).status_code == 200


def test_refused_scope_is_counted_as_well(alice: User, settings: Any) -> None:
    limit(settings, user=1)
    client = bearer(make_token(alice, ["tasks:read"])[1])

    refused = client.get(ME)

    assert refused.status_code == 403
    assert '"user";r=0;t=' in refused["RateLimit"]
    assert client.get(ME).status_code == 429


def test_tokens_are_counted_without_redis(alice: User, settings: Any) -> None:
    settings.REDIS_URL = None
    limit(settings, user=1)
    client = bearer(make_token(alice)[1])

    assert [client.get(ME).status_code for _ in range(2)] == [200, 429]


@pytest.mark.skipif(not django_settings.REDIS_URL, reason="there is no Redis")
def test_cached_list_comes_with_the_counts(alice: User) -> None:
    client = bearer(make_token(alice)[1])

    fresh, cached = client.get("/api/tasks"), client.get("/api/tasks")

    assert cached.content == fresh.content
    assert cached["ETag"] == fresh["ETag"]


# -- logs and audit


def test_no_log_line_has_the_token(
    alice: User, alice_api: APIClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"name": "CI", "scopes": ["tasks:read"]}
    made = alice_api.post("/api/auth/tokens", body, format="json").json()

    bearer(made["token"]).get("/api/tasks")
    bearer(made["token"][:-1]).get("/api/tasks")
    alice_api.delete(f"/api/auth/tokens/{made['id']}")

    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert len(lines) >= 4
    assert not [line for line in lines if made["token"][4:-8] in line]


def test_making_and_revoking_are_audited(
    alice: User, alice_api: APIClient, django_capture_on_commit_callbacks: Any
) -> None:
    body = {"name": "CI", "scopes": ["tasks:read"]}
    with patch.object(audit, "logger") as logger:
        with django_capture_on_commit_callbacks(execute=True):
            made = alice_api.post("/api/auth/tokens", body, format="json").json()
        alice_api.delete(f"/api/auth/tokens/{made['id']}")

    events = [call.kwargs["extra"] for call in logger.info.call_args_list]
    assert [(each["event"], str(each["token"])) for each in events] == [
        ("token_created", made["id"]),
        ("token_revoked", made["id"]),
    ]
    assert events[0]["scopes"] == ["tasks:read"]
    assert {each["userId"] for each in events} == {alice.pk}
