"""Personal tokens: how they are made, listed and revoked, and what ends them."""

import json
import re
from datetime import timedelta
from typing import Any
from unittest.mock import ANY
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import passwords, personal_data
from accounts.auth import personal_tokens, sessions
from accounts.auth.sessions import InvalidCredentials
from accounts.errors import TooManyTokens
from accounts.models import PersonalToken, RevocationReason, Session, User
from taskapi.api.scopes import Scope
from tasks.models import IdempotencyRecord, inbox_id
from tests.accounts.clock import Clock
from tests.accounts.wire import (
    assert_token_refused,
    bearer,
    error,
    invalid,
    is_welcome,
    post,
)
from tests.factories import PASSWORD, api_of, make_session, make_token, make_user
from tests.tasks import sharing

TOKENS = "/api/auth/tokens"
CURRENT = f"{TOKENS}/current"
REPORT = {"name": "Nightly report", "scopes": ["tasks:read"]}
pytestmark = pytest.mark.django_db


def create(api: APIClient, body: Any = REPORT, **headers: str) -> Any:
    return api.post(TOKENS, body, format="json", headers=headers)


def wire(token: PersonalToken) -> dict[str, Any]:
    return {
        "id": str(token.pk),
        "name": token.name,
        "scopes": token.scopes,
        "projectIds": token.project_ids,
        "createdAt": ANY,
        "lastUsedAt": None,
        "expiresAt": None,
    }


def test_token_is_shown_once(alice: User, alice_api: APIClient) -> None:
    response = create(alice_api)

    token = PersonalToken.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"{TOKENS}/{token.pk}"
    raw = response.json()["token"]
    assert response.json() == wire(token) | {"token": raw}
    assert re.fullmatch("tka_[a-z2-7]{39}", raw)
    assert alice_api.get(TOKENS).json() == {"items": [wire(token)]}


def test_nothing_but_the_hash_is_stored(alice_api: APIClient) -> None:
    raw = create(alice_api, {**REPORT}, **{"Idempotency-Key": "once"}).json()["token"]

    [row] = PersonalToken.objects.values()
    [record] = IdempotencyRecord.objects.values()
    assert row["token_hash"] == personal_tokens.hashed(raw)
    assert raw[4:] not in json.dumps([row, record], default=str)


def test_scopes_are_a_set_in_one_order(alice_api: APIClient) -> None:
    sent = ["projects:read", "tasks:write", "projects:read"]

    response = create(alice_api, {"name": "CI", "scopes": sent})

    assert response.json()["scopes"] == ["tasks:write", "projects:read"]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"scopes": ["tasks:read"]}, "name", "required"),
        ({"name": "x"}, "scopes", "required"),
        (REPORT | {"name": ""}, "name", "blank"),
        (REPORT | {"name": "x" * 101}, "name", "max_length"),
        (REPORT | {"scopes": []}, "scopes", "min_length"),
        (REPORT | {"scopes": ["tasks"]}, "scopes.0", "invalid_choice"),
        (REPORT | {"scopes": "tasks:read"}, "scopes", "not_a_list"),
        (REPORT | {"projectIds": []}, "projectIds", "min_length"),
        (REPORT | {"projectIds": [1]}, "projectIds.0", "invalid"),
        (REPORT | {"projectIds": [str(uuid4())]}, "projectIds", "invalid"),
        (REPORT | {"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt", "past"),
        (REPORT | {"expiresAt": "tomorrow"}, "expiresAt", "invalid"),
        (REPORT | {"token": "tka_"}, "token", "unknown"),
    ],
)
def test_bad_input_is_refused(
    alice_api: APIClient, body: Any, field: str, code: str
) -> None:
    response = create(alice_api, body)

    assert response.status_code == 400
    [detail] = response.json()["error"]["details"]
    assert (detail["field"], detail["code"]) == (field, code)
    assert not PersonalToken.objects.exists()


def test_at_most_fifty_projects(alice_api: APIClient) -> None:
    ids = [str(uuid4()) for _ in range(51)]

    response = create(alice_api, REPORT | {"projectIds": ids})

    assert response.json() == invalid(
        response,
        "projectIds",
        "max_length",
        "Ensure this field has no more than 50 elements.",
    )


