"""Building blocks for what the apps add to the OpenAPI document.

Each module of settings.OPENAPI_MODULES may define these names:

    TAGS             tag -> description
    OPERATIONS       operationId -> Operation
    COMPONENT_NAMES  serializer, without "Serializer" -> component
    ERRORS           component -> ErrorResponse
    HEADERS, LINKS   component -> what OpenAPI calls a Header or Link Object
    FIELDS           name of a field, or component.name -> its description, unless the
                     serializer's help_text has one
    schemas(known)   component -> schema; `known` has the schemas of the serializers

What several modules define under one name is merged, nested dictionaries included.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypedDict

COUNT = {"type": "integer", "minimum": 0}
# No pattern: generators make a date of the string, which has no use for one.
UTC = {"type": "string", "format": "date-time"}
NULLABLE_UTC = UTC | {"type": ["string", "null"]}
UUID = {"type": "string", "format": "uuid"}
# Headers of a response to a request that was counted, and to one that may have been.
RATE_LIMIT = ("RateLimit-Policy", "RateLimit")
COUNTED_RATE_LIMIT = ("Counted-RateLimit-Policy", "Counted-RateLimit")

EXAMPLE_REQUEST_ID = "4f0c7d3e9a5b4c1d8e2f6a7b8c9d0e1f"
EXAMPLE_USER_ID = "0b6f3a52-7c1e-4d5a-9f3b-2a8d6c4e1f07"
EXAMPLE_ID = "5d2c8e14-3f6b-4a79-8c0d-9e1f2a3b4c5d"
# In a path, of what belongs to the resource of EXAMPLE_ID.
EXAMPLE_INNER_ID = "c1f0a7e2-5b3d-4c8e-9a6f-7d2e1b0c3a49"
EXAMPLE_CREATED = "2026-12-01T09:00:00Z"
EXAMPLE_UPDATED = "2026-12-02T10:30:00.250000Z"


class Operation(TypedDict, total=False):
    """What the document says of an operation besides what its view declares."""

    tag: str  # if it is not the name of the app
    description: str  # if the docstring of the view has no second paragraph
    request: Any  # an example of the body
    response: Any  # an example of the body of the success
    files: dict[str, str]  # examples by media type
    headers: list[str]  # of every success
    links: list[str]
    errors: dict[int, str | None]  # component by status; None if it never occurs


class ErrorResponse(NamedTuple):
    """A response component; `error` has more members for the `error` of its example."""

    status: int
    description: str
    message: str
    headers: tuple[str, ...] = ()
    error: dict[str, Any] = {}


def text(pattern: str = "", **more: Any) -> dict[str, Any]:
    return {"type": "string"} | ({"pattern": pattern} if pattern else {}) | more


def ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def object_of(**properties: Any) -> dict[str, Any]:
    """The schema of an object that always has all of these properties, and that may
    have others in a later version.
    """
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": True,
    }


def array_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


def header(
    description: str, schema: dict[str, Any], *, required: bool = True
) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": schema}


def link(operation: str, description: str, /, **parameters: str) -> dict[str, Any]:
    """A Link Object; an underscore in a parameter's name stands for a hyphen.

    It has no `requestBody`: OpenAPI allows any value, but generators only a string.
    """
    target: dict[str, Any] = {"operationId": operation, "description": description}
    if parameters:
        values = {name.replace("_", "-"): value for name, value in parameters.items()}
        target["parameters"] = values
    return target


def known_values(values: Iterable[str]) -> str:
    """For the description of a string that has more values in later versions.

    As an enum, each new value would break the clients that were generated before.
    """
    return f"One of {', '.join(f'`{each}`' for each in values)}; others may be added."
