"""Bodies whose answer, or whose reading, could cost far more than they did."""

import json

from tests.live.corpus import BATCH, LOGIN, TASK, TASKS, Case, case, get, http, post

REFRESH_PATH, LOGOUT = "/api/auth/refresh", "/api/auth/logout"
REGISTER = "/api/auth/register"
# 3.7 MB, as much as a body may have.
NAMES = b"{" + b",".join(b'"%06d":1' % n for n in range(380_000)) + b"}"
EMOJI = "\N{PILE OF POO}".encode()
SHAPES: dict[str, bytes] = {
    "380,000 names": NAMES,
    "as many numbers": b"[" + b",".join([b"1"] * 1_900_000) + b"]",
    "as many objects": b"[" + b",".join([b"{}"] * 1_200_000) + b"]",
    "as many arrays of arrays": b"[" + b",".join([b"[[]]"] * 700_000) + b"]",
    "one name of 3 MB": json.dumps({"a" * 3_000_000: 1}).encode(),
    # In Python the emoji makes it four bytes for each character, 16 MB.
    "an emoji in a title of 4 MB": b'{"title": "%s"}' % (b"a" * 4_000_000 + EMOJI),
    "an emoji in a name of 4 MB": b'{"%s": 1}' % (EMOJI + b"a" * 4_000_000),
    "an escaped emoji in a title of 4 MB": b'{"title": "%s"}'
    % (b"a" * 4_000_000 + json.dumps("\N{PILE OF POO}").encode().strip(b'"')),
    "an emoji in a title of 1 MB": b'{"title": "%s"}' % (b"a" * 1_000_000 + EMOJI),
    "two bytes a character": b'{"title": "%s"}' % ("\u0436".encode() * 1_900_000),
    "20,000 names in a field": b'{"title": ' + NAMES[:220_000].rstrip(b',"0123456789:')
    + b"}}",
}  # fmt: skip


def cases() -> list[Case]:
    found: list[Case] = []
    for name, body in SHAPES.items():
        found += [
            case(f"{path}: {name}", post(path, body), {400, 413})
            for path in (REFRESH_PATH, LOGOUT, LOGIN, REGISTER)
        ]
        found += [
            case(f"{path}: {name}", post(path, body), {400, 413}, {401, 413})
            for path in (TASKS, BATCH)
        ]
        patch = http("PATCH", f"{TASKS}/{TASK}", body)
        found.append(case(f"PATCH: {name}", patch, {400, 413}, {401, 413}))
    path = get(f"/{'a' * 3000}")
    return [*found, case("a path of 3 KB", path, 404)]


CASES = cases()
# Each is sent ten times at once, to see what memory that takes: to a path that takes no
# large body, and to one that does.
HEAVIEST = [
    post(path, body) for path in (REFRESH_PATH, TASKS) for body in SHAPES.values()
]
