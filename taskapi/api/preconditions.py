"""Conditional requests: If-Match, If-None-Match (RFC 9110 section 13) and `version`."""

import re
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from rest_framework.exceptions import APIException, ValidationError

ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'

# A list may have empty elements (RFC 9110 section 5.6.1).
ELEMENT = rf"[ \t]*(?:{ENTITY_TAG}[ \t]*)?"
TAG_LIST = re.compile(f"{ELEMENT}(?:,{ELEMENT})*")
# What `entity_tags` accepts, for the OpenAPI description.
TAGS_PATTERN = (
    rf"^[ \t]*(\*|(,[ \t]*)*{ENTITY_TAG}([ \t]*,([ \t]*{ENTITY_TAG})?)*)[ \t]*$"
)


class PreconditionFailed(APIException):
    """412 with the current representation and its ETag."""

    status_code = 412

    def __init__(self, detail: str, current: Any, etag: str) -> None:
        super().__init__(detail)
        self.error_fields = {"current": current}
        self.headers = {"ETag": etag}


@dataclass(frozen=True)
class Precondition:
    """Matches a resource whose strong tag is among `tags` and whose version is
    `version`; None matches any.
    """

    tags: tuple[str, ...] | None = None
    version: int | None = None

    def matches(self, etag: str, version: int) -> bool:
        if self.version is not None and self.version != version:
            return False
        # Strong comparison: a weak tag never equals a strong one.
        return self.tags is None or "*" in self.tags or etag in self.tags


NO_PRECONDITION = Precondition()


def entity_tags(request: HttpRequest, header: str) -> tuple[str, ...] | None:
    """The entity tags of If-Match or If-None-Match, `("*",)`, or None without it."""
    value = request.META.get(f"HTTP_{header.upper().replace('-', '_')}")
    if value is None:
        return None
    if value.strip() == "*":
        return ("*",)
    found = tuple(re.findall(ENTITY_TAG, value))
    if not found or not TAG_LIST.fullmatch(value):
        raise ValidationError({header: ['Send "*" or quoted tags such as "v3".']})
    return found


def is_not_modified(request: HttpRequest, etag: str) -> bool:
    """Whether If-None-Match has this tag by weak comparison."""
    sent = entity_tags(request, "If-None-Match") or ()
    opaque = {tag.removeprefix("W/") for tag in sent}
    return "*" in opaque or etag.removeprefix("W/") in opaque
