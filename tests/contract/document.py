"""docs/openapi.yaml as the judge of requests and answers."""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match

FILE = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
JSON = "application/json"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
# On every answer, whether it is worth a word there or not.
EVERYWHERE = {"allow", "cache-control", "vary"}
Pair = tuple[str, int]

formats = FormatChecker()


@formats.checks("date-time", raises=ValueError)
def is_date_time(value: Any) -> bool:
    return not isinstance(value, str) or bool(datetime.fromisoformat(value).tzinfo)


# Those of answers: in UTC, whatever offset was sent.
utc_formats = FormatChecker()


@utc_formats.checks("date-time", raises=ValueError)
def is_utc(value: Any) -> bool:
    return not isinstance(value, str) or (is_date_time(value) and value[-1] == "Z")


class Breach(AssertionError):
    """An answer that docs/openapi.yaml does not describe."""


@dataclass(frozen=True)
class Answer:
    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: bytes

    def breach(self, message: str) -> Breach:
        return Breach(
            f"{self.method} {self.path} answered {self.status}: {message} "
            f"(docs/openapi.yaml)\n{self.body[:500]!r}"
        )


def validator(schema: Any, checker: FormatChecker = formats) -> Any:
    return Draft202012Validator(schema, format_checker=checker)


def fault(judge: Any, value: Any) -> str | None:
    """What is wrong with the value, the most telling thing first."""
    if error := best_match(judge.iter_errors(value)):
        return f"{error.json_path}: {error.message}"[:500]
    return None


