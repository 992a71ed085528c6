from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from taskapi.api.idempotency_allowance import ROW_BYTES
from tasks.models import IdempotencyRecord, Task, TaskChange
from tests.factories import make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import details_of, error_of, trash

REUSED = "This Idempotency-Key was sent before with a different request."
NEW = {"title": "Build API", "priority": "HIGH"}


def post(api: APIClient, path: str, body: Any = None, key: str | None = "k") -> Any:
    headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
    return api.post(f"/api/tasks{path}", body, format="json", **headers)


def test_first_answer_is_the_usual_one(alice_api: APIClient, alice: User) -> None:
    with_key, without = post(alice_api, "", NEW), post(alice_api, "", NEW, key=None)

    assert with_key.status_code == without.status_code == 201
    assert with_key["Location"] == f"/api/tasks/{with_key.json()['id']}"
    assert with_key["ETag"] == without["ETag"] == '"v1"'
    assert "Idempotency-Replayed" not in with_key
    own = ("id", "position", "createdAt", "updatedAt")
    a, b = with_key.json(), without.json()
    assert {k: v for k, v in a.items() if k not in own} == {
        k: v for k, v in b.items() if k not in own
    }


def test_repeated_creation_writes_once_and_answers_the_same(
    alice_api: APIClient, alice: User
) -> None:
    first = post(alice_api, "", NEW)
    alice.refresh_from_db()
    second = post(alice_api, "", NEW)

    assert second.status_code == 201
    assert second["Idempotency-Replayed"] == "true"
    assert second.content == first.content
    for name in ("Location", "ETag", "Content-Type"):
        assert second[name] == first[name]
    assert Task.objects.count() == TaskChange.objects.count() == 1
    revision = alice.revision
    alice.refresh_from_db()
    assert alice.revision == revision


def test_request_without_a_key_writes_every_time(alice_api: APIClient) -> None:
    for _ in range(2):
        post(alice_api, "", NEW, key=None)

    assert Task.objects.count() == 2
    assert not IdempotencyRecord.objects.exists()


def test_keys_of_their_own_write_each(alice_api: APIClient) -> None:
    for key in ("a", "b", "A", " a"):
        assert "Idempotency-Replayed" not in post(alice_api, "", NEW, key=f'"{key}"')

    assert Task.objects.count() == 4


@pytest.mark.parametrize(
    "same",
    [
        {"priority": "HIGH", "title": "Build API"},
        {"title": "Build API", "priority": "HIGH"},
    ],
)
def test_order_of_names_makes_no_other_body(
    alice_api: APIClient, same: dict[str, str]
) -> None:
    post(alice_api, "", NEW)

    assert post(alice_api, "", same)["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"title": "Build API"}),
        ("", NEW | {"priority": "LOW"}),
        ("", NEW | {"title": "Build API "}),
        ("", {"title": ""}),
        ("/batch", NEW),
        ("/batch", {"operations": [{"op": "create", "data": NEW}]}),
    ],
)
def test_key_with_another_request_is_refused(
    alice_api: APIClient, path: str, body: Any
) -> None:
    post(alice_api, "", NEW)
    response = post(alice_api, path, body)

    assert response.status_code == 422
    assert error_of(response) == {"code": "IDEMPOTENCY_KEY_REUSED", "message": REUSED}
    assert Task.objects.count() == 1
    assert post(alice_api, "", NEW).status_code == 201


def test_restore_of_another_task_is_another_request(
    alice_api: APIClient, alice: User
) -> None:
    first, second = trash(make_task(alice)), trash(make_task(alice))
    post(alice_api, f"/{first.pk}/restore")
    response = post(alice_api, f"/{second.pk}/restore")

    assert response.status_code == 422
    assert Task.objects.trashed().get() == second


