"""Answers that are right although no schema can say when they are.

Each rule has to hold for the request that was sent and for the answer to it; a failure
that none explains is one. Nothing here is a list of failures that were accepted.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree

from tests.live.fuzz import spoil
from tests.live.wire import Answer


def told(answer: Answer) -> Any:
    return answer.json["error"]


def body_of(request: Any) -> str:
    body = request.body or b""
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)


def version_is_not_current(request: Any, answer: Answer) -> bool:
    """Which version a task has is known to the server only."""
    expects = "If-Match" in request.headers or '"version"' in body_of(request)
    return answer.status == 412 and expects


def key_came_before(request: Any, answer: Answer) -> bool:
    """So is which keys came before, and with what."""
    return answer.status == 422 and "Idempotency-Key" in request.headers


def cursor_is_made_up(request: Any, answer: Answer) -> bool:
    """Only what the server signed is a cursor, and only without a page."""
    asked = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
    if answer.status != 400 or "cursor" not in asked:
        return False
    fields = {detail["field"] for detail in told(answer).get("details", [])}
    return fields <= {"cursor", "page"} and bool(fields)


def mark_is_not_of_the_format(request: Any, answer: Answer) -> bool:
    """A byte order mark is for CSV; no schema relates two parameters."""
    asked = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
    fields = [detail["field"] for detail in told(answer).get("details", [])]
    return fields == ["bom"] and asked.get("format") != ["csv"]


def time_zone_is_unknown(request: Any, answer: Answer) -> bool:
    """The names of time zones come and go, so that no schema lists them."""
    details = told(answer).get("details", [])
    asked = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
    is_named = [detail["field"] for detail in details] == ["timezone"]
    return answer.status == 400 and is_named and "timezone" in asked


NAMES = {
    *("project", "projectId", "projectIds", "parentId", "assigneeId"),
    *("before", "after", "token"),
}


def names_what_is_not_there(request: Any, answer: Answer) -> bool:
    """Only the server knows which ids and tokens there are."""
    fields = {
        each["field"].rpartition(".")[2] for each in told(answer).get("details", [])
    }
    return answer.status == 400 and bool(fields) and fields <= NAMES


def body_is_beyond_a_schema(request: Any, answer: Answer) -> bool:
    """Every detail names something that JSON Schema has no word for."""
    details = told(answer).get("details", [])
    try:
        body = json.loads(request.body)
        beyond = [is_beyond_a_schema(body, each) for each in details]
    except (KeyError, IndexError, TypeError, ValueError):
        return False
    return answer.status == 400 and bool(beyond) and all(beyond)


def is_beyond_a_schema(body: Any, detail: dict[str, str]) -> bool:
    path, code = detail["field"], detail.get("code")
    if path in {"password", "newPassword"}:
        # On the list of common ones, or like the user's name or address.
        return code in {"password_too_common", "password_too_similar"}
    if path == "url":  # no pattern tells a public address
        return True
    if code == "past":  # no schema knows what time it is
        return True
    if is_about_time(path, detail):
        return True
    is_not_there = path.rpartition(".")[2] in NAMES
    # No schema compares two dates; one of them may be the task's own.
    if is_not_there or detail.get("message") == "It is after dueDate.":
        return True
    return has_a_fraction(body, path) or versions_differ(body, path)


def is_about_time(path: str, detail: dict[str, str]) -> bool:
    """No schema knows the zones, when their days begin, or which rules there are."""
    name = path.rpartition(".")[2]
    is_day = name == "dueDate" and "With isAllDay" in detail["message"]
    is_end = name == "dueDate" and "end of the calendar" in detail["message"]
    return name in {"rule", "recurrence", "timeZone"} or is_day or is_end


def has_a_fraction(body: Any, path: str) -> bool:
    """1.0 is an integer to JSON Schema; here there is one way to write a number."""
    return isinstance(at(body, path), float)


def versions_differ(body: Any, path: str) -> bool:
    """An update in a batch may name the version it expects in two places."""
    operation, _, name = path.rpartition(".")
    other = at(body, f"{operation}.data").get("version") if operation else None
    return name == "version" and other not in {None, at(body, path)}


def at(body: Any, path: str) -> Any:
    """What stands at a path such as `operations.3.version`."""
    for part in path.split("."):
        body = body[int(part) if isinstance(body, list) else part]
    return body


def null_is_no_body(name: str, request: Any) -> bool:
    """A client sends it for a body that may be absent; generators would make a type
    of its own of a schema that said so.
    """
    return name.startswith("restore") and body_of(request).strip() == "null"


def if_match_came_first(request: Any, answer: Answer) -> bool:
    """RFC 9110 section 13.2.2: where it fails, If-None-Match is not looked at."""
    return answer.status == 412 and "If-Match" in request.headers


REJECTED: list[Callable[[Any, Answer], bool]] = [
    version_is_not_current,
    key_came_before,
    cursor_is_made_up,
    mark_is_not_of_the_format,
    time_zone_is_unknown,
    names_what_is_not_there,
    body_is_beyond_a_schema,
]


RESTORED: set[str] = set()
# Of a deleted task.
READABLE = {"listTaskHistory", "listComments", "getComment"}


def remember(name: str, status: int, task: Any) -> None:
    """Which deleted tasks and projects are back; a check only knows that they were
    deleted.
    """
    if name in {"restoreTask", "restoreProject"} and status == 200:
        RESTORED.add(str(task))
    elif name in {"deleteTask", "deleteProject"} and status == 204:
        RESTORED.discard(str(task))


def is_there_still(failure: UseAfterFree, name: str) -> bool:
    """A deleted task keeps its history and comments, until it is destroyed, and can be
    restored.
    """
    task = failure.free.rpartition("/")[2]
    is_destroyed = "/trash/" in failure.free
    return not is_destroyed and (name in READABLE or task in RESTORED)


def explain(failure: Any, name: str, request: Any, answer: Answer) -> bool:
    """Whether the answer is right, whatever a check says that knows the schema only."""
    if isinstance(failure, UseAfterFree):
        return is_there_still(failure, name)
    if isinstance(failure, RejectedPositiveData | AcceptedNegativeData):
        # What was spoilt has a check of its own.
        if spoil.kind_of(request):
            return True
        if isinstance(failure, AcceptedNegativeData):
            is_first = if_match_came_first(request, answer)
            return is_first or null_is_no_body(name, request)
        return any(rule(request, answer) for rule in REJECTED)
    return False
