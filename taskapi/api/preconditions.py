"""Conditional requests: If-Match, If-None-Match (RFC 9110 section 13) and `version`.

None is ignored: a view evaluates them or answers 400. Dates are not compared, because
no resource has a modification date (sections 13.1.3 and 13.1.4).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

from django.http import HttpRequest
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer

ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'

# A list may have empty elements (RFC 9110 section 5.6.1).
ELEMENT = rf"[ \t]*(?:{ENTITY_TAG}[ \t]*)?"
TAG_LIST = re.compile(f"{ELEMENT}(?:,{ELEMENT})*")
# What `entity_tags` accepts, for the OpenAPI description.
TAGS_PATTERN = (
    rf"^[ \t]*(\*|(,[ \t]*)*{ENTITY_TAG}([ \t]*,([ \t]*{ENTITY_TAG})?)*)[ \t]*$"
)
IF_MATCH, IF_NONE_MATCH = "If-Match", "If-None-Match"
# Each with its name in the environ.
HEADERS = {IF_MATCH: "HTTP_IF_MATCH", IF_NONE_MATCH: "HTTP_IF_NONE_MATCH"}
BOTH = frozenset(HEADERS)
CHANGED = "It has changed; error.current is what it is now."
WEAK = (
    'If-Match has a weak tag (W/"..."), which never matches: send the strong tag of '
    "ETag. error.current is what it is now."
)
EXCLUDED = "If-None-Match has the tag of what it is now, error.current."


class PreconditionFailed(APIException):
    """412 with the current representation and its ETag."""

    status_code = 412

    def __init__(self, detail: str, current: Any, etag: str) -> None:
        super().__init__(detail)
        self.error_fields = {"current": current}
        self.headers = {"ETag": etag}


@dataclass(frozen=True)
class Precondition:
    """Matches a resource whose strong tag is among `tags`, whose version is `version`
    and whose tag is not among `excluded`; None matches any.
    """

    tags: tuple[str, ...] | None = None
    version: int | None = None
    excluded: tuple[str, ...] | None = None

    @classmethod
    def from_request(cls, request: HttpRequest, version: int | None = None) -> Self:
        """Of the headers, and of `version` in the body; ValidationError."""
        tags, excluded = (entity_tags(request, header) for header in HEADERS)
        return cls(tags, version, excluded)

    def matches(self, etag: str, version: int | None = None) -> bool:
        if self.version is not None and self.version != version:
            return False
        # Strong comparison: a weak tag never equals a strong one.
        if self.tags is not None and "*" not in self.tags and etag not in self.tags:
            return False
        return self.excluded is None or not matches_weakly(self.excluded, etag)

    def require(self, etag: str, current: Any, version: int | None = None) -> None:
        """PreconditionFailed, with `current`, unless this tag and version match."""
        if not self.matches(etag, version):
            raise PreconditionFailed(self.reason(etag), current, etag)

    def reason(self, etag: str, changed: str = CHANGED) -> str:
        """Why a resource of this tag does not match; `changed` is the usual reason."""
        if self.excluded is not None and matches_weakly(self.excluded, etag):
            return EXCLUDED
        has_weak = any(tag.startswith("W/") for tag in self.tags or ())
        return WEAK if has_weak else changed


NO_PRECONDITION = Precondition()


def entity_tags(request: HttpRequest, header: str) -> tuple[str, ...] | None:
    """The entity tags of If-Match or If-None-Match, `("*",)`, or None without it."""
    value = request.META.get(HEADERS[header])
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
    return matches_weakly(entity_tags(request, IF_NONE_MATCH) or (), etag)


def matches_weakly(tags: Collection[str], etag: str) -> bool:
    opaque = {tag.removeprefix("W/") for tag in tags}
    return "*" in opaque or etag.removeprefix("W/") in opaque


def reject_preconditions(request: HttpRequest, evaluated: Collection[str]) -> None:
    """ValidationError for a precondition that is not evaluated here."""
    hint = "Not supported here; send the request without it."
    ignored = {
        name: [hint]
        for name, key in HEADERS.items()
        if key in request.META and name not in evaluated
    }
    if ignored:
        raise ValidationError(ignored, "unsupported")


def content_tag(representation: Any) -> str:
    """The strong tag of a resource that has no version."""
    body = JSONRenderer().render(representation)
    return f'"{blake2b(body, digest_size=9).hexdigest()}"'
