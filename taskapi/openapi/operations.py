"""What the document says of an operation besides what its view declares."""

from textwrap import dedent
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny

from taskapi.api.openapi import (
    EXAMPLE_ID,
    EXAMPLE_INNER_ID,
    RATE_LIMIT,
    Operation,
    ref,
)
from taskapi.openapi import apps, extensions, responses
from taskapi.openapi.responses import JSON, SUCCESSES, default_errors

__all__ = ["Schema", "extensions"]  # the latter registers itself by being imported

UUID_PATTERN = "^[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$"


class Schema(AutoSchema):
    def get_operation(self, *args: Any) -> dict[str, Any] | None:
        added = apps.merged("OPERATIONS")
        operation = super().get_operation(*args)
        if operation:
            own: Operation = added.get(operation["operationId"], {})
            summary, _, more = operation.pop("description").partition("\n")
            operation["summary"] = summary.rstrip(".")
            if more.strip():
                operation["description"] = dedent(more).strip()
            if "description" in own:
                operation["description"] = own["description"]
            # In full: some generators take `[{}]` for "needs a token".
            if self.is_public:
                operation["security"] = []
            if "tag" in own:
                operation["tags"] = [own["tag"]]
            complete_parameters(operation.get("parameters", []))
            self.add_errors(operation["responses"], own)
            complete_successes(operation["responses"], own)
            operation["responses"] = dict(sorted(operation["responses"].items()))
            add_examples(operation, own)
        return operation

    def add_errors(self, answers: dict[str, Any], own: Operation) -> None:
        declared = {status for status in map(int, answers) if status >= 400}
        defaults = default_errors()
        names = {status: defaults[status] for status in declared | self.errors()}
        for status, name in (names | own.get("errors", {})).items():
            if name:
                answers[str(status)] = ref("responses", name)

    def errors(self) -> set[int]:
        """The statuses of the errors that do not depend on what the view does."""
        statuses = {400, 405, 406, 415, 429, 500, 503}
        if not self.is_public:
            statuses |= {401, 403}
        if self.method != "GET":  # the body of a DELETE is read, too
            statuses.add(413)
        if "{" in self.path:
            statuses.add(404)
        return statuses

    @property
    def is_public(self) -> bool:
        return AllowAny in self.view.permission_classes

    def map_parsers(self) -> list[str]:
        """JSON alone: a generated client needs no other type for PATCH."""
        return [JSON]

    def get_tags(self) -> list[str]:
        """The name of the app, which the operation's own tag replaces."""
        return [type(self.view).__module__.partition(".")[0].capitalize()]

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        name = super().get_serializer_name(serializer, direction)
        bare = name.removesuffix("Serializer")
        return str(apps.merged("COMPONENT_NAMES").get(bare, bare))

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}List"


def complete_parameters(parameters: list[dict[str, Any]]) -> None:
    for parameter in parameters:
        schema = parameter["schema"]
        if parameter["in"] == "path":
            schema["pattern"] = UUID_PATTERN
            parameter["description"] = "An `id` from a response."
            is_inner = parameter["name"] != "id"
            parameter["example"] = EXAMPLE_INNER_ID if is_inner else EXAMPLE_ID
        if schema.get("type") == "array":
            schema["minItems"] = 1  # an empty parameter is refused
        # Filters can have theirs in the schema only; not all tools look for it there.
        inner = schema.get("items", {})
        example = schema.pop("example", inner.pop("example", None))
        if example is not None:
            parameter["example"] = example


def complete_successes(answers: dict[str, Any], own: Operation) -> None:
    links = {name: ref("links", name) for name in own.get("links", [])}
    for status, answer in answers.items():
        if int(status) < 400:
            answer["description"] = SUCCESSES[int(status)]
            names = *RATE_LIMIT, *own.get("headers", [])
            answer["headers"] = responses.header_refs(*names)
            if links and int(status) < 300:
                answer["links"] = links


def add_examples(operation: dict[str, Any], own: Operation) -> None:
    if "request" in own:
        operation["requestBody"]["content"][JSON]["example"] = own["request"]
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        if status in {"200", "201"} and "response" in own:
            content[JSON]["example"] = own["response"]
        for media_type, example in own.get("files", {}).items():
            if media_type in content:
                content[media_type]["example"] = example
