from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import personal_data
from accounts.models import Session, User
from tasks.models import IdempotencyRecord, Task, TaskChange
from tests.accounts.wire import (
    REFRESH_REFUSED,
    assert_anonymous_refused,
    assert_gone,
    assert_token_refused,
    assert_unauthenticated,
    bearer,
    invalid,
    post,
    refresh,
    sign_in,
)
from tests.factories import PASSWORD, make_session, make_task, make_user

OWNED = [Task, TaskChange, IdempotencyRecord, Session]


def erase(client: APIClient, password: str = PASSWORD) -> Any:
    return client.post("/api/auth/me/erase", {"password": password}, format="json")


def furnish(client: APIClient) -> None:
    """Leave a row of every kind."""
    answer = client.post(
        "/api/tasks", {"title": "x"}, format="json", HTTP_IDEMPOTENCY_KEY="1"
    )
    client.patch(answer["Location"], {"title": "y"}, format="json")
    for model in OWNED:
        assert model.objects.exists(), model


def test_account_and_all_it_owns_are_gone(alice_api: APIClient, alice: User) -> None:
    furnish(alice_api)

    response = erase(alice_api)

    assert response.status_code == 204
    assert not User.objects.filter(pk=alice.pk).exists()
    assert [model for model in OWNED if model.objects.exists()] == []
    assert not OutstandingToken.objects.filter(user=alice.pk).exists()


def test_tokens_and_password_are_worthless_afterwards(alice: User) -> None:
    signed_in = sign_in(alice)
    client = bearer(signed_in["accessToken"])

    erase(client)

    assert_token_refused(client.get("/api/auth/me"))
    assert_unauthenticated(refresh(signed_in["refreshToken"]), REFRESH_REFUSED)
    login = post("login", {"email": alice.email, "password": PASSWORD})
    assert_unauthenticated(login, "Invalid credentials")


def test_address_is_free_again(alice_api: APIClient, alice: User) -> None:
    erase(alice_api)

    account = {"name": "New", "email": alice.email, "password": "tr0ub4dor&3"}
    assert post("register", account).status_code == 201


def test_others_keep_everything(alice_api: APIClient, bob: User) -> None:
    make_task(bob)
    make_session(bob)

    erase(alice_api)

    assert [Task.objects.get().user_id, Session.objects.get().user_id] == [bob.pk] * 2
    assert list(User.objects.all()) == [bob]


@pytest.mark.parametrize("password", ["wrong horse 1", f"{PASSWORD} "])
def test_wrong_password_erases_nothing(
    alice_api: APIClient, alice: User, password: str
) -> None:
    furnish(alice_api)

    response = erase(alice_api, password)

    challenge = 'Bearer error="invalid_token"'
    assert_unauthenticated(response, "Invalid credentials", challenge)
    assert User.objects.filter(pk=alice.pk).exists()
    assert all(model.objects.exists() for model in OWNED)


def test_missing_password_is_bad_input(alice_api: APIClient) -> None:
    response = alice_api.post("/api/auth/me/erase", {}, format="json")

    assert response.status_code == 400
    message = "This field is required."
    assert response.json() == invalid(response, "password", "required", message)


def test_failure_half_way_erases_nothing(
    alice_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(user: User) -> None:
        raise RuntimeError("half-way")

    furnish(alice_api)
    monkeypatch.setattr(personal_data, "erase_owned", fail)
    alice_api.raise_request_exception = False

    response = erase(alice_api)

    assert response.status_code == 500
    assert all(model.objects.exists() for model in OWNED)


def test_erasure_meanwhile_is_no_server_error(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = User.check_password

    def erased_after(user: User, password: str) -> bool:
        proved = check(user, password)
        User.objects.filter(pk=alice.pk).delete()
        return proved

    monkeypatch.setattr(User, "check_password", erased_after)

    assert_gone(erase(alice_api))


def test_it_needs_an_access_token(api: APIClient, alice: User) -> None:
    assert_anonymous_refused(erase(api))
    assert User.objects.filter(pk=alice.pk).exists()


def test_log_of_the_admin_forgets_the_account(
    alice_api: APIClient, alice: User
) -> None:
    LogEntry.objects.create(
        user=make_user("root", role="ADMIN"),
        object_id=str(alice.pk),
        object_repr=alice.email,
        action_flag=2,
    )
    alice_api.post("/api/auth/me/erase", {"password": PASSWORD}, format="json")

    assert not LogEntry.objects.exists()
