"""Makes requests hostile in ways that no schema leads to, some of those generated.

Whatever is done to one, the answer has to be a refusal. The request's id tells which
it was, to the check and to whoever reads the log.
"""

import codecs
import json
import os
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from hypothesis import strategies as st

from tests.contract.document import Operation, document

Pick = Callable[[Sequence[Any]], Any]
Way = Callable[[Pick, Any], None]
PREFIX = "hostile."
# Of how many requests one is spoilt.
EVERY = 8
STRANGERS_TASK = os.environ.get("TASKAPI_FUZZ_STRANGERS_TASK", "")
CHARSETS = ("utf-16", "latin-1", "idna", "punycode", "rot13", "unicode_escape", "zip")
NUMBERS = ("NaN", "-Infinity", "1e999", "9" * 5000)
MERGE_PATCH = "application/merge-patch+json"
MEDIA_TYPES = (
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    MERGE_PATCH,
)
PARAMETERS = ("\x00", "page[]", "q\x00", "__proto__", "format", "\u202e")


def kind_of(request: Any) -> str:
    sent = str(request.headers.get("X-Request-Id", ""))
    return sent.removeprefix(PREFIX) if sent.startswith(PREFIX) else ""


@st.composite
def some_of(draw: Any, strategy: st.SearchStrategy[Any]) -> Any:
    """The same cases, of which some are spoilt."""
    case = draw(strategy)
    ways = ways_for(case)
    if ways and draw(st.integers(0, EVERY - 1)) == EVERY - 1:
        spoil(case, draw(st.sampled_from(ways)), lambda of: draw(st.sampled_from(of)))
    return case


def each_of(examples: list[Any]) -> list[Any]:
    """The first example once more for each way, spoilt."""
    spoilt = []
    for way in ways_for(examples[0]) if examples else []:
        spoilt.append(copy_of(examples[0]))
        spoil(spoilt[-1], way, itemgetter(0))
    return spoilt


def copy_of(case: Any) -> Any:
    """Without what Schemathesis knows of it: that it is valid."""
    return case.operation.Case(
        path_parameters=dict(case.path_parameters),
        headers=dict(case.headers),
        query=dict(case.query),
        body=case.body,
        media_type=case.media_type,
    )


def spoil(case: Any, way: Way, pick: Pick) -> None:
    way(pick, case)
    case.headers["X-Request-Id"] = PREFIX + way.__name__


def ways_for(case: Any) -> list[Way]:
    """Not in a chain of requests, where the next one needs this one's success."""
    is_single = case.meta and case.meta.phase.name.name in {"EXAMPLES", "FUZZING"}
    if not is_single or not case.path.startswith("/api/"):
        return []
    ways: list[Way] = [parameter, media_range]
    if STRANGERS_TASK and case.path.startswith("/api/tasks/{id}"):
        ways.append(stranger)
    if read_names(case):
        ways += [deep, nul, surrogate, bytes_of_no_text, charset, twice]
        ways += [number, cut, media_type]
    return ways


def read_names(case: Any) -> list[str]:
    """Members of the body that are read; what may come back is ignored."""
    operation = operation_of(case)
    if not isinstance(case.body, dict) or operation.request is None:
        return []
    return sorted(case.body.keys() & operation.request.schema["properties"].keys())


def operation_of(case: Any) -> Operation:
    return document().paths[case.operation.path][case.operation.method.lower()]


def member(pick: Pick, case: Any, value: str) -> bytes:
    """The body with this, already JSON, in place of one member's value."""
    name = pick(read_names(case))
    members = {key: json.dumps(inner) for key, inner in case.body.items()}
    members[name] = value
    inner = ", ".join(f"{json.dumps(key)}: {text}" for key, text in members.items())
    return f"{{{inner}}}".encode(errors="surrogatepass")


def deep(pick: Pick, case: Any) -> None:
    depth = pick([33, 1000, 100_000])
    case.body = member(pick, case, "[" * depth + "]" * depth)


def nul(pick: Pick, case: Any) -> None:
    case.body = member(pick, case, r'"a\u0000"')


def surrogate(pick: Pick, case: Any) -> None:
    case.body = member(pick, case, pick([r'"\ud800"', '"\udfff"']))


def bytes_of_no_text(pick: Pick, case: Any) -> None:
    bad = pick([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5"])
    case.body = member(pick, case, '"~"').replace(b"~", bad)


def charset(pick: Pick, case: Any) -> None:
    name = pick(CHARSETS)
    text = json.dumps(case.body)
    is_told_only = name in {"idna", "zip", "punycode", "rot13"}
    case.body = text.encode() if is_told_only else codecs.encode(text, name)
    case.headers["Content-Type"] = f"application/json; charset={name}"


def twice(pick: Pick, case: Any) -> None:
    name = pick(read_names(case))
    again = json.dumps({name: case.body[name]}).removesuffix("}")
    case.body = f"{again}, {json.dumps(case.body).removeprefix('{')}".encode()


def number(pick: Pick, case: Any) -> None:
    case.body = member(pick, case, pick(NUMBERS))


def cut(pick: Pick, case: Any) -> None:
    text = json.dumps(case.body).encode()
    case.body = text[: pick(range(1, len(text)))]


def media_type(pick: Pick, case: Any) -> None:
    case.body = json.dumps(case.body).encode()
    accepted = {MERGE_PATCH} if case.operation.method.upper() == "PATCH" else set()
    wrong = [each for each in MEDIA_TYPES if each not in accepted]
    case.headers["Content-Type"] = pick(wrong)


def parameter(pick: Pick, case: Any) -> None:
    name = pick(PARAMETERS)
    case.query = {**case.query, name: "1"}


def media_range(pick: Pick, case: Any) -> None:
    case.headers["Accept"] = pick(["image/png", "text/html;q=0.5"])


def stranger(pick: Pick, case: Any) -> None:
    case.path_parameters = {**case.path_parameters, "id": STRANGERS_TASK}