def test_projects_have_to_be_visible(
    alice: User, bob: User, alice_api: APIClient
) -> None:
    own, shared, foreign = (
        sharing.make_project(each) for each in (alice, bob, make_user("carol"))
    )
    sharing.share(shared, alice)
    ids = [str(own.pk), str(shared.pk), str(inbox_id(alice.pk))]

    assert create(alice_api, REPORT | {"projectIds": ids}).status_code == 201
    refused = create(alice_api, REPORT | {"projectIds": [str(foreign.pk)]})
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "FORBIDDEN"
    sharing.delete(own)
    assert create(alice_api, REPORT | {"projectIds": ids}).status_code == 400
    assert PersonalToken.objects.count() == 1


def test_quota_counts_all_of_an_account(
    alice: User, bob: User, alice_api: APIClient, settings: Any
) -> None:
    settings.QUOTA_TOKENS = 2
    for _ in range(2):
        make_token(bob)
    make_token(alice)
    make_token(alice)

    response = create(alice_api)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "QUOTA_EXCEEDED"
    assert "QUOTA_TOKENS" in response.json()["error"]["message"]
    with pytest.raises(TooManyTokens):
        make_token(alice)
    assert alice.personal_tokens.count() == 2


def test_repetition_makes_none_and_tells_of_the_first(alice_api: APIClient) -> None:
    key = {"Idempotency-Key": "once"}
    create(alice_api, **key)

    response = create(alice_api, **key)

    assert response.status_code == 409
    [token] = PersonalToken.objects.all()
    body = response.json()
    assert body["error"]["code"] == "CONFLICT"
    assert f"{TOKENS}/{token.pk}" in body["error"]["message"]
    other = create(alice_api, REPORT | {"name": "Other"}, **key)
    assert other.status_code == 422


def test_token_says_who_calls(alice: User) -> None:
    token, raw = make_token(alice, ["account:read"])

    me = bearer(raw).get("/api/auth/me")

    assert me.json()["id"] == str(alice.pk)
    assert bearer(f" {raw} ").get("/api/auth/me").status_code == 200
    current = bearer(raw).get(CURRENT)
    assert current.json() == wire(token) | {"lastUsedAt": ANY}
    again = bearer(raw).get(CURRENT, headers={"If-None-Match": current["ETag"]})
    assert again.status_code == 304


def test_session_is_no_personal_token(alice_api: APIClient) -> None:
    response = alice_api.get(CURRENT)

    message = "The request was sent without a personal token."
    assert response.status_code == 404
    assert response.json() == error(response, "NOT_FOUND", message)


def test_revoked_token_is_refused_at_once(alice: User, alice_api: APIClient) -> None:
    token, raw = make_token(alice)
    client = bearer(raw)
    assert client.get("/api/tasks").status_code == 200

    assert alice_api.delete(f"{TOKENS}/{token.pk}").status_code == 204

    assert_token_refused(client.get("/api/tasks"))
    assert alice_api.delete(f"{TOKENS}/{token.pk}").status_code == 404


def test_others_cannot_revoke_it(alice: User, bob_api: APIClient) -> None:
    token, raw = make_token(alice)

    assert bob_api.delete(f"{TOKENS}/{token.pk}").status_code == 404
    assert bob_api.get(TOKENS).json() == {"items": []}
    assert is_welcome(raw)


def test_revoking_honours_preconditions(alice: User, alice_api: APIClient) -> None:
    token, _ = make_token(alice)
    path = f"{TOKENS}/{token.pk}"

    refused = alice_api.delete(path, headers={"If-Match": '"other"'})

    assert refused.status_code == 412
    assert refused.json()["error"]["current"] == wire(token) | {
        "scopes": [*Scope],
    }
    etag = {"If-Match": refused["ETag"]}
    assert alice_api.delete(path, headers=etag).status_code == 204


def test_expired_token_is_refused(alice: User, clock: Clock) -> None:
    _, raw = make_token(
        alice, now=clock.now, expires_at=clock.now + timedelta(minutes=5)
    )
    assert is_welcome(raw)

    clock.advance(minutes=5)

    assert_token_refused(bearer(raw).get("/api/auth/me"))


def test_minute_of_the_last_use_is_stored_once(alice: User, clock: Clock) -> None:
    clock.now = clock.now.replace(second=30)
    token, raw = make_token(alice, now=clock.now)
    client = bearer(raw)

    def updates() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/api/auth/me")
        return sum("UPDATE" in query["sql"] for query in queries)

    assert updates() == 1
    token.refresh_from_db()
    assert token.last_used_at == clock.now.replace(second=0)
    clock.advance(seconds=29)
    assert updates() == 0
    clock.advance(seconds=1)
    assert updates() == 1
    token.refresh_from_db()
    assert token.last_used_at == clock.now


