"""No operation ignores If-Match or If-None-Match: it evaluates them, or answers 400.

The operations are those of docs/openapi.yaml, which has every route, so a new one is
tested as well.
"""

from typing import Any

import pytest

from taskapi.api.preconditions import HEADERS, WEAK
from tests.contract.calls import CALLS, World
from tests.contract.document import Operation, document
from tests.tasks.wire import details_of, error_of

pytestmark = pytest.mark.django_db
PLAIN = {"getHealth", "getLiveness", "getReadiness"}
OPERATIONS = [o for o in document().operations.values() if o.name not in PLAIN]


def takes(operation: Operation, header: str) -> bool:
    """Whether the operation evaluates this header."""
    sent = {each["name"] for each in operation.described.get("parameters", [])}
    # A write that takes If-Match evaluates both.
    return header in sent or (operation.method != "get" and "If-Match" in sent)


def pick(header: str, *, evaluated: bool) -> Any:
    picked = [each for each in OPERATIONS if takes(each, header) is evaluated]
    assert picked
    return pytest.mark.parametrize("operation", picked, ids=lambda each: each.name)


def send(operation: Operation, header: str, value: str) -> Any:
    world = World()
    call = CALLS[operation.name](world).signed_in(world.token())
    call.headers[header] = value
    return call.send(operation)


def test_single_resources_take_preconditions() -> None:
    """A parameter at the end of a path names one resource."""
    single = [o for o in OPERATIONS if o.path.endswith(("}", "/me"))]

    assert len(single) > 6
    for header in HEADERS:
        assert [o.name for o in single if not takes(o, header)] == []


@pick("If-Match", evaluated=True)
@pytest.mark.parametrize("tag", ['"other"', 'W/"v1"'])
def test_other_tag_in_if_match_is_412(operation: Operation, tag: str) -> None:
    response = send(operation, "If-Match", tag)

    error = error_of(response)
    assert (response.status_code, error["code"]) == (412, "PRECONDITION_FAILED")
    assert error["current"].keys() & {"id", "userId"}
    assert (error["message"] == WEAK) is tag.startswith("W/")
    assert response["ETag"]


@pick("If-Match", evaluated=True)
def test_asterisk_in_if_match_is_any_version(operation: Operation) -> None:
    assert send(operation, "If-Match", "*").status_code in {200, 204}


@pick("If-None-Match", evaluated=True)
def test_asterisk_in_if_none_match_is_none_of_them(operation: Operation) -> None:
    response = send(operation, "If-None-Match", "*")

    if operation.method == "get":
        assert response.status_code == 304
        assert response["ETag"]
    else:
        assert response.status_code == 412
        assert error_of(response)["current"].keys() & {"id", "userId"}


@pick("If-None-Match", evaluated=True)
def test_other_tag_in_if_none_match_lets_the_request_through(
    operation: Operation,
) -> None:
    assert send(operation, "If-None-Match", '"other"').status_code in {200, 204}


@pick("If-Match", evaluated=False)
@pytest.mark.parametrize("value", ["*", '"v1"', 'W/"v1"'])
def test_if_match_is_refused_where_it_is_not_evaluated(
    operation: Operation, value: str
) -> None:
    response = send(operation, "If-Match", value)

    assert details_of(response) == [("If-Match", "unsupported")]


@pick("If-None-Match", evaluated=False)
@pytest.mark.parametrize("value", ["*", '"v1"'])
def test_if_none_match_is_refused_where_it_is_not_evaluated(
    operation: Operation, value: str
) -> None:
    response = send(operation, "If-None-Match", value)

    assert details_of(response) == [("If-None-Match", "unsupported")]


@pick("If-Match", evaluated=True)
@pytest.mark.parametrize("header", HEADERS)
def test_malformed_tags_are_refused(operation: Operation, header: str) -> None:
    response = send(operation, header, "v1")

    assert details_of(response) == [(header, "invalid")]


@pytest.mark.parametrize("header", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize("name", ["getTask", "listTasks", "updateTask", "createTask"])
def test_dates_are_ignored(name: str, header: str) -> None:
    """No resource has a modification date (RFC 9110 sections 13.1.3 and 13.1.4)."""
    past = "Mon, 01 Jan 2001 00:00:00 GMT"

    assert send(document().operations[name], header, past).status_code in {200, 201}
