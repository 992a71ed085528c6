from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from taskapi.api.preconditions import WEAK
from tasks.models import Task, TaskChange
from tests.factories import Priority, Status, make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import ACCEPTED, JSON, at, details_of, error_of

STALE = "The task has changed; error.current is what it is now."
EXPECTED = "Write a date and time with offset, such as 2026-12-31T09:00:00Z."
# If-Match, version in the body, status; the task is at version 2.
PRECONDITIONS = [
    (None, None, 200),
    ('"v2"', None, 200),
    ("*", None, 200),
    (' "v2" ', None, 200),
    ('"v1", "v2"', None, 200),
    ('"v2","v3"', None, 200),
    (None, 2, 200),
    ('"v2"', 2, 200),
    ("*", 2, 200),
    ('"v1"', None, 412),
    ('"v3"', None, 412),
    ('"v20"', None, 412),
    ('"V2"', None, 412),
    ('""', None, 412),
    ('"*"', None, 412),
    ('W/"v2"', None, 412),
    ('"v1", W/"v2"', None, 412),
    ('"2"', None, 412),
    (None, 1, 412),
    (None, 3, 412),
    ('"v2"', 1, 412),
    ('"v1"', 2, 412),
    ("*", 1, 412),
]
MALFORMED = ["v2", "2", '"v2', '"v2" "v3"', '*, "v2"', "", 'w/"v2"', "**"]

# Body, as text because not every JSON text has a Python value; the code of the refusal.
BAD_FIELDS = [
    ("title", "5", "invalid"),
    ("title", "1e400", "invalid"),
    ("title", "true", "invalid"),
    ("title", "[]", "invalid"),
    ("title", '["a"]', "invalid"),
    ("title", "{}", "invalid"),
    ("title", "null", "null"),
    ("title", '""', "blank"),
    ("title", r'" \t\n\u00a0"', "blank"),
    ("title", f'"{"a" * 256}"', "max_length"),
    ("title", r'"a\u0000b"', "null_characters_not_allowed"),
    ("title", r'"a\ud800b"', "surrogate_characters_not_allowed"),
    ("description", "5", "invalid"),
    ("description", "false", "invalid"),
    ("description", "[]", "invalid"),
    ("description", f'"{"a" * 5001}"', "max_length"),
    ("description", r'"\u0000"', "null_characters_not_allowed"),
    ("description", r'"\udfff"', "surrogate_characters_not_allowed"),
    ("status", '"todo"', "invalid_choice"),
    ("status", '""', "invalid_choice"),
    ("status", "1", "invalid_choice"),
    ("status", "null", "null"),
    ("status", '["TODO"]', "invalid_choice"),
    ("status", r'"\ud800"', "invalid_choice"),
    ("priority", '"low"', "invalid_choice"),
    ("priority", "2", "invalid_choice"),
    ("priority", "true", "invalid_choice"),
    ("priority", "null", "null"),
    ("priority", r'"\ud800"', "invalid_choice"),
    ("dueDate", "5", "invalid"),
    ("dueDate", "1e400", "invalid"),
    ("dueDate", "true", "invalid"),
    ("dueDate", "[]", "invalid"),
    ("dueDate", '""', "invalid"),
    ("dueDate", '"tomorrow"', "invalid"),
    ("dueDate", '"2026-12-31"', "invalid"),
    ("dueDate", '"2026-12-31T09:00:00"', "invalid"),
    ("dueDate", '"2026-12-31T09:00Z"', "invalid"),
    ("dueDate", '"2026-12-31 09:00:00Z"', "invalid"),
    ("dueDate", '" 2026-12-31T09:00:00Z"', "invalid"),
    ("dueDate", r'"2026-12-31T09:00:00Z\n"', "invalid"),
    ("dueDate", '"2026-02-30T09:00:00Z"', "invalid"),
    ("dueDate", '"2026-13-01T09:00:00Z"', "invalid"),
    ("dueDate", '"2026-12-31T24:00:00Z"', "invalid"),
    ("dueDate", '"2026-12-31T23:59:60Z"', "invalid"),
    ("dueDate", '"2026-12-31T09:00:00+24:00"', "invalid"),
    ("dueDate", '"2026-12-31T09:00:00-00:60"', "invalid"),
    ("dueDate", '"2026-12-31T09:00:00+01"', "invalid"),
    ("dueDate", '"2026-12-31T09:00:00+010"', "invalid"),
    ("dueDate", '"2026-12-31T09:00:00.Z"', "invalid"),
    ("dueDate", '"2026-12-31T09:00:00,5Z"', "invalid"),
    ("dueDate", '"٢٠٢٦-12-31T09:00:00Z"', "invalid"),
    ("dueDate", '"0000-01-01T00:00:00Z"', "invalid"),
    ("dueDate", '"0001-01-01T00:00:00+23:59"', "invalid"),
    ("dueDate", '"9999-12-31T23:59:59-00:01"', "invalid"),
    ("dueDate", '"12026-12-31T09:00:00Z"', "invalid"),
    ("version", '"2"', "invalid"),
    ("version", "2.0", "invalid"),
    ("version", "true", "invalid"),
    ("version", "1e400", "invalid"),
    ("version", "null", "null"),
    ("version", "0", "min_value"),
    ("version", "-1", "min_value"),
    ("version", "2147483648", "max_value"),
]
INSTANTS = [
    ("2026-12-31T09:00:00Z", "2026-12-31T09:00:00Z"),
    ("2026-12-31t09:00:00z", "2026-12-31T09:00:00Z"),
    ("2026-12-31T09:00:00+05:30", "2026-12-31T03:30:00Z"),
    ("2026-12-31T23:00:00-02:00", "2027-01-01T01:00:00Z"),
    ("2026-12-31T09:00:00-00:00", "2026-12-31T09:00:00Z"),
    ("2026-12-31T09:00:00.5Z", "2026-12-31T09:00:00.500000Z"),
    ("2026-12-31T09:00:00.123456Z", "2026-12-31T09:00:00.123456Z"),
    ("2026-12-31T09:00:00.1234567Z", "2026-12-31T09:00:00.123456Z"),
    ("2026-12-31T09:00:00.999999999+01:00", "2026-12-31T08:00:00.999999Z"),
    ("2026-12-31T09:00:00+0530", "2026-12-31T03:30:00Z"),
    ("2026-12-31T09:00:00.000000000-0200", "2026-12-31T11:00:00Z"),
    ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
    ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ("0001-01-01T23:59:00+23:59", "0001-01-01T00:00:00Z"),
    ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ("9999-12-31T00:00:59-23:59", "9999-12-31T23:59:59Z"),
]
FIELDS = [
    ("title", "Feed the cat"),
    ("title", " kept as it is "),
    ("title", "ä" * 255),
    ("title", "🚀" * 255),
    ("description", "Twice a day"),
    ("description", ""),
    ("description", " "),
    ("description", "a" * 5000),
    ("description", None),
    ("status", "IN_PROGRESS"),
    ("priority", "URGENT"),
    ("dueDate", "2027-01-01T00:00:00Z"),
    ("dueDate", None),
]


