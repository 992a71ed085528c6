import codecs
import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import JSONParser

# RFC 8259 section 9 lets a reader have one; our own bodies need 4.
MAX_DEPTH = 32


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
            text = stream.read().removeprefix(codecs.BOM_UTF8).decode("utf-8")
            value = strict_json(text)
        except DuplicateKeyError as error:
            message = "The body has the same name twice in one object."
            raise ParseError(message) from error
        except ValueError as error:
            # The error's own text would quote the body, and with it perhaps a password.
            raise ParseError("The body is not valid JSON in UTF-8.") from error
        # Counted first: text that cannot be too deep need not be walked through.
        if text.count("[") + text.count("{") > MAX_DEPTH:
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


class DuplicateKeyError(ValueError):
    """One name twice in one object: which of the values is meant?"""


def strict_json(text: str) -> Any:
    """JSON as RFC 8259 has it, no name twice, no NaN; ValueError for anything else."""
    try:
        return json.loads(
            text,
            object_pairs_hook=reject_duplicate_keys,
            parse_constant=reject_constant,
        )
    except RecursionError as error:
        raise ValueError("too deep") from error


def reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateKeyError
    return found


def reject_constant(name: str) -> None:
    raise ValueError(name)
