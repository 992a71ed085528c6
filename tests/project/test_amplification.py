"""One request must not make a much larger response, log line or value in memory."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import Role
from taskapi.api import parsers
from taskapi.http.text_size import text_bytes
from tests.accounts.wire import post
from tests.factories import make_user

pytestmark = pytest.mark.django_db
MAX_BYTES = 32 * 1024
JSON = "application/json"


def send(api: APIClient, path: str, body: Any) -> Any:
    return api.post(path, json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("name", ["x", "a" * 300, "\u20ac" * 100])
def test_ten_unknown_names_are_told_and_how_many_more(
    alice_api: APIClient, name: str
) -> None:
    body = {f"{n:04}{name}": 1 for n in range(3000)}
    response = send(alice_api, "/api/tasks", body)

    assert response.status_code == 400
    details = response.json()["error"]["details"]
    assert len(details) == 11
    assert details[-1]["message"] == "And 2990 more that are unknown."
    assert len(response.content) <= MAX_BYTES


def test_refused_batch_is_told_in_32_kb(alice_api: APIClient) -> None:
    data = {f"{n}{'y' * 300}": 1 for n in range(50)}
    operations = [{"op": "create", "data": data}] * 100
    response = send(alice_api, "/api/tasks/batch", {"operations": operations})

    assert response.status_code == 400
    assert len(response.content) <= MAX_BYTES


def test_unknown_parameters_are_bounded_too(alice_api: APIClient) -> None:
    query = "&".join(f"x{n}=1" for n in range(900))

    response = alice_api.get(f"/api/tasks?{query}")

    assert response.status_code == 400
    assert len(response.content) <= MAX_BYTES


@pytest.mark.parametrize(
    "body",
    [b"[" + b"1," * 10_001 + b"1]", b"[" + b"[]," * 6000, b"[" + b"'\xff'," * 10_001],
)
def test_values_are_counted_before_they_are_decoded_and_parsed(
    monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(parsers, "json", None)

    with pytest.raises(parsers.TooManyValuesError):
        parsers.strict_json(body)


def test_commas_in_text_are_no_values() -> None:
    assert parsers.strict_json(json.dumps("[,{" * 20_000).encode()) == "[,{" * 20_000


TEXTS = [
    "a" * 1000,
    "é" * 500 + "a" * 500,
    "ж" * 1000,
    "a" * 1000 + "\N{PILE OF POO}",
    "\N{PILE OF POO}" * 1000,
    "\N{PILE OF POO}" + "ж\\" * 1000,
    "\N{PILE OF POO}" + "\\u" * 1000,  # what only looks like an escape
]


@pytest.mark.parametrize("is_escaped", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_memory_of_a_text_is_told_from_its_bytes(text: str, is_escaped: bool) -> None:
    encoded = json.dumps([text], ensure_ascii=is_escaped)

    told = text_bytes(encoded.encode())

    most = max(map(memory, [encoded, text]))
    assert most <= told <= 2.1 * most


def memory(text: str) -> int:
    """What a string takes besides its head."""
    widest = ord(max(text))
    return len(text) * (1 if widest < 0x100 else 2 if widest < 0x10000 else 4)


@pytest.mark.parametrize("is_escaped", [True, False])
def test_text_that_takes_more_memory_than_a_body_may_is_refused(
    alice_api: APIClient, settings: Any, is_escaped: bool
) -> None:
    settings.MAX_BODY_BYTES = 40_000
    wide = json.dumps(
        {"title": "a" * 11_000 + "\N{PILE OF POO}"}, ensure_ascii=is_escaped
    )
    response = alice_api.post("/api/tasks", wide, content_type=JSON)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
    plain = json.dumps({"title": "a" * 30_000})

    assert alice_api.post("/api/tasks", plain, content_type=JSON).status_code == 400


@pytest.mark.parametrize("is_escaped", [True, False])
@pytest.mark.parametrize("letter", ["a", "ж", "\N{PILE OF POO}"])
def test_longest_batch_is_accepted(
    alice_api: APIClient, letter: str, is_escaped: bool
) -> None:
    """Whatever its texts consist of, as far as its bytes are allowed."""
    task = {"title": "x", "description": letter * 4999 + "\N{PILE OF POO}"}
    size = 60 if is_escaped and len(letter.encode()) == 4 else 100
    batch = {"operations": [{"op": "create", "data": task}] * size}
    body = json.dumps(batch, ensure_ascii=is_escaped, indent=4)

    response = alice_api.post("/api/tasks/batch", body, content_type=JSON)

    assert response.status_code == 200


def test_object_of_many_names_is_refused(alice_api: APIClient) -> None:
    response = send(alice_api, "/api/tasks", {f"x{n}": 1 for n in range(20_000)})

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "MALFORMED_JSON"


def test_anonymous_refresh_is_refused_in_few_bytes() -> None:
    response = post("refresh", {f"x{n}": 1 for n in range(4000)})

    assert response.status_code == 400
    assert len(response.content) <= MAX_BYTES


def test_admin_has_no_page_of_content_types(client: Any) -> None:
    client.force_login(make_user("root", role=Role.ADMIN))

    assert client.get("/admin/r/1/1/").status_code == 404