@pytest.fixture
def full(alice: User) -> Task:
    """A task with every field set."""
    due = at("2026-12-31T09:00:00")
    return make_task(
        alice, description="With rain water", priority=Priority.HIGH, due_at=due
    )


def patch(api: APIClient, task: Task, body: Any, **headers: Any) -> Any:
    return api.patch(f"/api/tasks/{task.pk}", body, format="json", **headers)


@pytest.mark.parametrize(("name", "value"), FIELDS)
def test_only_the_sent_field_changes(
    alice_api: APIClient, full: Task, clock: Clock, name: str, value: Any
) -> None:
    before = alice_api.get(f"/api/tasks/{full.pk}").json()
    clock.advance(minutes=5)
    response = patch(alice_api, full, {name: value})

    assert response.status_code == 200
    assert response["ETag"] == '"v2"'
    now = clock.time.isoformat().replace("+00:00", "Z")
    changed = {name: value, "version": 2, "updatedAt": now}
    assert response.json() == before | changed
    assert alice_api.get(f"/api/tasks/{full.pk}").json() == before | changed


@pytest.mark.parametrize("body", [{}, {"title": "Water the plants"}, {"version": 1}])
def test_patch_that_changes_nothing_leaves_the_task_as_it_is(
    alice_api: APIClient, full: Task, clock: Clock, body: dict[str, Any]
) -> None:
    before = alice_api.get(f"/api/tasks/{full.pk}").json()
    clock.advance(minutes=5)
    response = patch(alice_api, full, body)

    assert response.status_code == 200
    assert response["ETag"] == '"v1"'
    assert response.json() == before
    assert alice_api.get(f"/api/tasks/{full.pk}").json() == before
    assert TaskChange.objects.count() == 1


