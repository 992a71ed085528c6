"""What is wrong with an answer to hostile input, if anything."""

import re
from collections.abc import Iterator
from typing import Any

from tests.live.corpus import EVIL, SECRET, Case
from tests.live.hostile import PROBE_ID, closes
from tests.live.wire import Answer

# Of contract.md; the page of a server or a proxy has none of these.
CODES = {
    400: {"BAD_REQUEST", "VALIDATION_ERROR", "MALFORMED_JSON"},
    401: {"AUTHENTICATION_ERROR"},
    403: {"FORBIDDEN", "INSUFFICIENT_SCOPE", "QUOTA_EXCEEDED"},
    404: {"NOT_FOUND"},
    405: {"METHOD_NOT_ALLOWED"},
    406: {"NOT_ACCEPTABLE"},
    408: {"REQUEST_TIMEOUT"},
    409: {"CONFLICT"},
    412: {"PRECONDITION_FAILED"},
    413: {"PAYLOAD_TOO_LARGE"},
    414: {"URI_TOO_LONG"},
    415: {"UNSUPPORTED_MEDIA_TYPE"},
    417: {"EXPECTATION_FAILED"},
    422: {"IDEMPOTENCY_KEY_REUSED"},
    428: {"PRECONDITION_REQUIRED"},
    429: {"RATE_LIMITED"},
    431: {"REQUEST_HEADER_FIELDS_TOO_LARGE"},
}
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src '",
}
WANTED = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After"}
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_REFUSAL_BYTES = 32 * 1024
INTERNALS = re.compile(
    rb"Traceback|django|psycopg|gunicorn|rest_framework|simplejwt|/site-packages/"
    rb'|SELECT |File "|<html|<!doctype|[a-z]Error\b|0x[0-9a-f]{8}',
    re.IGNORECASE,
)


def faults(case: Case, expected: set[int], answers: list[Answer]) -> Iterator[str]:
    if not answers:
        # Who said that no more comes, or is gone, may be answered with silence.
        if case.then == "waits":
            yield "no answer"
        return
    first = answers[0]
    yield from surprises(case, expected, first)
    for answer in answers:
        yield from [*leaks(answer), *misfits(answer)]
    told = [(a.status, a.headers.get("X-Request-Id") == PROBE_ID) for a in answers[1:]]
    if case.then == "waits" and told not in sequels(case, first):
        yield f"then {told}"


def sequels(case: Case, first: Answer) -> list[list[tuple[int, bool]]]:
    """What may come after the answer: status, and whether the harmless request's."""
    if closes(first):
        return [[]]
    return [[(400, False)]] if case.leaves_rest else [[(200, True)]]


def surprises(case: Case, expected: set[int], answer: Answer) -> Iterator[str]:
    """Where it is another answer than this request has to get."""
    if answer.status not in expected:
        yield f"{answer.status}, not {sorted(expected)}: {answer.body[:200]!r}"
    if answer.status == 400 and case.code and case.code.encode() not in answer.body:
        yield f"not {case.code}: {answer.body[:200]!r}"
    if answer.status in {200, 201} and case.keeps:
        kept = {name: answer.json.get(name) for name in case.keeps}
        if kept != case.keeps:
            yield f"says {kept}"


def leaks(answer: Answer) -> Iterator[str]:
    if found := INTERNALS.search(answer.body):
        yield f"tells {found[0]!r}: {answer.body[:200]!r}"
    everything = answer.body + repr(answer.headers).encode()
    for word in (EVIL, SECRET):
        if word.encode() in everything:
            yield f"repeats {word}"


def misfits(answer: Answer) -> Iterator[str]:
    """Where an answer is not as the contract has every one."""
    headers = answer.headers
    for name, value in SECURITY.items():
        # What may be kept, to be asked about again, has an ETag.
        is_kept = name == "Cache-Control" and "ETag" in headers
        if value not in headers.get(name, "") and not is_kept:
            yield f"{answer.status} with {name}: {headers.get(name)}"
    if not WELL_FORMED.fullmatch(headers.get("X-Request-Id", "")):
        yield f"{answer.status} with the id {headers.get('X-Request-Id')}"
    wanted = WANTED.get(answer.status)
    if wanted and not headers.get(wanted):
        yield f"{answer.status} without {wanted}"
    if answer.status >= 400 and answer.body:  # HEAD has none
        yield from malformed(answer)


def malformed(answer: Answer) -> Iterator[str]:
    status, shown = answer.status, answer.body[:200]
    if len(answer.body) > MAX_REFUSAL_BYTES:
        yield f"{status} in {len(answer.body)} bytes"
    if answer.headers.get("Content-Type") != "application/json":
        yield f"{status} as {answer.headers.get('Content-Type')}"
    try:
        code, message, request_id = told(answer.json)
    except (ValueError, KeyError, TypeError, AttributeError):
        yield f"{status} not in the shape: {shown!r}"
        return
    if code not in CODES.get(status, {}) or not message:
        yield f"{status} as {code}, {message!r}"
    if request_id != answer.headers.get("X-Request-Id"):
        yield f"{status} with another id in its body: {shown!r}"


def told(body: Any) -> tuple[str, str, str]:
    """Code, message and id; ValueError for a body that is not in the one shape."""
    error = dict(body["error"])
    values = error.pop("code"), error.pop("message"), body["requestId"]
    is_known = error.keys() <= {"details", "current", "index"}
    if not is_known or body.keys() != {"error", "requestId"}:
        raise ValueError(body)
    return values