def closed(schema: Any) -> Any:
    """The schema, taking no field that it does not name.

    The document leaves answers open, so that clients bear a new field; we want to know.
    """
    if isinstance(schema, list):
        return [closed(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        inner["additionalProperties"] = False
    return inner


class Header:
    def __init__(self, described: dict[str, Any]) -> None:
        self.is_required = described.get("required", False)
        self.is_number = described["schema"].get("type") == "integer"
        self.judge = validator(described["schema"])

    def fault(self, value: str | None) -> str | None:
        if value is None:
            return "missing" if self.is_required else None
        is_whole = self.is_number and re.fullmatch("[0-9]+", value)
        return fault(self.judge, int(value) if is_whole else value)


@dataclass
class Response:
    """One documented answer of an operation, with its judges made once."""

    described: dict[str, Any]

    @cached_property
    def bodies(self) -> dict[str, Any]:
        content = self.described.get("content", {})
        return {
            media_type: validator(closed(about.get("schema", {})), utc_formats)
            for media_type, about in content.items()
        }

    @cached_property
    def headers(self) -> dict[str, "Header"]:
        described = self.described.get("headers", {})
        return {name.lower(): Header(about) for name, about in described.items()}


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    described: dict[str, Any]
    responses: dict[int, Response] = field(repr=False)

    @property
    def scopes(self) -> list[str] | None:
        """What a personal token needs; None if it takes none."""
        for way in self.described["security"]:
            if "personalToken" in way:
                return list(way["personalToken"])
        return None

    @cached_property
    def request(self) -> Any:
        content = self.described.get("requestBody", {}).get("content", {})
        return validator(content[JSON]["schema"]) if JSON in content else None


class Document:
    """The described operations, and the answers that were seen of them."""

    def __init__(self, document: Any) -> None:
        self.raw = document
        self.exercised: set[Pair] = set()
        self.targets: dict[str, Any] = {}
        self.answers: dict[int, Response] = {}
        self.paths: dict[str, dict[str, Operation]] = {
            path: {
                method: self.operation(path, method, about)
                for method, about in item.items()
                if method in METHODS
            }
            for path, item in self.inlined(document["paths"]).items()
        }
        self.operations = {o.name: o for i in self.paths.values() for o in i.values()}
        self.meant = {
            name
            for operation in self.operations.values()
            for response in operation.responses.values()
            for name in response.headers
        } - EVERYWHERE
        # Those without a parameter first: /api/tasks/trash is not a task's id.
        self.patterns = [
            (re.compile(re.sub(r"{\w+}", "[^/]+", path)), path)
            for path in sorted(self.paths, key=lambda path: path.count("{"))
        ]

    def operation(self, path: str, method: str, about: dict[str, Any]) -> Operation:
        # Of one object there is one judge, however often it is referred to.
        responses = {
            int(status): self.answers.setdefault(id(answer), Response(answer))
            for status, answer in about["responses"].items()
        }
        return Operation(about["operationId"], method, path, about, responses)

    def inlined(self, node: Any) -> Any:
        """Without references: to look them up each time takes most of the time."""
        if isinstance(node, list):
            return [self.inlined(inner) for inner in node]
        if not isinstance(node, dict):
            return node
        if isinstance(place := node.get("$ref"), str):
            beside = {name: value for name, value in node.items() if name != "$ref"}
            return self.target(place) | beside if beside else self.target(place)
        return {name: self.inlined(inner) for name, inner in node.items()}

    def target(self, place: str) -> Any:
        if place not in self.targets:
            found = self.raw
            for part in place.removeprefix("#/").split("/"):
                found = found[part]
            self.targets[place] = self.inlined(found)
        return self.targets[place]

    def pairs(self) -> set[Pair]:
        return {(o.name, s) for o in self.operations.values() for s in o.responses}

    def item(self, path: str) -> dict[str, Operation] | None:
        for pattern, template in self.patterns:
            if pattern.fullmatch(path):
                return self.paths[template]
        return None

    def judge(self, answer: Answer) -> None:
        """Raise Breach unless the answer is as it is described; then remember it."""
        item = self.item(answer.path)
        if item is None:
            return
        method = answer.method.lower()
        operation = item.get("get" if method == "head" else method)
        if operation:
            judge_by(operation, answer, self.meant)
            if method != "head":
                self.exercised.add((operation.name, answer.status))
        else:
            self.judge_undescribed(item, answer)

    def judge_undescribed(self, item: dict[str, Operation], answer: Answer) -> None:
        """Of a method that the path does not have: refused as the others could be."""
        if answer.method == "OPTIONS" and answer.status in {200, 204}:
            return
        knowing = [o for o in item.values() if answer.status in o.responses]
        if answer.status < 400 or not knowing:
            raise answer.breach("there is no such operation")
        judge_by(knowing[0], answer, self.meant)
        if answer.status == 405:
            self.exercised |= {(operation.name, 405) for operation in knowing}


def judge_by(operation: Operation, answer: Answer, meant: set[str]) -> None:
    response = operation.responses.get(answer.status)
    if response is None:
        raise answer.breach(f"{operation.name} does not document this status")
    judge_headers(response, answer, meant)
    if answer.method != "HEAD":
        judge_body(response, answer)


def judge_headers(response: Response, answer: Answer, meant: set[str]) -> None:
    sent = {name.lower(): value for name, value in answer.headers.items()}
    for name, header in response.headers.items():
        if wrong := header.fault(sent.get(name)):
            raise answer.breach(f"header {name}: {wrong}")
    if unknown := meant & sent.keys() - response.headers.keys():
        raise answer.breach(f"headers not documented: {', '.join(sorted(unknown))}")


def judge_body(response: Response, answer: Answer) -> None:
    if not response.bodies:
        if answer.body:
            raise answer.breach("a body is not documented")
        return
    media_type = media_type_of(answer.headers)
    if media_type not in response.bodies:
        raise answer.breach(f"the content type {media_type!r} is not documented")
    if media_type == JSON:
        judge_json(response, answer, json.loads(answer.body))


def judge_json(response: Response, answer: Answer, body: Any) -> None:
    if wrong := fault(response.bodies[JSON], body):
        raise answer.breach(wrong)
    if codes := response.described.get("x-error-codes"):
        if body["error"]["code"] not in codes:
            raise answer.breach(f"the code is none of {', '.join(codes)}")
        if wrong := members_fault(body["error"]):
            raise answer.breach(wrong)


def members_fault(error: dict[str, Any]) -> str | None:
    """Which member of an error does not belong to its code, or is missing.

    Not in the schema: a later code may have members of its own.
    """
    for name, code in [
        ("details", "VALIDATION_ERROR"),
        ("current", "PRECONDITION_FAILED"),
    ]:
        if (name in error) != (error["code"] == code):
            return f"$.error: {name} belongs to {code}, and only to it"
    return None


def media_type_of(headers: dict[str, str]) -> str:
    about = Message()
    about["Content-Type"] = next(
        (v for name, v in headers.items() if name.lower() == "content-type"), ""
    )
    return about.get_content_type()


@cache
def document() -> Document:
    return Document(yaml.load(FILE.read_text(), yaml.CSafeLoader))