@pytest.mark.parametrize("body", [{}, {"title": "Water the plants"}])
def test_patch_that_changes_nothing_moves_no_list(
    alice_api: APIClient, alice: User, full: Task, body: dict[str, Any]
) -> None:
    tag = alice_api.get("/api/tasks")["ETag"]
    operations = [{"op": "update", "id": str(full.pk), "data": body}] * 2
    patch(alice_api, full, body)
    batch = {"operations": operations}
    for headers in ({}, {"HTTP_IDEMPOTENCY_KEY": "same"}):
        path = "/api/tasks/batch"
        response = alice_api.post(path, batch, format="json", **headers)
        assert response.status_code == 200

    assert alice_api.get("/api/tasks", HTTP_IF_NONE_MATCH=tag).status_code == 304
    before = alice.revision
    alice.refresh_from_db()
    assert alice.revision == before + 1  # of the task's creation


def test_echo_of_the_whole_task_changes_nothing(
    alice_api: APIClient, full: Task
) -> None:
    before = alice_api.get(f"/api/tasks/{full.pk}").json()
    response = patch(alice_api, full, before)

    assert response.status_code == 200
    assert response.json() == before


def test_server_owned_fields_are_ignored(
    alice_api: APIClient, full: Task, bob: User
) -> None:
    before = alice_api.get(f"/api/tasks/{full.pk}").json()
    ours = {
        "id": "11111111-1111-4111-8111-111111111111",
        "userId": str(bob.pk),
        "createdAt": None,
        "updatedAt": 5,
        "completedAt": "2000-01-01T00:00:00Z",
    }
    response = patch(alice_api, full, ours)

    assert response.status_code == 200
    assert response.json() == before


def test_completion_follows_the_status(
    alice_api: APIClient, task: Task, clock: Clock
) -> None:
    def completed_at(status: str) -> str | None:
        clock.advance(minutes=1)
        return patch(alice_api, task, {"status": status}).json()["completedAt"]

    assert completed_at("IN_PROGRESS") is None
    done = completed_at("DONE")
    assert done == clock.time.isoformat().replace("+00:00", "Z")
    assert completed_at("DONE") == done
    assert completed_at("TODO") is None
    assert completed_at("DONE") > done


