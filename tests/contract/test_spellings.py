"""What standard clients write is read by every operation.

The operations are those of docs/openapi.yaml, which has every route, so a new one is
tested as well.
"""

import codecs
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.contract.calls import CALLS, Call, World
from tests.contract.document import Operation, document
from tests.tasks.wire import JSON, error_of

pytestmark = pytest.mark.django_db
PLAIN = {"getHealth", "getLiveness", "getReadiness"}
OPERATIONS = [o for o in document().operations.values() if o.name not in PLAIN]
MERGE_PATCH = "application/merge-patch+json"


def each(operations: list[Operation]) -> Any:
    assert operations
    return pytest.mark.parametrize("operation", operations, ids=lambda each: each.name)


WITH_ID = [o for o in OPERATIONS if "{id}" in o.path]
WITH_BODY = [o for o in OPERATIONS if o.request]
PATCHES = [o for o in OPERATIONS if o.method == "patch"]
OTHERS = [o for o in WITH_BODY if o.method != "patch"]


def prepare(operation: Operation) -> Call:
    world = World()
    call = CALLS[operation.name](world)
    return call.signed_in(world.token()) if operation.described["security"] else call


def send(
    operation: Operation, prefix: bytes = b"", media_type: str = JSON, **headers: str
) -> Any:
    """The request that succeeds, with `prefix` before its body."""
    call = prepare(operation)
    path = call.path(operation)
    body: Any = prefix + json.dumps(call.body or {}).encode()
    headers = call.headers | {k.replace("_", "-"): v for k, v in headers.items()}
    method = operation.method.upper()
    return APIClient().generic(method, path, body, media_type, headers=headers)


@each(WITH_ID)
def test_id_in_capitals_names_the_same(operation: Operation) -> None:
    call = prepare(operation)
    call.id = str(call.id).upper()
    call.ids = {name: str(value).upper() for name, value in call.ids.items()}

    assert call.send(operation).status_code in {200, 201, 204}


@each(OPERATIONS)
@pytest.mark.parametrize(
    "accept",
    ["", " ", "*/*", "application/json", "application/json; charset=utf-8",
     "application/json, text/plain, */*", "application/*"],
)  # fmt: skip
def test_accept_of_common_clients_is_satisfied(
    operation: Operation, accept: str
) -> None:
    call = prepare(operation)
    call.headers["Accept"] = accept

    assert call.send(operation).status_code < 300


@each(OPERATIONS)
def test_no_content_has_no_length(operation: Operation) -> None:
    response = prepare(operation).send(operation)

    assert response.status_code < 300
    if response.status_code == 204:
        assert "Content-Length" not in response
        assert "Content-Type" not in response


@each(OPERATIONS)
@pytest.mark.parametrize("query", ["q=%FF", "%C3=1", "status=%ED%A0%80"])
def test_query_that_is_not_utf_8_is_400(operation: Operation, query: str) -> None:
    call = prepare(operation)
    call.query = f"?{query}"
    response = call.send(operation)

    assert response.status_code == 400
    assert "UTF-8" in error_of(response)["message"]


@each(WITH_BODY)
def test_byte_order_mark_is_skipped(operation: Operation) -> None:
    assert send(operation, codecs.BOM_UTF8).status_code < 300


@each(WITH_BODY)
def test_second_byte_order_mark_is_refused(operation: Operation) -> None:
    response = send(operation, codecs.BOM_UTF8 * 2)

    assert response.status_code == 400
    assert error_of(response)["code"] == "MALFORMED_JSON"


@each(WITH_BODY)
@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "utf-8", "GZIP"])
def test_compressed_body_is_refused(operation: Operation, coding: str) -> None:
    response = send(operation, Content_Encoding=coding)

    assert response.status_code == 415
    assert response["Accept-Encoding"] == "identity"


@each(WITH_BODY)
def test_body_that_says_it_is_not_compressed_is_read(operation: Operation) -> None:
    assert send(operation, Content_Encoding="Identity").status_code < 300


@each(PATCHES)
@pytest.mark.parametrize("parameter", ["", "; charset=utf-8"])
def test_merge_patch_is_read_by_patch(operation: Operation, parameter: str) -> None:
    assert send(operation, media_type=MERGE_PATCH + parameter).status_code == 200


@each(OTHERS)
def test_merge_patch_is_refused_by_others(operation: Operation) -> None:
    response = send(operation, media_type=MERGE_PATCH)

    assert response.status_code == 415
    assert response["Accept"] == JSON
    assert "Accept-Patch" not in response


@each(PATCHES)
def test_refused_media_type_of_patch_tells_what_is_taken(operation: Operation) -> None:
    response = send(operation, media_type="application/json-patch+json")

    assert response.status_code == 415
    for name in ("Accept", "Accept-Patch"):
        assert response[name] == f"{JSON}, {MERGE_PATCH}"


@each(PATCHES)
def test_options_tell_what_patch_takes(operation: Operation) -> None:
    response = prepare(operation).send(operation, "options")

    assert response["Accept-Patch"] == f"{JSON}, {MERGE_PATCH}"


def test_every_operation_with_a_body_was_tried() -> None:
    assert len(WITH_BODY) > 10
    assert {each.name for each in PATCHES} >= {"updateTask", "updateMe"}
