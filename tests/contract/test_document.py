"""docs/openapi.yaml itself: what it shows is valid, and it is a strict judge."""

import copy
import json
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import pytest

from taskapi.api.errors import CODES
from taskapi.api.openapi import EXAMPLE_REQUEST_ID as REQUEST_ID
from taskapi.api.scopes import Scope
from tasks.openapi.examples import TASK
from tests.contract.document import (
    JSON,
    Answer,
    Breach,
    Document,
    closed,
    document,
    fault,
    validator,
)

RAW = document().raw
OPERATIONS = document().operations
COMMON = {
    "X-Request-Id": REQUEST_ID,
    "RateLimit-Policy": '"user";q=600;w=60',
    "RateLimit": '"user";r=599;t=60',
}
TASK_HEADERS = COMMON | {
    "Content-Type": JSON,
    "ETag": '"v1"',
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization",
}
PATH = f"/api/tasks/{TASK['id']}"


def shown(node: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Place, schema and value of every example."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return
    assert "examples" not in node, place
    if "schema" in node and "example" in node:
        yield place, node["schema"], node["example"]
    for name in node.keys() - {"example"}:
        yield from shown(node[name], f"{place}/{name}")


INLINED = document().inlined
EXAMPLES = [
    *sorted(shown(INLINED(RAW["paths"]), "/paths"), key=itemgetter(0)),
]


@pytest.mark.parametrize(
    ("schema", "value"), [e[1:] for e in EXAMPLES], ids=[e[0] for e in EXAMPLES]
)
def test_example_is_valid(schema: Any, value: Any) -> None:
    assert fault(validator(closed(schema)), value) is None


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_body_has_an_example(name: str) -> None:
    described = OPERATIONS[name].described
    bodies = [described.get("requestBody", {}), *described["responses"].values()]

    for body in bodies:
        for media_type, content in body.get("content", {}).items():
            fields = content["schema"].get("properties", {})
            is_report = fields.keys() >= {"status", "database"}
            assert "example" in content or is_report, media_type


# Of those that have another one than their status usually has.
CODES_OF = {
    "QuotaExceeded": "QUOTA_EXCEEDED",
    "TooManyTokens": "QUOTA_EXCEEDED",
    "InsufficientScope": "INSUFFICIENT_SCOPE",
}


@pytest.mark.parametrize("name", sorted(RAW["components"]["responses"]))
def test_example_of_a_refusal_has_its_code(name: str) -> None:
    [status] = {
        status
        for item in RAW["paths"].values()
        for operation in item.values()
        for status, answer in operation["responses"].items()
        if answer == {"$ref": f"#/components/responses/{name}"}
    }
    example = RAW["components"]["responses"][name]["content"][JSON]["example"]

    wanted = "VALIDATION_ERROR" if status == "400" else CODES[int(status)]
    assert example["error"]["code"] == CODES_OF.get(name, wanted)


def test_every_operation_says_who_may_call_it_and_where_it_belongs() -> None:
    tags = {tag["name"] for tag in RAW["tags"]}

    for operation in OPERATIONS.values():
        session, token = {"accessToken": []}, operation.scopes
        ways = [session] if token is None else [session, {"personalToken": token}]
        assert operation.described["security"] in ([], ways)
        assert {*(token or [])} <= {*Scope}
        assert set(operation.described["tags"]) < tags
        assert (401 in operation.responses) >= bool(operation.described["security"])


def test_every_component_is_used() -> None:
    text = json.dumps(RAW)

    for kind in ("schemas", "responses", "headers", "links"):
        for name in RAW["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


@pytest.mark.parametrize("name", sorted(RAW["components"]["links"]))
def test_link_leads_to_an_operation_that_takes_what_it_brings(name: str) -> None:
    link = RAW["components"]["links"][name]
    target = OPERATIONS[link["operationId"]].described
    known = {each["name"] for each in INLINED(target.get("parameters", []))}

    assert link.get("parameters", {}).keys() <= known
    assert link["description"]
    # OpenAPI allows any value; openapi-generator refuses the document.
    assert "requestBody" not in link


def test_every_input_is_bounded() -> None:
    """Texts have a longest length or a pattern, numbers and lists an upper bound."""
    bodies = [o.request.schema for o in OPERATIONS.values() if o.request]
    parameters = [
        parameter["schema"]
        for operation in OPERATIONS.values()
        for parameter in operation.described.get("parameters", [])
    ]

    assert len(bodies) > 10
    assert len(parameters) > 20
    for schema in [*bodies, *parameters]:
        for inner in schemas_in(schema):
            assert is_bounded(inner), inner


def schemas_in(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for inner in node:
            yield from schemas_in(inner)
    elif isinstance(node, dict):
        if "type" in node and not isinstance(node["type"], dict):
            yield node
        for inner in node.values():
            yield from schemas_in(inner)


def is_bounded(schema: dict[str, Any]) -> bool:
    bounds = {
        "string": {"maxLength", "pattern", "enum", "const", "format"},
        "integer": {"maximum"},
        "array": {"maxItems"},
        "object": {"additionalProperties"},
    }
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if types == ["array"] and schema["items"].get("type") == "string":
        return is_bounded(schema["items"])  # a filter: the query is bounded
    return all(schema.keys() & bounds.get(kind, schema.keys()) for kind in types)


@pytest.fixture(scope="module")
def judge() -> Document:
    """One of our own: what it sees here, no test of an operation saw."""
    return Document(copy.deepcopy(RAW))


def answer(**changes: Any) -> Answer:
    usual = {
        "method": "GET",
        "path": PATH,
        "status": 200,
        "headers": TASK_HEADERS,
        "body": TASK,
    } | changes
    return Answer(**usual | {"body": json.dumps(usual["body"]).encode()})


def test_answer_as_described_is_remembered(judge: Document) -> None:
    judge.exercised.clear()
    judge.judge(answer())

    assert judge.exercised == {("getTask", 200)}


def test_answer_to_head_counts_for_nothing(judge: Document) -> None:
    judge.exercised.clear()
    judge.judge(Answer("HEAD", PATH, 200, TASK_HEADERS, b""))

    assert judge.exercised == set()


def without_header(name: str) -> dict[str, str]:
    return {n: v for n, v in TASK_HEADERS.items() if n != name}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": 202}, "getTask does not document this status"),
        ({"method": "POST"}, "there is no such operation"),
        ({"method": "POST", "status": 201}, "there is no such operation"),
        ({"body": TASK | {"secret": 1}}, "secret"),
        ({"body": {k: v for k, v in TASK.items() if k != "title"}}, "title"),
        ({"body": TASK | {"dueDate": "2026-12-31"}}, "dueDate"),
        ({"body": TASK | {"dueDate": "2026-13-31T00:00:00Z"}}, "dueDate"),
        ({"body": TASK | {"dueDate": "2026-12-31T00:00:00+01:00"}}, "dueDate"),
        ({"body": TASK | {"userId": "7"}}, "userId"),
        ({"body": TASK | {"version": "1"}}, "version"),
        ({"body": TASK | {"status": "WAITING"}}, "status"),
        ({"headers": without_header("ETag")}, "header etag: missing"),
        ({"headers": without_header("RateLimit")}, "header ratelimit: missing"),
        ({"headers": without_header("Content-Type")}, "content type"),
        ({"headers": TASK_HEADERS | {"ETag": "v1"}}, "header etag"),
        ({"headers": TASK_HEADERS | {"Location": PATH}}, "not documented: location"),
        ({"headers": TASK_HEADERS | {"Content-Type": "text/html"}}, "text/html"),
    ],
)
def test_answer_that_is_not_described_is_a_breach(
    judge: Document, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(Breach, match=message):
        judge.judge(answer(**changes))


def refusal(code: str, **more: Any) -> dict[str, Any]:
    error = {"code": code, "message": "No."} | more
    return {"error": error, "requestId": REQUEST_ID}


DETAIL = {"field": "title", "code": "blank", "message": "May not be blank."}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, refusal("VALIDATION_ERROR")),
        (400, refusal("VALIDATION_ERROR", details=[])),
        (400, refusal("BAD_REQUEST", details=[DETAIL])),
        (404, refusal("NOT_FOUND", current=TASK)),
        (404, refusal("GONE")),
        (412, refusal("PRECONDITION_FAILED")),
        (404, {"detail": "Not found."}),
        (404, refusal("FORBIDDEN")),
    ],
)
def test_error_of_another_shape_is_a_breach(
    judge: Document, status: int, body: Any
) -> None:
    headers = COMMON | {"Content-Type": JSON}
    if status == 412:
        headers["ETag"] = '"v1"'
    sent = {"method": "PATCH", "status": status, "headers": headers}

    with pytest.raises(Breach, match=r"\$|the code is none of"):
        judge.judge(answer(**sent, body=body))


def test_error_as_described_is_none(judge: Document) -> None:
    headers = COMMON | {"Content-Type": JSON}
    body = refusal("VALIDATION_ERROR", details=[DETAIL])

    judge.judge(answer(status=400, headers=headers, body=body))


@pytest.mark.parametrize("seconds", ["0", "-1", "1.5", "soon"])
def test_header_that_is_a_number_is_read_as_one(judge: Document, seconds: str) -> None:
    headers = COMMON | {"Content-Type": JSON, "Retry-After": "1"}
    sent = {"status": 429, "body": refusal("RATE_LIMITED")}
    judge.judge(answer(**sent, headers=headers))

    bad = answer(**sent, headers=headers | {"Retry-After": seconds})
    with pytest.raises(Breach, match="header retry-after"):
        judge.judge(bad)