def test_key_of_somebody_else_is_independent(
    alice_api: APIClient, bob_api: APIClient, bob: User
) -> None:
    post(alice_api, "", NEW)
    same, other = post(bob_api, "", NEW), post(bob_api, "", {"title": "B"}, key="k2")

    for response in (same, other):
        assert response.status_code == 201
        assert "Idempotency-Replayed" not in response
        assert response.json()["userId"] == str(bob.pk)
    assert Task.objects.filter(user_id=bob.pk).count() == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [("k", '"k"'), ('"k"', "k"), ('"k"', '"k"'), ('"with space"', "with space")],
)
def test_quoted_and_bare_are_one_key(
    alice_api: APIClient, first: str, second: str
) -> None:
    post(alice_api, "", NEW, key=first)

    assert post(alice_api, "", NEW, key=second)["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    "key",
    [
        "a" * 255,
        '"' + "a" * 255 + '"',
        "8e03978e-40d5-43e8-bc93-6894a57f9324",
        "~!#$%&'()*+,-./:;<=>?@[]",
    ],
)
def test_printable_ascii_is_a_key(alice_api: APIClient, key: str) -> None:
    assert post(alice_api, "", NEW, key=key).status_code == 201
    assert post(alice_api, "", NEW, key=key)["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    "key", ["", '""', "a" * 256, '"' + "a" * 256 + '"', "a\tb", "ä", "\x7f", "€"]
)
def test_bad_key_is_refused(alice_api: APIClient, key: str) -> None:
    response = post(alice_api, "", NEW, key=key)

    assert details_of(response) == [("Idempotency-Key", "invalid")]
    hint = "Send 1 to 255 printable ASCII characters."
    assert error_of(response)["details"][0]["message"] == hint
    assert not Task.objects.exists()


def test_invalid_request_may_be_mended_and_sent_again(alice_api: APIClient) -> None:
    refused = post(alice_api, "", {"title": ""})
    assert refused.status_code == 400
    assert not IdempotencyRecord.objects.exists()
    mended = post(alice_api, "", NEW)

    assert mended.status_code == 201
    assert "Idempotency-Replayed" not in mended


def test_malformed_json_is_not_stored(alice_api: APIClient) -> None:
    headers = {"HTTP_IDEMPOTENCY_KEY": "k", "content_type": "application/json"}
    refused = alice_api.generic("POST", "/api/tasks", "{", **headers)

    assert refused.status_code == 400
    assert post(alice_api, "", NEW).status_code == 201


def test_missing_task_is_not_stored(alice_api: APIClient, task: Task) -> None:
    path = f"/{task.pk}/restore"
    assert post(alice_api, path).status_code == 404
    trash(task)
    restored = post(alice_api, path)

    assert restored.status_code == 200
    assert "Idempotency-Replayed" not in restored


def test_stale_batch_is_not_stored(alice_api: APIClient, task: Task) -> None:
    update = {"op": "update", "id": str(task.pk), "version": 2, "data": {"title": "C"}}
    body = {"operations": [{"op": "create", "data": NEW}, update]}
    assert post(alice_api, "/batch", body).status_code == 412
    alice_api.patch(f"/api/tasks/{task.pk}", {"title": "B"}, format="json")
    done = post(alice_api, "/batch", body)

    assert done.status_code == 200
    assert "Idempotency-Replayed" not in done
    assert Task.objects.count() == 2


