"""The headers of requests and answers, as the schema describes them."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from taskapi.api.idempotency import KEY_PATTERN
from taskapi.api.preconditions import TAGS_PATTERN


def header(name: str, description: str, **schema: Any) -> OpenApiParameter:
    required = schema.pop("required", False)
    return OpenApiParameter(
        name,
        {"type": "string"} | schema,
        "header",
        description=description,
        required=required,
    )


IF_MATCH = header(
    "If-Match",
    "Only if it still has one of these tags, else 412; weak tags never match.",
    pattern=TAGS_PATTERN,
    example='"v1"',
)
IF_NONE_MATCH = header(
    "If-None-Match",
    "304 if it still has one of these tags.",
    pattern=TAGS_PATTERN,
    example='"v1"',
)
KEY = header(
    "Idempotency-Key",
    "Sent again with the same request, it writes nothing and gets the first answer.",
    pattern=KEY_PATTERN,
    maxLength=257,
    example="7d9f-build-api",
)
