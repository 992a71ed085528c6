"""A description, and what may happen to it: what breaks clients, and what does not."""

from collections.abc import Callable
from typing import Any

TASK = {
    "type": "object",
    "required": ["id", "title", "due"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "title": {"type": "string", "maxLength": 255},
        "due": {"type": ["string", "null"], "format": "date-time"},
        "status": {"$ref": "#/components/schemas/Status"},
        "parent": {"$ref": "#/components/schemas/Task"},
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "owner": {"oneOf": [{"type": "null"}, {"type": "string"}]},
    },
}
INPUT = {
    "type": "object",
    "required": ["title"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 255},
        "note": {"type": ["string", "null"], "pattern": "^[a-z]*$"},
        "size": {"type": "number", "minimum": 0},
        "status": {"$ref": "#/components/schemas/Status"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    },
}
LIMIT = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": 100},
}
TREE = {"properties": {"up": {"oneOf": [{"$ref": "#/components/schemas/Tree"}, {}]}}}
JSON = "application/json"


def answer(**content: Any) -> dict[str, Any]:
    return {"description": "", "content": {JSON: {"schema": content}}}


BASE: dict[str, Any] = {
    "openapi": "3.1.1",
    "info": {"title": "Tasks", "version": "1.4.0"},
    "security": [{"token": []}],
    "paths": {
        "/trees": {
            "get": {
                "responses": {"200": answer(**{"$ref": "#/components/schemas/Tree"})}
            }
        },
        "/tasks/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True}],
            "get": {
                "operationId": "getTask",
                "security": [{"token": []}, {}],
                "parameters": [LIMIT, {"$ref": "#/components/parameters/Match"}],
                "responses": {
                    "200": {"$ref": "#/components/responses/Task"},
                    "304": {"description": ""},
                    "404": answer(type="object", properties={"code": {"enum": ["A"]}}),
                },
            },
            "put": {
                "operationId": "putTask",
                "requestBody": {
                    "content": {JSON: {"schema": {"$ref": "#/components/schemas/In"}}}
                },
                "responses": {"204": {"description": ""}},
            },
        },
    },
    "components": {
        "schemas": {
            "Task": TASK,
            "In": INPUT,
            "Status": {"type": "string", "enum": ["TODO", "DONE"]},
            "Tree": TREE,
        },
        "parameters": {"Match": {"name": "If-Match", "in": "header"}},
        "responses": {
            "Task": answer(**{"$ref": "#/components/schemas/Task"})
            | {"headers": {"ETag": {"schema": {"type": "string"}}}}
        },
    },
}
PATH = "/tasks/{id}"
GET, PUT = f"GET {PATH}", f"PUT {PATH}"
Change = Callable[[dict[str, Any]], Any]


def at(way: str) -> Callable[[dict[str, Any]], Any]:
    """What is at a place of a document, such as `In.title`."""
    first, *rest = way.split(".")

    def find(document: dict[str, Any]) -> Any:
        places = {"get": document["paths"][PATH], "put": document["paths"][PATH]}
        schemas = document["components"]["schemas"]
        node = places[first][first] if first in places else schemas[first]
        for name in rest:
            node = node["properties"][name] if first in schemas else node[name]
        return node

    return find


def put(way: str, **values: Any) -> Change:
    return lambda document: at(way)(document).update(values)


def drop(way: str, key: str) -> Change:
    return lambda document: at(way)(document).pop(key)


def require(way: str, *names: str) -> Change:
    return put(way, required=list(names))


def add(way: str, **properties: Any) -> Change:
    return lambda document: at(way)(document)["properties"].update(properties)


