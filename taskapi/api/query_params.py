"""Query strings: parsed once, and rejected when they hold an unknown parameter."""

from functools import lru_cache

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.serializers import ValidationError

from taskapi.api.serializers import refuse_unknown


def query_of(request: Request) -> str:
    """The query string as it came; one text always means the same."""
    return str(request._request.META.get("QUERY_STRING", ""))


# Few, because one may take 200 KB; what is made of them is kept in other caches.
@lru_cache(maxsize=64)
def parameters(query: str) -> QueryDict:
    """What is in a query string."""
    return QueryDict(query.encode("latin-1"))  # PEP 3333


@lru_cache(maxsize=1024)
def check_parameters(query: str, accepted: tuple[str, ...]) -> None:
    """ValidationError for what is not accepted, sent twice or empty."""
    sent = parameters(query)
    refuse_unknown(sent.keys() - accepted, list(accepted), "parameter")
    for name, values in sent.lists():
        if len(values) > 1:
            raise ValidationError({name: ["Send this parameter once."]}, "repeated")
        if values == [""]:
            raise ValidationError({name: ["May not be empty."]}, "blank")
