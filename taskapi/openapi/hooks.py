"""The document as a whole, and the paths that are no views of DRF."""

import re
from typing import Any

from taskapi.api.openapi import ref
from taskapi.openapi import apps, fields, responses
from taskapi.openapi.responses import JSON, default_errors

STATE = {"type": "string", "enum": ["ok", "down"]}
HEALTH = {
    "type": "object",
    "additionalProperties": True,
    "description": "`database` and `cache` are absent while the server drains.",
    "required": ["status"],
    "properties": {
        "status": {"type": "string", "enum": ["ok", "down", "draining"]},
        "database": STATE,
        "cache": {
            "type": "string",
            "enum": ["ok", "down", "local"],
            "description": "`local`: each process has its own cache.",
        },
    },
}
UP = {"status": "ok", "database": "ok", "cache": "ok"}
DOWN = {"status": "down", "database": "down", "cache": "ok"}
TAGS = {"Operations": "Liveness and readiness of the server; these need no token."}


def complete(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Postprocessing hook: tags, probes and components."""
    rename_path_parameters(result["paths"])
    tags = apps.merged("TAGS") | TAGS
    result["tags"] = [{"name": n, "description": d} for n, d in tags.items()]
    result["paths"] |= {
        "/health": probe(
            "getHealth",
            "Get the state of the database and the cache",
            "For people and monitoring. 503 while the database does not respond.",
        ),
        "/livez": probe(
            "getLiveness",
            "Check that the process runs",
            "It uses neither the database nor the cache: a supervisor restarts a "
            "process that does not answer.",
            is_live=True,
        ),
        "/readyz": probe(
            "getReadiness",
            "Check that the server accepts requests",
            "For load balancers. 503 while the database does not respond, and from "
            "the moment on at which the server is told to stop.",
        ),
    }
    known = result["components"]["schemas"] | responses.SCHEMAS | {"Health": HEALTH}
    for module in apps.modules():
        known = apps.merge(known, module.schemas(known))
    remove_read_only(known)
    fields.describe(known)
    schemas = {"schemas": dict(sorted(known.items()))}
    result["components"] |= schemas | responses.components()
    return result


def rename_path_parameters(paths: dict[str, Any]) -> None:
    """Names with underscores, as Python has them, become those of JSON."""
    for path in [each for each in paths if "_" in each]:
        operations = paths.pop(path)
        paths[camelize(path)] = operations
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter.get("in") == "path":
                    parameter["name"] = camelize(parameter["name"])


def camelize(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


def remove_read_only(schema: Any) -> None:
    """Requests have components of their own: in a response's, the word is redundant."""
    if isinstance(schema, dict):
        if schema.get("readOnly") is True:
            del schema["readOnly"]
        for inner in schema.values():
            remove_read_only(inner)


def probe(
    name: str, summary: str, description: str, *, is_live: bool = False
) -> dict[str, Any]:
    """The path of a plain view that reports the server's health."""
    errors = default_errors()
    report = {"schema": ref("schemas", "Health")}
    example = {"status": "ok"} if is_live else UP
    answers: dict[str, Any] = {
        "200": {
            "description": "The server is up.",
            "content": {JSON: report | {"example": example}},
            "headers": responses.header_refs(),
        },
        **{str(s): ref("responses", errors[s]) for s in (400, 405, 415)},
    }
    if not is_live:
        answers["500"] = ref("responses", errors[500])
        answers["503"] = {
            "description": "The server is down or about to stop.",
            "headers": responses.header_refs("Retry-After"),
            "content": {JSON: report | {"example": DOWN}},
        }
    operation = {
        "operationId": name,
        "summary": summary,
        "description": description,
        "tags": [*TAGS],
        "security": [],
        "responses": answers,
    }
    return {"get": operation}