def test_failure_of_ours_is_not_stored(
    alice_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    alice_api.raise_request_exception = False
    with monkeypatch.context() as patched:
        patched.setattr(IdempotencyRecord.objects, "filter", fail)
        assert post(alice_api, "", NEW).status_code == 500
    # The write went with the answer that could not be stored.
    assert not Task.objects.exists()

    assert post(alice_api, "", NEW).status_code == 201


def test_repeated_restore_restores_once(alice_api: APIClient, task: Task) -> None:
    trash(task)
    first = post(alice_api, f"/{task.pk}/restore")
    second = post(alice_api, f"/{task.pk}/restore")

    assert first.status_code == second.status_code == 200
    assert second["Idempotency-Replayed"] == "true"
    assert second.content == first.content
    assert second["ETag"] == first["ETag"] == '"v3"'
    assert "Location" not in second
    assert TaskChange.objects.count() == 3


def test_repeated_batch_writes_once(alice_api: APIClient, task: Task) -> None:
    update = {"op": "update", "id": str(task.pk), "version": 1, "data": {"title": "B"}}
    body = {"operations": [{"op": "create", "data": NEW}, update]}
    first, second = post(alice_api, "/batch", body), post(alice_api, "/batch", body)

    assert first.status_code == second.status_code == 200
    assert second["Idempotency-Replayed"] == "true"
    assert second.content == first.content
    assert Task.objects.count() == 2
    task.refresh_from_db()
    assert task.version == 2


def test_replay_tells_what_was_answered_then(alice_api: APIClient) -> None:
    first = post(alice_api, "", NEW)
    alice_api.patch(first["Location"], {"title": "Changed since"}, format="json")
    alice_api.delete(first["Location"])
    second = post(alice_api, "", NEW)

    assert second.status_code == 201
    assert second.content == first.content
    assert not Task.objects.live().exists()


@pytest.mark.parametrize(("seconds", "replayed"), [(-1, True), (1, False)])
def test_answer_is_kept_for_a_day(
    alice_api: APIClient, clock: Clock, seconds: int, replayed: bool
) -> None:
    post(alice_api, "", NEW)
    clock.advance(hours=24, seconds=seconds)
    response = post(alice_api, "", NEW)

    assert response.status_code == 201
    assert ("Idempotency-Replayed" in response) == replayed
    assert Task.objects.count() == (1 if replayed else 2)
    assert IdempotencyRecord.objects.count() == 1


def test_expired_key_may_carry_another_request(
    alice_api: APIClient, clock: Clock
) -> None:
    post(alice_api, "", NEW)
    clock.advance(hours=25)

    assert post(alice_api, "", {"title": "Other"}).status_code == 201
    assert post(alice_api, "", {"title": "Other"})["Idempotency-Replayed"] == "true"


# How much is stored


def stored_bytes(user: User) -> int:
    bodies = IdempotencyRecord.objects.filter(user=user).values_list("body", flat=True)
    return sum(len(body.encode()) + ROW_BYTES for body in bodies)


def test_stored_responses_are_counted(alice_api: APIClient, alice: User) -> None:
    for number in range(3):
        post(alice_api, "", {"title": "\N{EURO SIGN}" * number + "x"}, key=str(number))
    post(alice_api, "", {"title": ""}, key="refused")
    post(alice_api, "", {"title": "x"}, key="0")

    alice.refresh_from_db()
    assert alice.idempotency_bytes == stored_bytes(alice)


def test_no_more_is_stored_than_allowed(
    alice_api: APIClient, bob_api: APIClient, alice: User, clock: Clock, settings: Any
) -> None:
    first = post(alice_api, "", NEW, key="1")
    settings.QUOTA_IDEMPOTENCY_BYTES = 2 * stored_bytes(alice)
    assert post(alice_api, "", NEW, key="2").status_code == 201
    clock.advance(hours=1)

    refused = post(alice_api, "", NEW, key="3")

    assert refused.status_code == 429
    assert error_of(refused)["code"] == "RATE_LIMITED"
    assert "QUOTA_IDEMPOTENCY_BYTES" in error_of(refused)["message"]
    assert refused["Retry-After"] == str(23 * 3600)
    assert Task.objects.count() == IdempotencyRecord.objects.count() == 2
    # Nothing else is refused.
    assert post(alice_api, "", NEW, key="1").content == first.content
    assert post(alice_api, "", NEW, key=None).status_code == 201
    assert post(bob_api, "", NEW, key="3").status_code == 201
    clock.advance(hours=23, seconds=1)
    assert post(alice_api, "", NEW, key="3").status_code == 201
    alice.refresh_from_db()
    assert alice.idempotency_bytes == settings.QUOTA_IDEMPOTENCY_BYTES / 2


def test_long_response_counts_as_it_is_long(
    alice_api: APIClient, settings: Any
) -> None:
    settings.QUOTA_IDEMPOTENCY_BYTES = 50_000
    long = {"title": "x", "description": "x" * 5000}
    batch = {"operations": [{"op": "create", "data": long}] * 10}

    assert post(alice_api, "/batch", batch).status_code == 429
    assert not Task.objects.exists()
    assert post(alice_api, "", NEW).status_code == 201
