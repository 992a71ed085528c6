"""What drf-spectacular cannot see of this app's serializers."""

from typing import Any, cast

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent

from taskapi.api.openapi import ref
from tasks.serializers import batch


class BatchOperationScheme(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """An operation of a batch: each `op` has fields of its own."""

    target_class = "tasks.serializers.batch.OperationSerializer"
    priority = 1  # before the scheme of every StrictSerializer

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        fields = schema["properties"]
        mapping = {op: self.register(auto_schema, fields, op) for op in batch.REQUIRED}
        return {
            "oneOf": [{"$ref": place} for place in mapping.values()],
            "discriminator": {"propertyName": "op", "mapping": mapping},
        }

    def register(self, auto_schema: Any, fields: dict[str, Any], op: str) -> str:
        """Add a component for this `op`; return the reference to it."""
        required = sorted(batch.REQUIRED[op])
        names = [*required, *sorted(batch.OPTIONAL[op])]
        properties = {name: fields[name] for name in names}
        if op in batch.BODIES:
            body = auto_schema.resolve_serializer(batch.BODIES[op], "request")
            properties["data"] = body.ref
        schema = {
            "type": "object",
            "properties": {"op": {"type": "string", "const": op}, **properties},
            "required": ["op", *required],
            "additionalProperties": False,
        }
        name = f"{op.capitalize()}Operation"
        component = cast(Any, ResolvedComponent)(name, "schemas", schema, op)
        auto_schema.registry.register_on_missing(component)
        return ref("schemas", name)["$ref"]
