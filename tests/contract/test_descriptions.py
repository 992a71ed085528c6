"""docs/openapi.yaml tells what everything means, and breaks no generated client."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.document import document

RAW = document().raw
SCHEMAS = RAW["components"]["schemas"]
OPERATIONS = document().operations
PARAMETERS = [
    (name, parameter)
    for name, operation in sorted(OPERATIONS.items())
    for parameter in operation.described.get("parameters", [])
]
REQUESTS = {
    content["schema"]["$ref"].rpartition("/")[2]
    for item in RAW["paths"].values()
    for operation in item.values()
    for content in operation.get("requestBody", {}).get("content", {}).values()
}


def inner(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document from here on."""
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node:
        if isinstance(each, dict | list):
            yield from inner(each)


def objects(node: Any) -> list[dict[str, Any]]:
    return [each for each in inner(node) if each.get("type") == "object"]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_operation_is_described(name: str) -> None:
    described = OPERATIONS[name].described

    assert described["summary"], "the first line of the view's docstring"
    assert described["description"], "`description` in OPERATIONS of the app's openapi"
    assert described["summary"] != described["description"]


@pytest.mark.parametrize(
    ("name", "parameter"), PARAMETERS, ids=[f"{n}-{p['name']}" for n, p in PARAMETERS]
)
def test_parameter_is_described_and_has_an_example(name: str, parameter: Any) -> None:
    assert parameter["description"]
    assert "example" in parameter


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_field_is_described(name: str) -> None:
    missing = [
        field
        for schema in objects(SCHEMAS[name])
        for field, about in schema.get("properties", {}).items()
        if not about.get("description")
    ]

    assert not missing, "FIELDS of the app's openapi, or help_text"


@pytest.mark.parametrize("name", sorted(RAW["components"]["headers"]))
def test_header_is_described(name: str) -> None:
    assert RAW["components"]["headers"][name]["description"]


def strict_schemas() -> set[str]:
    """The bodies of requests and what they consist of."""
    found = set(REQUESTS)
    while True:
        more = {
            node["$ref"].rpartition("/")[2]
            for name in found
            for node in inner(SCHEMAS[name])
            if isinstance(node.get("$ref"), str)
        }
        if more <= found:
            return {name for name in found if SCHEMAS[name].get("type") == "object"}
        found |= more


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_requests_are_strict_and_answers_open(name: str) -> None:
    is_open = name not in strict_schemas()

    for schema in objects(SCHEMAS[name]):
        # An input without names is one of any names, which its own rules read.
        if "properties" in schema:
            assert schema["additionalProperties"] is is_open


def test_no_date_has_a_pattern() -> None:
    """Generators make a date of it, and then a check that does not compile in C#."""
    dates = [each for each in inner(RAW) if each.get("format") == "date-time"]

    assert len(dates) > 10
    assert not [each for each in dates if "pattern" in each]


def test_lists_in_a_query_are_arrays_with_commas() -> None:
    lists = [each for _, each in PARAMETERS if each["schema"].get("type") == "array"]

    assert {each["name"] for each in lists} >= {"status", "priority"}
    for each in lists:
        assert (each["style"], each["explode"]) == ("form", False)
        assert each["schema"]["items"].keys() & {"enum", "pattern", "format"}
    texts = [each["schema"].get("pattern", "") for _, each in PARAMETERS]
    assert not [text for text in texts if ")(,(" in text]


def test_true_and_false_are_booleans() -> None:
    enums = [each["schema"].get("enum", []) for _, each in PARAMETERS]

    assert ["true", "false"] not in enums
    kinds = {each["name"]: each["schema"].get("type") for _, each in PARAMETERS}
    assert (kinds["overdue"], kinds["bom"]) == ("boolean", "boolean")


@pytest.mark.parametrize(
    ("component", "field", "value"),
    [
        ("Error", "code", "VALIDATION_ERROR"),
        ("OperationResult", "op", "create"),
        ("FieldChange", "field", "dueDate"),
    ],
)
def test_what_will_have_more_values_is_a_plain_string(
    component: str, field: str, value: str
) -> None:
    schema = SCHEMAS[component]["properties"][field]

    assert schema["type"] == "string"
    assert not schema.keys() & {"enum", "const", "pattern", "$ref"}
    assert f"`{value}`" in schema["description"]


@pytest.mark.parametrize(
    ("component", "field"),
    [("Error", "current"), ("FieldChange", "from"), ("FieldChange", "to")],
)
def test_what_depends_on_the_resource_is_any_json(component: str, field: str) -> None:
    assert SCHEMAS[component]["properties"][field].keys() == {"description"}


TAGGED = [
    operation
    for operation in OPERATIONS.values()
    if operation.method == "get"
    and 200 in operation.responses
    and "etag" in operation.responses[200].headers
]


@pytest.mark.parametrize("operation", TAGGED, ids=lambda operation: operation.name)
def test_read_with_a_tag_is_conditional(operation: Any) -> None:
    pattern = operation.responses[200].described["headers"]["ETag"]["schema"]["pattern"]
    is_list = pattern.startswith("^W/")

    assert 304 in operation.responses
    assert is_list or 412 in operation.responses