def test_other_change_of_a_done_task_keeps_its_completion(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    task = make_task(alice, status=Status.DONE)
    done = clock.time.isoformat().replace("+00:00", "Z")
    clock.advance(minutes=1)
    response = patch(alice_api, task, {"title": "Done that"})

    assert response.json()["completedAt"] == done


def test_patches_of_different_fields_merge(alice_api: APIClient, task: Task) -> None:
    patch(alice_api, task, {"title": "Feed the cat"})
    patch(alice_api, task, {"priority": "HIGH"})

    body = alice_api.get(f"/api/tasks/{task.pk}").json()
    assert (body["title"], body["priority"]) == ("Feed the cat", "HIGH")
    assert body["version"] == 3


@pytest.mark.parametrize(("if_match", "version", "status"), PRECONDITIONS)
def test_precondition_decides(
    alice_api: APIClient,
    task: Task,
    if_match: str | None,
    version: int | None,
    status: int,
) -> None:
    current = patch(alice_api, task, {"title": "Second"}).json()
    body = {"title": "Third"} | ({"version": version} if version else {})
    headers = {"HTTP_IF_MATCH": if_match} if if_match else {}
    response = patch(alice_api, task, body, **headers)

    assert response.status_code == status
    if status == 200:
        assert response["ETag"] == '"v3"'
        assert response.json()["title"] == "Third"
    else:
        assert response["ETag"] == '"v2"'
        assert error_of(response) == {
            "code": "PRECONDITION_FAILED",
            "message": WEAK if "W/" in (if_match or "") else STALE,
            "current": current,
        }
        assert alice_api.get(f"/api/tasks/{task.pk}").json() == current


def test_stale_patch_that_would_change_nothing_is_still_stale(
    alice_api: APIClient, task: Task
) -> None:
    response = patch(alice_api, task, {}, HTTP_IF_MATCH='"v9"')

    assert response.status_code == 412


@pytest.mark.parametrize("if_match", MALFORMED)
def test_malformed_if_match_is_refused(
    alice_api: APIClient, task: Task, if_match: str
) -> None:
    response = patch(alice_api, task, {"title": "B"}, HTTP_IF_MATCH=if_match)

    assert details_of(response) == [("If-Match", "invalid")]
    task.refresh_from_db()
    assert task.title == "Water the plants"


@pytest.mark.parametrize("if_match", ['"v1",', ', ,"v1"', '"v9", ,"v1" ,'])
def test_list_of_tags_may_have_empty_elements(
    alice_api: APIClient, task: Task, if_match: str
) -> None:
    response = patch(alice_api, task, {"title": "B"}, HTTP_IF_MATCH=if_match)

    assert response.status_code == 200


def test_unknown_fields_may_be_called_message_and_code(
    alice_api: APIClient, task: Task
) -> None:
    response = patch(alice_api, task, {"message": 1, "code": 2})

    assert details_of(response) == [("code", "unknown"), ("message", "unknown")]


@pytest.mark.parametrize(("name", "value", "code"), BAD_FIELDS)
def test_bad_value_is_refused(
    alice_api: APIClient, task: Task, name: str, value: str, code: str
) -> None:
    body = f'{{"priority": "HIGH", "{name}": {value}}}'
    if name == "priority":
        body = f'{{"title": "B", "priority": {value}}}'
    path = f"/api/tasks/{task.pk}"
    before = alice_api.get(path).json()
    response = alice_api.generic("PATCH", path, body, content_type=JSON)

    assert details_of(response) == [(name, code)]
    assert alice_api.get(path).json() == before


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ({"status": "LATER"}, "Not one of: TODO, IN_PROGRESS, DONE."),
        ({"priority": "TOP"}, "Not one of: LOW, MEDIUM, HIGH, URGENT."),
        ({"dueDate": "soon"}, EXPECTED),
    ],
)
def test_refusal_says_what_is_accepted(
    alice_api: APIClient, task: Task, body: dict[str, str], hint: str
) -> None:
    response = patch(alice_api, task, body)

    assert [d["message"] for d in error_of(response)["details"]] == [hint]


@pytest.mark.parametrize(("sent", "kept"), INSTANTS)
def test_due_date_is_kept_to_the_microsecond_in_utc(
    alice_api: APIClient, task: Task, sent: str, kept: str
) -> None:
    response = patch(alice_api, task, {"dueDate": sent})

    assert response.status_code == 200
    assert response.json()["dueDate"] == kept
    assert alice_api.get(f"/api/tasks/{task.pk}").json()["dueDate"] == kept


def test_same_instant_with_another_offset_changes_nothing(
    alice_api: APIClient, full: Task
) -> None:
    response = patch(alice_api, full, {"dueDate": "2026-12-31T10:00:00+01:00"})

    assert response.json()["version"] == 1


def test_unknown_field_is_named_with_what_is_accepted(
    alice_api: APIClient, task: Task
) -> None:
    response = patch(alice_api, task, {"title": "B", "Title": "C"})

    assert details_of(response) == [("Title", "unknown")]
    accepted = f"{ACCEPTED}, version"
    hint = f"Unknown field. Accepted: {accepted}."
    assert error_of(response)["details"][0]["message"] == hint


@pytest.mark.parametrize("body", ["[]", "null", '"title"', "1"])
def test_body_that_is_no_object_is_refused(
    alice_api: APIClient, task: Task, body: str
) -> None:
    path = f"/api/tasks/{task.pk}"
    response = alice_api.generic("PATCH", path, body, content_type=JSON)

    assert response.status_code == 400
    assert error_of(response)["code"] == "VALIDATION_ERROR"
    task.refresh_from_db()
    assert task.version == 1


def test_deleted_task_stays_deleted(alice_api: APIClient, task: Task) -> None:
    alice_api.delete(f"/api/tasks/{task.pk}")
    response = patch(alice_api, task, {"title": "Back again"})

    assert response.status_code == 404
    assert alice_api.get(f"/api/tasks/{task.pk}").status_code == 404