def parameter(**values: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        given = document["paths"][PATH]["get"]["parameters"]
        given.append({"name": "q", "in": "query", "schema": {}} | values)

    return change


def header(document: dict[str, Any]) -> None:
    del document["components"]["responses"]["Task"]["headers"]["ETag"]


def no_get(document: dict[str, Any]) -> None:
    del document["paths"][PATH]["get"]


def other_path(document: dict[str, Any]) -> None:
    document["paths"]["/tasks"] = document["paths"].pop(PATH)


def other_type(document: dict[str, Any]) -> None:
    body = document["paths"][PATH]["put"]["requestBody"]["content"]
    body["application/xml"] = body.pop(JSON)


STRING, INTEGER = {"type": "string"}, {"type": "integer"}
BREAKING: dict[str, tuple[Change, str]] = {
    "an operation that is gone": (no_get, "the operation is gone: {GET}"),
    "a path that is gone": (other_path, "the operation is gone: {GET}, {PUT}"),
    "another operationId": (
        put("get", operationId="readTask"),
        "operationId was getTask, is readTask: {GET}",
    ),
    "a token where none was needed": (
        put("get", security=[{"token": []}]),
        "access with nothing is gone: {GET}",
    ),
    "a second proof": (
        put("put", security=[{"token": [], "key": []}]),
        "access with token is gone: {PUT}",
    ),
    "a parameter that is gone": (
        put("get", parameters=[LIMIT]),
        "header parameter If-Match is gone: {GET}",
    ),
    "a new parameter that is required": (
        parameter(required=True),
        "query parameter q is required: {GET}",
    ),
    "a parameter that is required now": (
        put(
            "get",
            parameters=[LIMIT, {"name": "If-Match", "in": "header", "required": True}],
        ),
        "header parameter If-Match is required: {GET}",
    ),
    "a narrower parameter": (
        lambda d: at("get")(d)["parameters"][0]["schema"].update(maximum=50),
        "query parameter limit maximum was 100, is 50: {GET}",
    ),
    "a parameter that is written otherwise": (
        lambda d: at("get")(d)["parameters"][0].update(explode=False),
        "query parameter limit: explode was None, is False: {GET}",
    ),
    "a body that is required now": (
        lambda d: at("put.requestBody")(d).update(required=True),
        "the body is required: {PUT}",
    ),
    "another media type": (other_type, "body: application/json is gone: {PUT}"),
    "a field that is not taken any more": (
        lambda d: at("In")(d)["properties"].pop("note"),
        "body.note is gone: {PUT}",
    ),
    "a new field that is required": (
        lambda d: (add("In", kind=STRING)(d), require("In", "title", "kind")(d)),
        "body.kind is required: {PUT}",
    ),
    "a field that is required now": (
        require("In", "title", "note"),
        "body.note is required: {PUT}",
    ),
    "a field of another type": (
        put("In.title", type="integer"),
        "body.title type was string, is integer: {PUT}",
    ),
    "a field that may not be null now": (
        put("In.note", type="string"),
        "body.note type was null, is string: {PUT}",
    ),
    "a shorter field": (
        put("In.title", maxLength=100),
        "body.title maxLength was 255, is 100: {PUT}",
    ),
    "a longer least": (
        put("In.title", minLength=2),
        "body.title minLength was 1, is 2: {PUT}",
    ),
    "a new least": (put("In.size", minimum=1), "body.size minimum was 0, is 1: {PUT}"),
    "a new bound": (
        put("In.size", exclusiveMaximum=9),
        "body.size exclusiveMaximum was None, is 9: {PUT}",
    ),
    "another pattern": (
        put("In.note", pattern="^[a-y]*$"),
        "body.note pattern was ^[a-z]*$, is ^[a-y]*$: {PUT}",
    ),
    "a new format": (
        put("In.title", format="email"),
        "body.title format was None, is email: {PUT}",
    ),
    "whole numbers only": (
        put("In.size", type="integer"),
        "body.size type was number, is integer: {PUT}",
    ),
    "fewer elements": (
        put("In.tags", maxItems=4),
        "body.tags maxItems was 5, is 4: {PUT}",
    ),
    "other elements": (
        put("In.tags", items=INTEGER),
        "body.tags[] type was string, is integer: {PUT}",
    ),
    "one value less to send": (
        lambda d: add("In", status={"enum": ["TODO"]})(d),
        "body.status enum was ['TODO', 'DONE'], is ['TODO']: {PUT}",
    ),
    "one value more to get": (
        lambda d: add(
            "Task", status={"type": "string", "enum": ["TODO", "DONE", "NO"]}
        )(d),
        "200 answer.status enum was ['TODO', 'DONE'], is ['TODO', 'DONE', 'NO']: {GET}",
    ),
    "a field of an answer that is gone": (
        lambda d: at("Task")(d)["properties"].pop("title"),
        "200 answer.title is gone: {GET}",
    ),
    "a field of an answer that may be missing": (
        require("Task", "id", "title"),
        "200 answer.due may be missing: {GET}",
    ),
    "a field of an answer that may be null now": (
        put("Task.title", type=["string", "null"]),
        "200 answer.title type was string, is null: {GET}",
    ),
    "one more kind of answer": (
        add("Task", owner={"anyOf": [{"type": "null"}, STRING, INTEGER]}),
        "200 answer.owner type was null, is integer: {GET}",
    ),
    "a longer field of an answer": (
        put("Task.title", maxLength=256),
        "200 answer.title maxLength was 255, is 256: {GET}",
    ),
    "a field of an answer without its format": (
        put("Task.id", format="ulid"),
        "200 answer.id format was uuid, is ulid: {GET}",
    ),
    "other values of a map": (
        put("Task.counts", additionalProperties=STRING),
        "200 answer.counts.* type was integer, is string: {GET}",
    ),
    "a new error code": (
        lambda d: at("get.responses.404")(d).update(
            answer(type="object", properties={"code": {"enum": ["A", "B"]}})
        ),
        "error.code enum was ['A'], is ['A', 'B']: {GET}",
    ),
    "an answer that is gone": (
        drop("get.responses", "304"),
        "304 answer is gone: {GET}",
    ),
    "another success": (
        put("get.responses", **{"202": {"description": ""}}),
        "202 answer is new: {GET}",
    ),
    "an answer without its body": (
        lambda d: d["components"]["responses"]["Task"].update(content={}),
        "200 answer: application/json is gone: {GET}",
    ),
    "a header that is gone": (header, "200 answer: header ETag is gone: {GET}"),
}
COMPATIBLE: dict[str, Change] = {
    "nothing": lambda d: None,
    "an operation": lambda d: d["paths"].update({"/new": {"get": {"responses": {}}}}),
    "a parameter": parameter(),
    "no token needed": put("put", security=[]),
    "another proof": put("put", security=[{"token": []}, {"key": []}]),
    "a wider parameter": lambda d: at("get")(d)["parameters"][0].pop("schema"),
    "a field to send": add("In", kind=STRING),
    "a field that need not be sent": drop("In", "required"),
    "a field that may be null": put("In.title", type=["null", "string"]),
    "a longer field": put("In.title", maxLength=300, minLength=0),
    "a pattern less": drop("In.note", "pattern"),
    "more values to send": add("In", status={"enum": ["DONE", "TODO", "NO"]}),
    "any field to send": put("In", additionalProperties=True),
    "more kinds to send": add("In", size={"anyOf": [STRING, {"type": "number"}]}),
    "the same otherwise": add("Task", owner={"type": ["string", "null"]}),
    "a field to get": add("Task", more={"type": ["string", "null"]}),
    "a field that is always there": require("Task", "id", "title", "due", "status"),
    "a field that is never null": put("Task.due", type="string"),
    "a value less to get": add("Task", status={"const": "TODO", "type": "string"}),
    "a map with known names": add(
        "Task", counts={"type": "object", "properties": {"TODO": INTEGER}}
    ),
    "another error": put("get.responses", **{"409": answer(**STRING)}),
    "an error less": drop("get.responses", "404"),
    "words": put("put", summary="Replace", description="It is.", tags=["x"]),
    "an array without duplicates, told so": put("In.tags", uniqueItems=False),
}
