import json
import re
from typing import Any

import pytest
from django.contrib.auth.hashers import identify_hasher
from django.db import OperationalError
from django.test import Client

from accounts.auth import sessions
from accounts.models import Session, User
from tests.accounts.wire import error, invalid, is_welcome, post, refresh

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
ALICE = {"name": "Alice", "email": "alice@example.com", "password": "tr0ub4dor&3"}

pytestmark = pytest.mark.django_db


def test_account_is_made_and_signed_in() -> None:
    response = post("register", ALICE)

    assert response.status_code == 201
    body = response.json()
    access, fresh = body.pop("accessToken"), body.pop("refreshToken")
    assert re.fullmatch(INSTANT, body["user"].pop("createdAt"))
    assert re.fullmatch(INSTANT, body["user"].pop("updatedAt"))
    user = User.objects.get()
    assert body == {
        "user": {
            "id": str(user.pk),
            "name": "Alice",
            "email": "alice@example.com",
            "role": "USER",
        }
    }
    assert is_welcome(access)
    assert refresh(fresh).status_code == 200


def test_password_is_stored_as_a_hash() -> None:
    post("register", ALICE)

    user = User.objects.get()
    assert identify_hasher(user.password)
    assert user.check_password(ALICE["password"])


def test_session_remembers_device_and_address() -> None:
    post("register", ALICE, HTTP_USER_AGENT="curl/8", REMOTE_ADDR="192.0.2.7")

    session = Session.objects.get()
    assert (session.user_agent, session.address) == ("curl/8", "192.0.2.7")


@pytest.mark.parametrize("email", ["alice@example.com", "ALICE@Example.COM"])
def test_taken_address_is_refused_whatever_its_case(alice: User, email: str) -> None:
    response = post("register", ALICE | {"email": email})

    assert response.status_code == 409
    message = "This e-mail address is already registered."
    assert response.json() == error(response, "CONFLICT", message)
    assert User.objects.count() == 1


def test_address_and_name_are_kept_as_they_were_written() -> None:
    post("register", ALICE | {"email": "Alice@Example.com", "name": " Älice  B "})

    user = User.objects.get()
    assert (user.email, user.name) == ("Alice@Example.com", " Älice  B ")


def test_longest_name_is_taken() -> None:
    response = post("register", ALICE | {"name": "ä" * 100})

    assert response.status_code == 201


REQUIRED = ("required", "This field is required.")
BLANK = ("blank", "This field may not be blank.")
NOT_TEXT = ("invalid", "Not a valid string.")
NULL = ("null", "This field may not be null.")
NO_ADDRESS = ("invalid", "Enter a valid email address.")
NUL = ("null_characters_not_allowed", "Null characters are not allowed.")
ACCEPTED = "name, email, password, invitationToken"
UNKNOWN = ("unknown", f"Unknown field. Accepted: {ACCEPTED}.")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("name", ..., REQUIRED),
        ("name", None, NULL),
        ("name", "", BLANK),
        ("name", " \t ", BLANK),
        ("name", 7, NOT_TEXT),
        ("name", True, NOT_TEXT),
        ("name", ["Alice"], NOT_TEXT),
        ("name", "A\0lice", NUL),
        (
            "name",
            "a" * 101,
            ("max_length", "Ensure this field has no more than 100 characters."),
        ),
        ("email", ..., REQUIRED),
        ("email", None, NULL),
        ("email", "", BLANK),
        ("email", "alice", NO_ADDRESS),
        ("email", "alice@", NO_ADDRESS),
        ("email", {"$ne": ""}, NO_ADDRESS),
        (
            "email",
            "alice@exämple.com",
            ("ascii", "Write the address in ASCII (xn-- for other domains)."),
        ),
        ("password", ..., REQUIRED),
        ("password", None, NULL),
        ("password", " " * 12, BLANK),
        ("password", 1234567890, NOT_TEXT),
        ("role", "ADMIN", UNKNOWN),
        ("is_active", True, UNKNOWN),
        ("id", "00000000-0000-4000-8000-000000000000", UNKNOWN),
    ],
)
def test_bad_input_is_refused_by_name(
    field: str, value: Any, reason: tuple[str, str]
) -> None:
    body = {k: v for k, v in (ALICE | {field: value}).items() if v is not ...}

    response = post("register", body)

    assert response.status_code == 400
    assert response.json() == invalid(response, field, *reason)
    assert not User.objects.exists()


def test_address_longer_than_the_column_is_refused() -> None:
    response = post("register", ALICE | {"email": "a" * 250 + "@b.org"})

    assert response.status_code == 400
    codes = [(d["field"], d["code"]) for d in response.json()["error"]["details"]]
    assert ("email", "max_length") in codes


def test_every_bad_field_is_named_at_once() -> None:
    response = post("register", {})

    message = "This field is required."
    details = [
        {"field": name, "code": "required", "message": message}
        for name in ["name", "email", "password"]
    ]
    summary = "; ".join(f"{name}: {message}" for name in ["name", "email", "password"])
    assert response.status_code == 400
    assert response.json() == error(
        response, "VALIDATION_ERROR", summary, details=details
    )


@pytest.mark.parametrize("body", ["{", "[" * 5000, "{'name': 'a'}", '{"name": NaN}'])
def test_broken_json_is_refused(body: str) -> None:
    response = send(body)

    assert response.status_code == 400
    message = "The body is not valid JSON in UTF-8."
    assert response.json() == error(response, "MALFORMED_JSON", message)


def test_same_name_twice_is_refused() -> None:
    response = send('{"name": "a", "name": "b"}')

    assert response.status_code == 400
    message = "The body has the same name twice in one object."
    assert response.json() == error(response, "MALFORMED_JSON", message)


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "7"])
def test_json_that_is_no_object_is_refused(body: str) -> None:
    response = send(body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "VALIDATION_ERROR"


def test_half_a_character_is_refused() -> None:
    body = json.dumps(ALICE | {"name": "\ud800"})

    response = send(body)

    assert response.status_code == 400
    code, message = (
        "surrogate_characters_not_allowed",
        "Surrogate characters are not allowed: U+D800.",
    )
    assert response.json() == invalid(response, "name", code, message)


def test_half_a_character_in_the_name_of_a_field_is_refused() -> None:
    body = json.dumps(ALICE | {"\ud800": 1})

    response = send(body)

    assert response.status_code == 400
    assert response.json() == invalid(response, "\\ud800", *UNKNOWN)


def test_form_is_refused() -> None:
    response = send("name=Alice", "application/x-www-form-urlencoded")

    assert response.status_code == 415
    message = 'Unsupported media type "application/x-www-form-urlencoded" in request.'
    assert response.json() == error(response, "UNSUPPORTED_MEDIA_TYPE", message)


def send(body: str, content_type: str = "application/json") -> Any:
    return Client().post("/api/auth/register", body, content_type=content_type)


def test_failure_half_way_leaves_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(sessions, "start", fail)

    response = post("register", ALICE)

    assert response.status_code == 503
    assert not User.objects.exists()
