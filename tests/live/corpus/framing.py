"""Where a request ends: lengths that lie, bodies that stop, bodies in chunks."""

from typing import Any

from tests.live.corpus import EVIL, LOGIN, OURS, TASKS, Case, case, get, http, post

FORM = "application/x-www-form-urlencoded"
LIMIT_BYTES = 4 * 2**20
TERABYTE = 10**12
SMUGGLED = (
    b"DELETE /api/tasks/~TASK~ HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: Bearer ~TOKEN~\r\n\r\n"
)
ADMIN, CHUNKED = "/admin/login/", "Transfer-Encoding: chunked"
CHUNKS: dict[str, bytes] = {
    "whole": b"1d\r\n" + OURS + b"\r\n0\r\n\r\n",
    "none": b"0\r\n\r\n",
    "with an extension": b"1d;a=b\r\n" + OURS + b"\r\n0\r\n\r\n",
    "with a trailer": b"1d\r\n" + OURS + b"\r\n0\r\nHost: a\r\n\r\n",
    "of a negative size": b"-1\r\na\r\n0\r\n\r\n",
    "of a size in hexadecimal": b"0x1d\r\n" + OURS + b"\r\n0\r\n\r\n",
    "of a size that is none": b"zz\r\na\r\n0\r\n\r\n",
    "of a size with 5000 digits": b"0" * 5000 + b"1\r\na\r\n0\r\n\r\n",
    "of a size with a line": b"1_d\r\n" + OURS + b"\r\n0\r\n\r\n",
    "longer than they say": b"5\r\n" + OURS + b"\r\n0\r\n\r\n",
}
# Well-formed: the body reaches the application.
WHOLE_CHUNKS = ("whole", "with an extension")
OTHER_BODIES = ("none", "of a size with 5000 digits")
CODINGS = (
    "chunked, chunked", "identity", "gzip", "gzip, chunked", "chunked, identity",
    "xchunked", "chunked;a=b", "", "\x0bchunked", "\xff", '"chunked"',
)  # fmt: skip
SPELLINGS = (" chunked", "chunked\t", "CHUNKED")
LENGTHS = (
    "-1", "+29", "29.0", "0x1d", "1e2", "2_9", "29 29", "29, 29", "29,30", "a", "", " ",
    "\xb2", "\xd9\xa2\xd9\xa9", "9" * 30, "9" * 5000, "NaN", "29;", "-0", "'29'",
    "29\x0b",
)  # fmt: skip


def lengths() -> list[Case]:
    cases = [
        case(
            f"length {length[:20]!r} ({len(length)})",
            post(TASKS, OURS, length=length),
            {400, 413, 431},
        )
        for length in LENGTHS
    ]
    size = len(OURS)
    behind = post(TASKS, OURS, "Content-Length: 0", length=size) + SMUGGLED
    same = post(TASKS, OURS, f"Content-Length: {size}", length=size)
    padded = post(TASKS, OURS, length="0" * 20 + str(size))
    return [
        *cases,
        case("length twice", post(TASKS, OURS, "Content-Length: 5"), 400),
        case("length twice, a request behind", behind, 400),
        case("length twice, the same", same, {400, 201}, {400, 401}),
        case("length with zeros before", padded, {201, 400}, {400, 401}),
        *(
            case(name, message, 400, {400, 401}, leaves_rest=True)
            for name, message in {
                "no length and a body": post(TASKS, OURS, length=None),
                "length 0 and a body": post(TASKS, OURS, length=0),
                "length too short": post(TASKS, OURS, length=10),
            }.items()
        ),
    ]


def chunks(body: bytes, *fields: str, **more: Any) -> bytes:
    return post(TASKS, body, *fields, **{"length": None} | more)


