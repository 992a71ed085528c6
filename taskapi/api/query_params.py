"""Query strings: parsed once, and rejected when they hold an unknown parameter."""

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from django.core.exceptions import TooManyFieldsSent
from django.http import QueryDict
from rest_framework.serializers import ValidationError

from taskapi.api.serializers import reject_unknown


# Few, because one may take 200 KB; what is computed from them is cached elsewhere.
@lru_cache(maxsize=64)
def parse_query(query: str) -> QueryDict:
    encoded = query.encode("latin-1")  # PEP 3333
    try:
        # Django would put U+FFFD for what is not UTF-8.
        unquote_to_bytes(encoded).decode()
        return QueryDict(encoded)
    except UnicodeDecodeError as error:
        message = "The query is not UTF-8 (percent-encoded)."
        raise ValidationError(message, "invalid") from error
    except TooManyFieldsSent as error:
        message = "The query has too many parameters."
        raise ValidationError(message, "too_many") from error


@lru_cache(maxsize=1024)
def reject_bad_parameters(query: str, accepted: tuple[str, ...]) -> None:
    """ValidationError for a parameter that is unknown, repeated or empty."""
    sent = parse_query(query)
    reject_unknown(sent.keys() - accepted, list(accepted), "parameter")
    for name, values in sent.lists():
        if len(values) > 1:
            raise ValidationError({name: ["Send this parameter once."]}, "repeated")
        if values == [""]:
            raise ValidationError({name: ["May not be empty."]}, "blank")


def integer_parameter(sent: QueryDict, name: str, default: int, maximum: int) -> int:
    """A parameter that is a whole number from 1 to `maximum`, in ASCII digits."""
    text = sent.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= maximum:
        raise ValidationError(
            {name: [f"Send a whole number from 1 to {maximum}."]}, "invalid"
        )
    return int(text)
