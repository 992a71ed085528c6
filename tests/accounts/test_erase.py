import json
import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import personal_data
from accounts.models import Session, User
from taskapi.api import idempotency
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


def housekeeping() -> None:
    call_command("housekeeping", stdout=StringIO())


def test_account_and_all_it_owns_are_gone(alice_api: APIClient, alice: User) -> None:
    furnish(alice_api)

    response = erase(alice_api)

    assert response.status_code == 204
    assert not User.objects.filter(pk=alice.pk).exists()
    left = User.objects.erased().get()
    personal = {alice.name, alice.email, alice.password}
    assert not personal & {left.name, left.email, left.password}
    assert [left.is_active, left.has_usable_password()] == [False, False]

    housekeeping()

    assert [model for model in OWNED if model.objects.exists()] == []
    assert not OutstandingToken.objects.filter(user=alice.pk).exists()
    assert not User._base_manager.exists()


def test_it_is_one_short_transaction(alice_api: APIClient) -> None:
    """However much there is, none of it is touched."""
    furnish(alice_api)

    with CaptureQueriesContext(connection) as queries:
        erase(alice_api)

    written = "\n".join(q["sql"] for q in queries if "SELECT" not in q["sql"][:7])
    assert "accounts_user" in written
    assert not {"tasks_task", "tasks_change", "storedanswer"} & set(
        re.findall(r"\w+", written)
    )


def test_rows_are_removed_in_small_batches(alice_api: APIClient, alice: User) -> None:
    furnish(alice_api)
    [task] = Task.objects.all()
    TaskChange.objects.bulk_create(
        TaskChange(task=task, version=n, changed_at=timezone.now(), fields=[])
        for n in range(10, 20)
    )
    erase(alice_api)
    counts, removed = [], 0
    while count := personal_data.erase_next_batch(4):
        left = TaskChange.objects.count()
        counts.append(count)
        assert removed == 0 or removed - left <= 4
        removed = left

    assert max(counts) <= 4
    assert not User._base_manager.exists()


def test_one_account_after_the_other_is_removed(
    alice_api: APIClient, bob_api: APIClient
) -> None:
    carol = make_user("carol")
    make_task(carol)
    for client in (alice_api, bob_api):
        furnish(client)
        erase(client)

    housekeeping()

    assert list(User._base_manager.all()) == [carol]
    assert Task.objects.get().user_id == carol.pk


def test_task_of_an_erased_account_is_found_by_nobody(
    alice_api: APIClient, bob_api: APIClient
) -> None:
    furnish(alice_api)
    url = f"/api/tasks/{Task.objects.get().pk}"
    patch = {"title": "mine"}
    assert bob_api.get(url).status_code == 403

    erase(alice_api)

    answers = [
        bob_api.get(url),
        bob_api.get(f"{url}/history"),
        bob_api.patch(url, patch, format="json"),
        bob_api.delete(url),
    ]
    assert [each.status_code for each in answers] == [404] * 4


def test_admin_shows_nothing_of_an_erased_account(
    alice_api: APIClient, alice: User, client: Client
) -> None:
    furnish(alice_api)
    root = make_user("root", role="ADMIN")
    client.force_login(root)
    [task, session] = [Task.objects.get(), Session.objects.first()]
    erase(alice_api)
    lists = [
        *("accounts/user/", "accounts/session/", "tasks/task/"),
        *("token_blacklist/outstandingtoken/", "token_blacklist/blacklistedtoken/"),
    ]
    things = [f"accounts/user/{alice.pk}", f"tasks/task/{task.pk}"]
    things.append(f"accounts/session/{session and session.pk}")

    shown = [client.get(f"/admin/{path}").content.decode() for path in lists]
    found = [client.get(f"/admin/{path}/change/").status_code for path in things]

    assert not any("alice" in page or alice.pk.hex in page for page in shown)
    assert not any(str(task.pk) in page for page in shown)
    # The admin leads from what is not there to its first page.
    assert found == [302] * 3


def test_stored_response_is_not_replayed(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a request that was authenticated before."""
    furnish(alice_api)

    def erased_meanwhile(*args: Any) -> None:
        personal_data.erase(alice)

    monkeypatch.setattr(idempotency, "claim", erased_meanwhile)

    response = alice_api.post(
        "/api/tasks", {"title": "x"}, format="json", HTTP_IDEMPOTENCY_KEY="1"
    )

    assert_gone(response)


def test_nothing_is_written_for_an_erased_account(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    personal_data.erase(alice)

    with pytest.raises(User.DoesNotExist), transaction.atomic():
        make_task(alice)
    with pytest.raises(User.DoesNotExist):
        alice.rename("Someone")
    assert not Task.objects.exists()


def test_commands_do_not_find_an_erased_account(alice: User) -> None:
    make_task(alice)
    personal_data.erase(alice)
    output = StringIO()

    with pytest.raises(CommandError):
        call_command("set_role", alice.email, "ADMIN")
    call_command("export_tasks", stdout=output, stderr=StringIO())

    assert output.getvalue() == ""


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


def test_new_account_of_the_address_sees_nothing_of_the_old_one(
    alice_api: APIClient, alice: User
) -> None:
    """Neither while the old one's rows are removed nor afterwards."""
    furnish(alice_api)
    alice_api.delete(f"/api/tasks/{Task.objects.get().pk}")
    erase(alice_api)
    account = {"name": "New", "email": alice.email.upper(), "password": "tr0ub4dor&3"}
    client = bearer(post("register", account).json()["accessToken"])
    made = client.post(
        "/api/tasks", {"title": "x"}, format="json", HTTP_IDEMPOTENCY_KEY="1"
    )
    assert made.status_code == 201
    assert "Idempotency-Replayed" not in made
    seen = everything(client)
    assert (len(seen["tasks"]), len(seen["sessions"]), seen["trash"]) == (1, 1, 0)

    while personal_data.erase_next_batch(1):
        assert everything(client) == seen

    assert not User.objects.erased().exists()
    assert everything(client) == seen


def everything(client: APIClient) -> dict[str, Any]:
    """All that an account sees of itself."""
    export = json.loads(b"".join(client.get("/api/auth/me/export")))
    trash = client.get("/api/tasks/trash").json()["total"]
    tasks = client.get("/api/tasks").json()["items"]
    return export | {"trash": trash, "listed": tasks}


def test_others_keep_everything(alice_api: APIClient, bob: User) -> None:
    make_task(bob)
    make_session(bob)

    erase(alice_api)

    housekeeping()

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
    def fail(**filters: str) -> None:
        raise RuntimeError("half-way")

    furnish(alice_api)
    monkeypatch.setattr(personal_data.LogEntry.objects, "filter", fail)
    alice_api.raise_request_exception = False

    response = erase(alice_api)

    assert response.status_code == 500
    assert User.objects.exists()
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
