"""What a client expects a task to be: If-Match (RFC 9110 13.1.1) and `version`."""

import re
from dataclasses import dataclass

from django.http import HttpRequest
from rest_framework.exceptions import ValidationError

from tasks.models import Task

ENTITY_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'

# A list may have empty elements (RFC 9110 section 5.6.1).
ELEMENT = rf"[ \t]*(?:{ENTITY_TAG}[ \t]*)?"
TAG_LIST = re.compile(f"{ELEMENT}(?:,{ELEMENT})*")
# What `tags` takes, for those who describe it.
TAGS_PATTERN = (
    rf"^[ \t]*(\*|(,[ \t]*)*{ENTITY_TAG}([ \t]*,([ \t]*{ENTITY_TAG})?)*)[ \t]*$"
)


@dataclass(frozen=True)
class Precondition:
    """Holds for a task whose strong tag is among `tags` and whose version is `version`;
    None expects nothing.
    """

    tags: tuple[str, ...] | None = None
    version: int | None = None

    def holds(self, task: Task) -> bool:
        if self.version is not None and self.version != task.version:
            return False
        # Strong comparison: a weak tag is never equal to ours.
        return self.tags is None or "*" in self.tags or task.etag in self.tags


ANYTHING = Precondition()


def tags(request: HttpRequest, header: str) -> tuple[str, ...] | None:
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


def is_unchanged(request: HttpRequest, etag: str) -> bool:
    """Whether If-None-Match names this tag, weakly: the client has it already."""
    known = tags(request, "If-None-Match") or ()
    weak = {tag.removeprefix("W/") for tag in known}
    return "*" in weak or etag.removeprefix("W/") in weak
