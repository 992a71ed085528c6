import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it: UTF-8, no name twice, no NaN; 400 for anything else.

    A JSONParser, because only to those does DRF apply the limit of the body's size.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            text = stream.read().decode("utf-8")
            return json.loads(
                text, object_pairs_hook=unique, parse_constant=refuse_constant
            )
        except (ValueError, RecursionError) as error:
            # The error's own text would quote the body, and with it perhaps a password.
            raise ParseError("The body is not valid JSON in UTF-8.") from error


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParseError("The body has the same name twice in one object.")
    return found


def refuse_constant(name: str) -> None:
    raise ValueError(name)
