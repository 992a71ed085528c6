import json
import re
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task, TaskChange, inbox_id
from tests.tasks.conftest import Clock
from tests.tasks.wire import ACCEPTED, JSON, details_of, error_of, untouched

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z"


def test_task_is_created_with_defaults(alice_api: APIClient, alice: User) -> None:
    response = alice_api.post("/api/tasks", {"title": "Build API"}, format="json")

    assert response.status_code == 201
    body = response.json()
    assert response["Location"] == f"/api/tasks/{body['id']}"
    assert response["ETag"] == '"v1"'
    assert re.fullmatch(INSTANT, body.pop("createdAt"))
    assert re.fullmatch(INSTANT, body.pop("updatedAt"))
    task = Task.objects.get()
    assert body == untouched(alice) | {
        "id": str(task.pk),
        "title": "Build API",
        "description": None,
        "status": "TODO",
        "priority": "MEDIUM",
        "dueDate": None,
        "version": 1,
    }


def test_every_field_that_is_sent_is_kept(alice_api: APIClient) -> None:
    sent = {
        "title": "  Build\tAPI 🚀 ",
        "description": " with\nlines ",
        "status": "IN_PROGRESS",
        "priority": "URGENT",
        "dueDate": "2026-12-31T10:30:00.250000+05:30",
    }
    response = alice_api.post("/api/tasks", sent, format="json")

    body = response.json()
    kept = {name: body[name] for name in sent}
    assert kept == sent | {"dueDate": "2026-12-31T05:00:00.250000Z"}
    assert alice_api.get(response["Location"]).json() == body


def test_task_born_done_is_completed(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    sent = {"title": "Build API", "status": "DONE"}
    response = alice_api.post("/api/tasks", sent, format="json")

    body = response.json()
    assert body["completedAt"] == body["createdAt"] == body["updatedAt"]
    assert body["version"] == 1


def test_server_owned_fields_are_ignored(alice_api: APIClient, bob: User) -> None:
    ours = {
        "id": "11111111-1111-4111-8111-111111111111",
        "userId": str(bob.pk),
        "createdAt": "2000-01-01T00:00:00Z",
        "updatedAt": ["anything", {"at": "all"}],
        "completedAt": "2000-01-01T00:00:00Z",
    }
    response = alice_api.post("/api/tasks", {"title": "A"} | ours, format="json")

    assert response.status_code == 201
    body = response.json()
    assert all(body[name] != value for name, value in ours.items())
    assert body["completedAt"] is None


@pytest.mark.parametrize("name", ["owner", "isAdmin", "user", "revision", "deleted_at"])
def test_unknown_field_is_named_with_what_is_accepted(
    alice_api: APIClient, name: str
) -> None:
    response = alice_api.post("/api/tasks", {"title": "A", name: 1}, format="json")

    assert response.status_code == 400
    hint = f"Unknown field. Accepted: {ACCEPTED}."
    assert error_of(response) == {
        "code": "VALIDATION_ERROR",
        "message": f"{name}: {hint}",
        "details": [{"field": name, "code": "unknown", "message": hint}],
    }
    assert not Task.objects.exists()


def test_unknown_field_with_half_a_character_in_its_name_is_refused(
    alice_api: APIClient,
) -> None:
    body = r'{"title": "A", "half \ud800": 1}'
    response = alice_api.generic("POST", "/api/tasks", body, content_type=JSON)

    assert details_of(response) == [("half \\ud800", "unknown")]


def test_everything_wrong_is_told_at_once(alice_api: APIClient) -> None:
    sent = {"title": " ", "status": "LATER", "priority": 7, "dueDate": "soon"}
    response = alice_api.post("/api/tasks", sent, format="json")

    assert details_of(response) == [
        ("title", "blank"),
        ("status", "invalid_choice"),
        ("priority", "invalid_choice"),
        ("dueDate", "invalid"),
    ]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("", ("title", "required")),
        ("{}", ("title", "required")),
        ("[]", ("", "invalid")),
        ("null", ("", "null")),
        ('"title"', ("", "invalid")),
        ("17", ("", "invalid")),
        ('{"title": 1e400}', ("title", "invalid")),
        ('{"title": null}', ("title", "null")),
    ],
)
def test_body_that_is_no_task_is_refused(
    alice_api: APIClient, body: str, detail: tuple[str, str]
) -> None:
    response = alice_api.generic("POST", "/api/tasks", body, content_type=JSON)

    assert details_of(response) == [detail]
    assert not Task.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        '{"title": "A"',
        '{"title": "A", "title": "B"}',
        '{"title": NaN}',
        "{'title': 'A'}",
        "[" * 5000,
        b'{"title": "\xe4"}',
    ],
)
def test_body_that_is_no_json_is_refused(alice_api: APIClient, body: Any) -> None:
    response = alice_api.generic("POST", "/api/tasks", body, content_type=JSON)

    assert response.status_code == 400
    assert error_of(response)["code"] == "MALFORMED_JSON"
    assert not Task.objects.exists()


def test_form_is_refused(alice_api: APIClient) -> None:
    response = alice_api.post("/api/tasks", {"title": "A"}, format="multipart")

    assert response.status_code == 415
    assert error_of(response)["code"] == "UNSUPPORTED_MEDIA_TYPE"


def test_query_parameter_is_refused(alice_api: APIClient) -> None:
    response = alice_api.post("/api/tasks?dryRun=1", {"title": "A"}, format="json")

    assert details_of(response) == [("dryRun", "unknown")]
    assert not Task.objects.exists()


def test_creation_is_the_first_entry_of_the_history(
    alice_api: APIClient, alice: User
) -> None:
    sent = json.dumps({"title": "A", "priority": "LOW"})
    headers = {"HTTP_X_REQUEST_ID": "my-request"}
    alice_api.generic("POST", "/api/tasks", sent, content_type=JSON, **headers)

    change = TaskChange.objects.get()
    assert (change.version, change.changed_by) == (1, alice.pk)
    assert change.request_id == "my-request"
    inbox = str(inbox_id(alice.pk))
    assert change.fields == [
        {"field": "projectId", "from": None, "to": inbox},
        {"field": "title", "from": None, "to": "A"},
        {"field": "status", "from": None, "to": "TODO"},
        {"field": "priority", "from": None, "to": "LOW"},
    ]


@pytest.mark.django_db(transaction=True)
def test_failed_write_leaves_nothing(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Task.creation

    def broken(task: Task) -> TaskChange:
        change = whole(task)
        change.version = -1
        return change

    monkeypatch.setattr(Task, "creation", broken)
    alice_api.raise_request_exception = False
    response = alice_api.post("/api/tasks", {"title": "A"}, format="json")

    assert response.status_code == 500
    assert error_of(response)["message"] == "Something went wrong"
    assert not Task.objects.exists()
    alice.refresh_from_db()
    assert alice.revision == 0


def test_task_that_was_read_can_be_sent_as_a_new_one(alice_api: APIClient) -> None:
    made = alice_api.post("/api/tasks", {"title": "x"}, format="json").json()
    alice_api.delete(f"/api/tasks/{made['id']}")
    [trashed] = alice_api.get("/api/tasks/trash").json()["items"]
    for body in (made, made | {"version": 7}, trashed):
        response = alice_api.post("/api/tasks", body, format="json")
        assert response.status_code == 201, response.content
        assert response.json()["version"] == 1
    project = alice_api.post("/api/projects", {"name": "x"}, format="json").json()
    again = alice_api.post("/api/projects", project | {"version": 3}, format="json")
    assert (again.status_code, again.json()["version"]) == (201, 1)
