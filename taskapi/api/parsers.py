import codecs
import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import IO, Any

from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import JSONParser

from taskapi.http.request_body import max_body_bytes
from taskapi.http.text_size import MAX_TEXT_FACTOR, text_bytes

# RFC 8259 section 9 lets a reader have one; our own bodies need 4.
MAX_DEPTH = 32
# Of all objects and arrays together: a parsed value takes up to 200 times the memory of
# its text. A batch of 100 tasks with every field has 1,600.
MAX_VALUES = 10_000
# A string, or what each value but the first follows. Possessive, so that a string that
# does not end takes no memory per character.
STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[,\[{]', re.DOTALL)
QUOTE = ord('"')


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it: UTF-8, no name twice, no NaN, not nested deeper than
    MAX_DEPTH; 400 for anything else.

    A JSONParser, because only to those does DRF apply the limit of the body's size.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        if "*" in (media_type or "").partition(";")[0]:
            # DRF takes a range of types for any of them.
            raise UnsupportedMediaType(media_type or "")
        try:
            # A byte order mark may be ignored (RFC 8259 section 8.1).
            body = read_body(stream, parser_context)
            value = strict_json(body.removeprefix(codecs.BOM_UTF8))
        except TooManyValuesError as error:
            message = f"The body has more than {MAX_VALUES} values."
            raise ParseError(message) from error
        except DuplicateKeyError as error:
            message = "The body has the same name twice in one object."
            raise ParseError(message) from error
        except ValueError as error:
            # The error's own text would quote the body, and with it perhaps a password.
            raise ParseError("The body is not valid JSON in UTF-8.") from error
        # Counted first: text that cannot be too deep need not be walked through.
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
            reject_depth(value)
        return value


class MergePatchParser(StrictJSONParser):
    """What PATCH takes besides (RFC 7396): `null` and absent fields mean the same there
    as in our JSON.
    """

    media_type = "application/merge-patch+json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        if parser_context and parser_context["request"].method != "PATCH":
            raise UnsupportedMediaType(media_type or "")
        return super().parse(stream, media_type, parser_context)


def read_body(stream: IO[bytes], context: Mapping[str, Any] | None) -> bytes:
    """All of a body; RequestDataTooBig if it, or its text in memory, is more than its
    path may have.
    """
    limit = max_body_bytes(context["request"].path if context else "")
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise RequestDataTooBig
    # Of what is allowed, a batch of 100 tasks with an emoji each takes the most: 2 MiB.
    if len(body) * MAX_TEXT_FACTOR > limit and text_bytes(body) > limit:
        raise RequestDataTooBig
    return body


def reject_depth(value: Any) -> None:
    """Refuse what a later reader, such as an encoder that recurses, would choke on."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in nested(outer)]
        if not level:
            return
    raise ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def nested(value: Any) -> list[Any]:
    """The arrays and objects in one of them."""
    inner = value.values() if isinstance(value, dict) else value
    return [each for each in inner if isinstance(each, (dict, list))]


class TooManyValuesError(ValueError):
    """More values in objects and arrays than MAX_VALUES."""


class DuplicateKeyError(ValueError):
    """One name twice in one object: which of the values is meant?"""


def strict_json(body: bytes) -> Any:
    """JSON as RFC 8259 has it, no name twice, no NaN; ValueError for anything else.

    At most MAX_VALUES values in all objects and arrays, counted before any is parsed or
    even decoded: all structure of JSON in UTF-8 is ASCII.
    """
    reject_many_values(body)
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=reject_duplicate_keys,
            parse_constant=reject_constant,
        )
    except RecursionError as error:
        raise ValueError("too deep") from error


def reject_many_values(body: bytes) -> None:
    """Each value but the first follows a comma or opens an object or an array."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") < MAX_VALUES:
        return  # even if none of them is in a string
    # One by one, and no further than needed: a list of them would take 20 MB.
    found = (each for each in STRUCTURE.finditer(body) if body[each.start()] != QUOTE)
    if next(islice(found, MAX_VALUES - 1, None), None):
        raise TooManyValuesError


def reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateKeyError
    return found


def reject_constant(name: str) -> None:
    raise ValueError(name)