# -- what ends them


def change_password(api: APIClient, raw: str) -> None:
    body = {"currentPassword": PASSWORD, "newPassword": "a new horse 2"}
    response = api.post("/api/auth/password", body, format="json")
    assert response.status_code == 204


def test_token_survives_a_password_change(alice: User, alice_api: APIClient) -> None:
    _, raw = make_token(alice)

    change_password(alice_api, raw)

    assert is_welcome(raw)


def test_token_survives_its_session(alice: User) -> None:
    session = make_session(alice)
    _, raw = make_token(alice, session=session)

    sessions.revoke(
        alice.pk, now=timezone.now(), reason=RevocationReason.LOGOUT, only=session.pk
    )

    assert is_welcome(raw)


def reset_password(alice: User) -> None:
    body = {"token": passwords.make_reset_token(alice), "newPassword": "a new horse 2"}
    assert post("password/reset", body).status_code == 204


def log_out_everywhere(alice: User) -> None:
    assert api_of(alice).post("/api/auth/logout-all").status_code == 204


def erase(alice: User) -> None:
    personal_data.erase(alice)


def deactivate(alice: User) -> None:
    alice.is_active = False
    alice.save()


def be_deactivated_and_back(alice: User) -> None:
    deactivate(alice)
    alice.is_active = True
    alice.save()


def get_a_password_from_an_operator(alice: User) -> None:
    alice.set_password("a new horse 2")
    alice.save()


def revoke_sessions(alice: User) -> None:
    call_command("revoke_sessions", alice.email, stdout=None)


@pytest.mark.parametrize(
    "end",
    [
        *(reset_password, log_out_everywhere, erase, deactivate),
        *(be_deactivated_and_back, get_a_password_from_an_operator, revoke_sessions),
    ],
)
def test_token_ends_with_all_sessions(alice: User, bob: User, end: Any) -> None:
    _, raw = make_token(alice)
    _, others = make_token(bob)

    end(alice)

    assert_token_refused(bearer(raw).get("/api/auth/me"))
    assert not PersonalToken.objects.filter(user_id=alice.pk).exists()
    assert is_welcome(others)


def test_inactive_user_has_no_token_whatever_is_stored(alice: User) -> None:
    _, raw = make_token(alice)

    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert_token_refused(bearer(raw).get("/api/auth/me"))


def test_session_that_has_ended_makes_no_token(alice: User) -> None:
    session = make_session(alice)
    Session.objects.filter(pk=session.pk).update(ended_at=timezone.now())

    with pytest.raises(InvalidCredentials):
        make_token(alice, session=session)


def test_user_who_signs_out_everywhere_meanwhile_gets_no_token(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sign_out_first(*args: Any, **options: Any) -> Any:
        log_out_everywhere(alice)
        return make(*args, **options)

    make = personal_tokens.create
    monkeypatch.setattr(personal_tokens, "create", sign_out_first)

    assert_token_refused(create(api_of(alice)))
    assert not PersonalToken.objects.exists()


def test_erased_account_leaves_no_row(alice: User) -> None:
    _, raw = make_token(alice)
    token = PersonalToken.objects.get()
    erase(alice)
    token.save(force_insert=True)  # as if it had come in between

    assert_token_refused(bearer(raw).get("/api/auth/me"))
    while personal_data.erase_next_batch(100):
        pass

    assert not PersonalToken.objects.exists()


def test_housekeeping_removes_what_expired_long_ago(alice: User, clock: Clock) -> None:
    make_token(alice, name="stays")
    for days, name in [(1, "goes"), (40, "expired")]:
        expires_at = clock.now + timedelta(days=days)
        make_token(alice, name=name, now=clock.now, expires_at=expires_at)
    clock.advance(days=41)

    call_command("housekeeping", stdout=None)

    names = PersonalToken.objects.order_by("name").values_list("name", flat=True)
    assert [*names] == ["expired", "stays"]


def test_export_lists_them_without_the_hash(alice: User, alice_api: APIClient) -> None:
    token, _ = make_token(alice, ["tasks:read"], projects=[inbox_id(alice.pk)])

    response = alice_api.get("/api/auth/me/export")

    body = json.loads(b"".join(response.streaming_content))
    assert body["personalTokens"] == [
        wire(token) | {"projectIds": [str(inbox_id(alice.pk))]}
    ]