def chunked() -> list[Case]:
    field, none, whole = CHUNKED, CHUNKS["none"] + SMUGGLED, CHUNKS["whole"]
    named = {name: chunks(body, field) for name, body in CHUNKS.items()}
    accepted = {
        **{f"chunks {name}": named.pop(name) for name in WHOLE_CHUNKS},
        **{
            f"coding {spelling!r}": chunks(whole, f"Transfer-Encoding: {spelling}")
            for spelling in SPELLINGS
        },
    }
    others = {f"chunks {name}": named.pop(name) for name in OTHER_BODIES}
    refused = {
        **{f"chunks {name}": message for name, message in named.items()},
        **{
            f"coding {coding!r}": chunks(whole, f"Transfer-Encoding: {coding}")
            for coding in CODINGS
        },
        "length and chunks": post(TASKS, none, field),
        "length 0 and chunks": post(TASKS, whole, field, length=0),
        "chunks in HTTP/1.0": chunks(whole, field, version="HTTP/1.0"),
        "chunks twice": chunks(whole, field, field),
        "chunks, blank before the colon": post(
            TASKS, none, "Transfer-Encoding : chunked"
        ),
        "chunks, folded": post(TASKS, none, "Transfer-Encoding:\r\n chunked"),
        "login in chunks": post(LOGIN, whole, field, length=None),
    }
    too_many = (b"100000\r\n" + b" " * 2**20 + b"\r\n") * 5
    unread = post(TASKS, OURS, "Transfer_Encoding: chunked")
    return [
        *(case(name, message, 400) for name, message in refused.items()),
        *(case(name, message, 201, 401) for name, message in accepted.items()),
        *(case(name, message, 400, 401) for name, message in others.items()),
        case("chunks over the limit", chunks(too_many, field), 413),
        case("chunks with an underscore", unread, {201, 400}, {401, 400}),
    ]


def oversized() -> list[Case]:
    text = b'{"title": "' + b"a" * (LIMIT_BYTES - 13) + b'"}'
    over = text + b" "
    form = b"a=" + b"a" * 2 * LIMIT_BYTES
    refused, forms = {401, 413}, {400, 403, 413}
    asking = post(LOGIN, b"", "Expect: 100-continue", length=TERABYTE)
    return [
        case("as much as may be", post(TASKS, text), 400, 401, code="VALIDATION_ERROR"),
        case("a login of blanks", post(LOGIN, b" " * 64 * 1024), 400),
        case("a login of more blanks", post(LOGIN, b" " * LIMIT_BYTES), 413),
        case("one byte more", post(TASKS, over), 413, refused),
        case("a login of one byte more", post(LOGIN, over), 413),
        case("twice as much", post(TASKS, text * 2), 413, refused),
        case("a login of twice as much", post(LOGIN, text * 2), 413),
        case("a form of twice as much", post(ADMIN, form, media=FORM), forms),
        case("a terabyte", post(TASKS, OURS, length=TERABYTE), 413, refused),
        case("a login of a terabyte", post(LOGIN, OURS, length=TERABYTE), 413),
        case("a login of a terabyte, asking first", asking, {413, 417}),
        case(
            "a form of a terabyte",
            post(ADMIN, b"a=b", media=FORM, length=TERABYTE),
            forms,
        ),
    ]


def refused_unread() -> list[Case]:
    """The body of a refused request must not be taken for the next request."""
    idna = "application/json; charset=koi8-r"
    return [
        case("body for no route", post("/nothing", OURS), 404),
        case("body in a bad charset", post(TASKS, OURS, media=idna), 415),
        case("body for a bad host", post(TASKS, OURS, host=EVIL), 400),
        case("body for a bad method", http("PUT", TASKS, OURS), 405, {401, 405}),
    ]


def truncated() -> list[Case]:
    """Bodies and heads that stop: the client waits, says it is done, or is gone."""
    whole = post(TASKS, OURS, length=len(OURS))
    bodies = {
        "in the body": whole[:-5],
        "before the body": whole[: -len(OURS)],
        "in a big body": post(TASKS, b'{"title": "' + b"a" * 40_000, length=50_000),
        "before going on": post(TASKS, b"", "Expect: 100-continue", length=29),
    }
    others = {
        "in a login": post(LOGIN, b'{"email": "a@b.c", "passw', length=60),
        "in the head": whole[:60],
        "in the request line": b"GET /api/ta",
        "after a field": get(TASKS)[:-2],
        "in a big head": get(TASKS, f"A: {'a' * 6000}")[:-4000],
        "in a chunk": chunks(b"1d\r\n{", CHUNKED),
        "in a huge chunk": chunks(b"ffffffffffffffff\r\na", CHUNKED),
    }
    return [
        case(f"stops {name}, {then}", message, {400, 408}, anonymous, then=then)
        for stops, anonymous in [(bodies, {400, 401, 408}), (others, {400, 408})]
        for name, message in stops.items()
        for then in ("waits", "ends", "is gone")
    ]


STALLED = truncated()
CASES = [*lengths(), *chunked(), *oversized(), *refused_unread()]
