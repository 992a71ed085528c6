"""What drf-spectacular does not see: how strict the input is, and who signs in."""

from typing import Any, cast

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework.serializers import ListSerializer

from accounts.serializers import EmailField, NewPasswordField
from taskapi.api.fields import StrictCharField
from taskapi.openapi.components import UTC, ref
from tasks.serializers import batch

# White space as Python has it, which is more than what \s is in other languages.
SPACE = r"\s\x1c-\x1f\x85"
ANY_TEXT = r"^[^\x00]*$"
NOT_BLANK = rf"^[^\x00]*[^\x00{SPACE}][^\x00]*$"
# Neither blank nor all digits: of spaces and digits only, it has one beside the other.
PASSWORD = rf"^[^\x00]*([^\x00\d{SPACE}]|\d[{SPACE}]|[{SPACE}]\d)[^\x00]*$"
# What everybody writes; quoted local parts and address literals are taken, too.
EMAIL = (
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"([A-Za-z][A-Za-z-]{0,61}[A-Za-z]|[Xx][Nn]--[A-Za-z0-9]{1,59})$"
)


class InstantScheme(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Of answers: what comes in has a field of its own."""

    target_class = "rest_framework.fields.DateTimeField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return UTC


def bounds(field: Any) -> dict[str, Any]:
    """What an input takes less than its type says."""
    if isinstance(field, ListSerializer):
        return {"minItems": 1, "maxItems": cast(Any, field).max_length}
    if not isinstance(field, StrictCharField):
        return {}
    usual = ANY_TEXT if field.allow_blank else NOT_BLANK
    kinds: dict[Any, str] = {EmailField: EMAIL, NewPasswordField: PASSWORD}
    return {"pattern": kinds.get(type(field), usual)}


class StrictScheme(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    target_class = "taskapi.api.serializers.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        if not vars(type(self.target)).get("__doc__"):
            schema.pop("description", None)  # inherited, so not about this one
        for name, field in self.target.fields.items():
            schema["properties"][name] |= bounds(field)
            if isinstance(field, EmailField):
                # The pattern says what is taken; readers of `format` differ on that.
                del schema["properties"][name]["format"]
        return schema | self.refusing_others()

    def refusing_others(self) -> dict[str, Any]:
        if not self.target.read_only_echoes:
            return {"additionalProperties": False}
        # Not as properties: clients would offer to send what is ignored.
        echoes = "|".join(sorted(self.target.read_only_echoes))
        ignored = {"description": "May come back out of an answer; ignored."}
        return {
            "patternProperties": {f"^({echoes})$": ignored},
            "additionalProperties": False,
        }


class OperationScheme(StrictScheme):  # type: ignore[no-untyped-call]
    """An operation of a batch: each `op` has fields of its own."""

    target_class = "tasks.serializers.batch.OperationSerializer"
    priority = 1

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        fields = super().map_serializer(auto_schema, direction)["properties"]
        mapping = {op: self.register(auto_schema, fields, op) for op in batch.REQUIRED}
        return {
            "oneOf": [{"$ref": place} for place in mapping.values()],
            "discriminator": {"propertyName": "op", "mapping": mapping},
        }

    def register(self, auto_schema: Any, fields: dict[str, Any], op: str) -> str:
        """A component for what this `op` takes; where it is."""
        wanted = sorted(batch.REQUIRED[op])
        known = {name: fields[name] for name in [*wanted, *sorted(batch.OPTIONAL[op])]}
        if op in batch.BODIES:
            body = auto_schema.resolve_serializer(batch.BODIES[op], "request")
            known["data"] = body.ref
        schema = {
            "type": "object",
            "properties": {"op": {"type": "string", "const": op}, **known},
            "required": ["op", *wanted],
            "additionalProperties": False,
        }
        name = f"{op.capitalize()}Operation"
        component = cast(Any, ResolvedComponent)(name, "schemas", schema, op)
        auto_schema.registry.register_on_missing(component)
        return ref("schemas", name)["$ref"]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.auth.authentication.SessionTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class NoScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.auth.authentication.NoAuthentication"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[Any]:
        return []

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Any]:
        return []
