"""Input that is refused rather than guessed at; both apps build on these."""

import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError
from rest_framework.validators import ProhibitSurrogateCharactersValidator
from rest_framework.views import APIView

from accounts.reading import Asker, Reading


def no_surrogates(value: str) -> None:
    """DRF's validator, which looks at one character at a time, for who needs it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        ProhibitSurrogateCharactersValidator()(value)


class StrictCharField(serializers.CharField):
    """Takes text and only text, and keeps every character of it."""

    default_error_messages = {"blank": "This field may not be blank."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False} | kwargs)
        slow = ProhibitSurrogateCharactersValidator
        others = [each for each in self.validators if not isinstance(each, slow)]
        self.validators = [*others, no_surrogates]

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, str) and not self.allow_blank and not data.strip():
            self.fail("blank")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictChoiceField(serializers.ChoiceField):
    """Takes one of its names; a refusal tells them instead of quoting the input."""

    default_error_messages = {"invalid_choice": "Not one of: {names}."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", names=", ".join(self.choices))
        return data


class StrictSerializer(serializers.Serializer[Any]):
    """Names the fields it does not know instead of dropping them."""

    # Fields of our own answers that a client may send back; they are ignored.
    echoes: ClassVar[frozenset[str]] = frozenset()

    @cached_property
    def taken(self) -> dict[str, tuple[serializers.Field[Any, Any, Any, Any], Any]]:
        """The fields that are read, and the method that validates each further."""
        return {
            name: (field, getattr(self, f"validate_{name}", None))
            for name, field in self.fields.items()
            if not field.read_only
        }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)  # refuses it
        if unknown := data.keys() - self.taken.keys() - self.echoes:
            refuse_unknown(unknown - self.fields.keys(), [*self.taken], "field")
        return self.values_in(data)

    def run_validators(self, value: Any) -> None:
        # DRF would first look for defaults of fields that are only read.
        if self.validators:
            super().run_validators(value)

    def values_in(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What DRF does next, of JSON only and at half of its cost."""
        found: dict[Any, Any] = {}
        errors = {}
        for name, (field, validate) in self.taken.items():
            try:
                value = field.run_validation(data.get(name, serializers.empty))
                found[field.source] = validate(value) if validate else value
            except ValidationError as error:
                errors[name] = error.detail
            except serializers.SkipField:
                continue
        if errors:
            raise ValidationError(errors)
        return found


def refuse_unknown(unknown: set[str], accepted: list[str], kind: str) -> None:
    if unknown:
        hint = f"Unknown {kind}. Accepted: {', '.join(accepted) or 'none'}."
        raise ValidationError(
            {
                # A lone surrogate could not be answered in UTF-8.
                name.encode(errors="backslashreplace").decode(): [
                    serializers.ErrorDetail(hint, "unknown")
                ]
                for name in sorted(unknown)
            }
        )


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


class StrictView(APIView):
    """A view that refuses query parameters it does not know, and ones sent twice."""

    query_parameters: tuple[str, ...] = ()

    # Neither by suffix, nor by the query.
    format_kwarg = None

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        first: Any = self.renderer_classes[0]
        accepted = request._request.META.get("HTTP_ACCEPT", "*/*")
        # What nearly every client sends; the rest is for DRF to weigh.
        if accepted == "*/*" or accepted == first.media_type:
            return first(), first.media_type
        return super().perform_content_negotiation(request, force)

    @property
    def default_response_headers(self) -> dict[str, str]:
        # Allow belongs to a 405, which has it from the exception handler.
        return {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # All that DRF does here, but for formats by suffix, and versions.
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.perform_authentication(request)
        self.check_permissions(request)
        self.check_throttles(request)
        query = query_of(request)
        # DRF answers 405, whatever else is wrong.
        if query and hasattr(self, str(request._request.method).lower()):
            check_parameters(query, tuple(self.accepted_parameters()))

    def reading(self, asker: Asker) -> Reading | None:
        """What to read along with the session of a caller who says to be that user."""
        return None

    def accepted_parameters(self) -> list[str]:
        """What this request's query may hold."""
        return list(self.query_parameters)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response(status=204, headers={"Allow": ", ".join(self.allowed_methods)})


class NameTwice(ValueError):
    """One name twice in one object: which of the values is meant?"""


def strict_json(text: str) -> Any:
    """JSON as RFC 8259 has it, no name twice, no NaN; ValueError for anything else."""
    try:
        return json.loads(
            text, object_pairs_hook=unique, parse_constant=refuse_constant
        )
    except RecursionError as error:
        raise ValueError("too deep") from error


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NameTwice
    return found


def refuse_constant(name: str) -> None:
    raise ValueError(name)
