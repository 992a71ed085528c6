"""The OpenAPI document as a whole, and what belongs to no view of DRF's."""

from typing import Any

from taskapi.openapi import components
from taskapi.openapi import responses as described
from taskapi.openapi.components import JSON, ref
from taskapi.openapi.links import LINKS
from taskapi.openapi.operations import REFUSALS, add_examples

DESCRIPTION = """\
Tasks of which no write is lost, doubled or silently changed.

**Signing in.** `register` and `login` answer an access token, good for 15 minutes and
sent as `Authorization: Bearer …`, and a refresh token, which `refresh` trades for one
successor. Sending a spent refresh token again ends its session.

**Errors** have one shape, `Error`, on every path and for every status. `error.code` is
for programs, `error.message` for people, and `error.details` names each refused field.
A field or query parameter that is not described here is refused, never ignored. Every
answer carries `X-Request-Id`: the request's own, if it sent one, or a new one.

**Concurrency.** A task's `ETag` is its version. `PUT` needs it in `If-Match`; `PATCH`,
`DELETE` and `restore` honour it there, or as `version` in the body, and answer 412 with
the task as it is. Without it, `PATCH` sets the fields that are sent and no others.

**Retries.** A `POST` under `/api/tasks` may carry an `Idempotency-Key`: sent again
within 24 hours it writes nothing and gets the first answer, marked
`Idempotency-Replayed`. 429 and 503 carry `Retry-After`; `RateLimit` tells what is left.

`HEAD` is served wherever `GET` is, and `OPTIONS` lists the methods of a path.
"""
TAGS = {
    "Accounts": "Sign in and out, sessions, passwords, and what is held about you.",
    "Tasks": "Your tasks, one at a time, in lists and in batches.",
    "Trash": "Deleted tasks: restored, or removed for good.",
    "Operations": "Whether the server is alive and ready; these need no token.",
}


def complete(result: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Postprocessing hook: what belongs to no view of DRF's."""
    result["info"] |= {
        "description": DESCRIPTION,
        "license": {"name": "MIT", "identifier": "MIT"},
    }
    result["servers"] = [{"url": "/"}]
    result["tags"] = [{"name": n, "description": d} for n, d in TAGS.items()]
    result["paths"] |= {
        "/health": probe("getHealth", "Tell the state of database and cache"),
        "/livez": probe("getLiveness", "Tell that the process lives", fails=False),
        "/readyz": probe("getReadiness", "Tell whether to send requests here"),
    }
    known = result["components"]["schemas"]
    known |= components.schemas(known)
    forget_read_only(known)
    result["components"] |= {
        "schemas": dict(sorted(known.items())),
        "responses": described.REFUSALS,
        "headers": described.HEADERS,
        "links": LINKS,
    }
    return result


def forget_read_only(schema: Any) -> None:
    """Requests have components of their own: in an answer's, the word says nothing."""
    if isinstance(schema, dict):
        if schema.get("readOnly") is True:
            del schema["readOnly"]
        for inner in schema.values():
            forget_read_only(inner)


def probe(name: str, summary: str, *, fails: bool = True) -> dict[str, Any]:
    """The path of a plain view that reports the server's health."""
    report = {JSON: {"schema": ref("schemas", "Health")}}
    answers: dict[str, Any] = {
        "200": {"description": "Up.", "content": report},
        **{str(s): ref("responses", REFUSALS[s]) for s in (400, 405, 415)},
    }
    answers["200"]["headers"] = described.headers()
    if fails:
        answers["500"] = ref("responses", REFUSALS[500])
        answers["503"] = {
            "description": "Not up, or about to stop.",
            "headers": described.headers("Retry-After"),
            "content": report,
        }
    operation = {
        "operationId": name,
        "summary": summary,
        "tags": ["Operations"],
        "security": [],
        "responses": answers,
    }
    add_examples(operation)
    return {"get": operation}
