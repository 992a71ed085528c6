"""Queries, dates and cursors."""

import base64
import json
from urllib.parse import quote

from tests.live.corpus import (
    CURSOR,
    STRANGERS_TASK,
    TASK,
    TASKS,
    Case,
    case,
    get,
    http,
    post,
)

# As dates of a task and as bounds of a list; what is kept, where it is a date.
DATES: dict[str, str | None] = {
    "0001-01-01T00:00:00+23:59": None,
    "0001-01-01T00:00:00+00:01": None,
    "9999-12-31T23:59:59-23:59": None,
    "9999-12-31T23:59:59.999999-00:01": None,
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00Z",
    "0001-01-01T23:59:00+23:59": "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z": "9999-12-31T23:59:59.999999Z",
    "9999-12-31T00:00:59+23:59": "9999-12-30T00:01:59Z",
    "2026-06-30T12:00:00-23:59": "2026-07-01T11:59:00Z",
    "1970-01-01t00:00:00z": "1970-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z": None,
    "-0001-01-01T00:00:00Z": None,
    "10000-01-01T00:00:00Z": None,
    "+12026-01-01T00:00:00Z": None,
    "99999-12-31T23:59:59Z": None,
    "2026-02-29T00:00:00Z": None,
    "2026-13-01T00:00:00Z": None,
    "2026-00-00T00:00:00Z": None,
    "2026-01-32T00:00:00Z": None,
    "2026-01-01T24:00:00Z": None,
    "2026-01-01T25:00:00Z": None,
    "2026-12-31T23:59:60Z": None,
    "2026-01-01T00:00:00+24:00": None,
    "2026-01-01T00:00:00+99:99": None,
    "2026-01-01T00:00:00-00:60": None,
    "2026-01-01T00:00:00+00:00:01": None,
    "2026-01-01T00:00:00+0000": "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00": None,
    "2026-01-01 00:00:00Z": None,
    "2026-01-01T00:00:00.1234567Z": "2026-01-01T00:00:00.123456Z",
    "2026-01-01T00:00:00,5Z": None,
    "2026-01-01T00:00:00.Z": None,
    "2026-01-01T00:00Z": None,
    "20260101T000000Z": None,
    "2026-W01-1T00:00:00Z": None,
    "2026-001T00:00:00Z": None,
    "2026-01-01": None,
    "infinity": None,
    "-infinity": None,
    "now": None,
    "epoch": None,
    "today": None,
    "NaT": None,
    "1767225600": None,
    "\u0662\u0660\u0662\u0666-01-01T00:00:00Z": None,
    "\uff12\uff10\uff12\uff16-01-01T00:00:00Z": None,
    "2026-01-01T00:00:00Z\n": None,
    " 2026-01-01T00:00:00Z": None,
    "2026-01-01T00:00:00\u22121:00": None,
    "2026-01-01T00:00:00Z; DROP TABLE tasks": None,
    "2026-01-01T00:00:00[Europe/Berlin]": None,
    "9" * 3000: None,
}
QUERIES = (
    "limit=0", "limit=-1", "limit=101", "limit=1e2", "limit=1_0", "limit=%2B1",
    "limit=01%00", "limit=%D9%A1%D9%A2", "limit=10.0", "limit=0x10", "limit=+5",
    "limit=NaN", "limit=99999999999999999999", f"limit={'9' * 3000}", "limit=",
    "limit=5&limit=6", "limit[]=5", "limit=%C2%B2", "limit=5%0a", "limit=null",
    "page=0", "page=-1", "page=last", "page=1_0", "page=%D9%A1",
    "page=9223372036854775807", f"page={'9' * 3000}", "page=1&page=2",
    "page=1&cursor=a", "page=1.5", "page=%00", "status=LATER", "status=TODO,",
    "status=,", "status=TODO%00", "status=todo", "status=TODO&status=DONE",
    "status=%ED%A0%80", "status[]=TODO", "status=TODO;DONE",
    f"status={','.join(['TODO'] * 600)}x", "priority=1", "priority=LOW,1",
    "priority=%00", "q=", "q=%00", "q=a%00b", f"q={'a' * 256}",
    f"q={'%F0%9F%98%80' * 256}", "q=a&q=b", "sort=", "sort=-", "sort=--title",
    "sort=id", "sort=user__password", "sort=title,status", "sort=?", "sort=title%00",
    "sort=%22title%22", "sort=title;--", "sort=-createdAt%20", "overdue=1",
    "overdue=TRUE", "overdue=null", "dueDate=null", "dueDate=some", "offset=5",
    "user=1", "userId=a", "user__email=a", "format=xml", "format=json",
    "q=%FF", "q=%ED%A0%80", "q=%C3%28",
    "access_token=~TOKEN~", "%00=1", "%ED%A0%80=1", "%FF=1", "=1", "=", "a", "%", "%%%",
    "_method=DELETE", "callback=alert", "__proto__[a]=1", "fields=password",
    "expand=user", "&".join(f"a{n}=1" for n in range(400)), "__debug__",
    "limit=5;page=1", "q=a&Q=b", "status=%25", "priority=%25s", "sort=%25(a)s",
    "dueBefore=%25", "dueDate=%25d", "overdue=%25n",
)  # fmt: skip
# Search must look for them as they are, and find nothing or what has them.
SEARCHES = (
    "%25", "_", "%5C", "%27", "%22", "'%20OR%201=1--", "%F0%9F%98%80",
    "%", "%zz", "%u0041", "%E2%80%AE", "%0d%0aSet-Cookie:%20a=b",
    "+", "%20", "a" * 255, "%F0%9F%98%80" * 255, "(a%2B)%2B$", "*",
)  # fmt: skip


def dates() -> list[Case]:
    cases = []
    for text, kept in DATES.items():
        name = repr(text[:40])
        body = json.dumps({"title": "Water the plants", "dueDate": text}).encode()
        keeps = {"dueDate": kept} if kept else {}
        made, found = (201, 200) if kept else (400, 400)
        cases.append(case(f"due {name}", post(TASKS, body), made, 401, keeps=keeps))
        for bound in ("dueBefore", "dueAfter"):
            target = f"{TASKS}?{bound}={quote(text)}"
            cases.append(case(f"{bound} {name}", get(target), found, 401))
    return cases


def queries() -> list[Case]:
    refused = [
        case(f"query {query[:40]}", get(f"{TASKS}?{query}"), 400, 401)
        for query in QUERIES
    ]
    found = [
        case(f"search {text[:20]!r}", get(f"{TASKS}?q={text}"), 200, 401)
        for text in SEARCHES
    ]
    elsewhere = [
        case(f"query of {target}", message, 400, 401)
        for target, message in {
            "one task": get(f"{TASKS}/{TASK}?a=1"),
            "stats": get(f"{TASKS}/stats?a=%00"),
            "trash": get(f"{TASKS}/trash?status=TODO"),
            "history": get(f"{TASKS}/{TASK}/history?limit=1_0"),
            "deletion": http("DELETE", f"{TASKS}/{TASK}?force=true"),
            "me": get("/api/auth/me?a=1"),
        }.items()
    ]
    return [*refused, *found, *elsewhere]


def packed(value: str) -> str:
    return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def cursors() -> list[Case]:
    """`~C~` is a good one, of the caller's list by title."""
    forged = {
        "empty": "",
        "a letter": "a",
        "NUL": "%00",
        "half a character": "%ED%A0%80",
        "beyond ASCII": "%C3%A9",
        "Base64 of JSON": packed('["a","b",1]'),
        "Base64 of NUL": packed('["\\u0000","\\u0000",0]'),
        "Base64 of pickle": packed("\x80\x04."),
        "deep JSON": packed("[" * 2000),
        "a signature alone": ":" + "a" * 43,
        "colons": ":" * 50,
        "dots": "." * 50,
        "compressed nonsense": ".eJwAAAD__w:aaaa",
        "a million": "a" * 3500,
        "cut": f"{CURSOR}x",
        "longer before": f"x{CURSOR}",
        "compressed by a dot": f".{CURSOR}",
        "twice": f"{CURSOR}{CURSOR}",
        "signed again": f"{CURSOR}:a",
        "blank": f"%20{CURSOR}",
        "line end": f"{CURSOR}%0a",
    }
    by_title = f"{TASKS}?sort=title&limit=1&cursor="
    return [
        *(
            case(f"cursor {name}", get(f"{by_title}{text}"), 400, 401)
            for name, text in forged.items()
        ),
        case(
            "cursor of another sort", get(f"{TASKS}?limit=1&cursor={CURSOR}"), 400, 401
        ),
        case("cursor of other filters", get(f"{by_title}{CURSOR}&q=a"), 400, 401),
        case("cursor of another path", get(f"{TASKS}/trash?cursor={CURSOR}"), 400, 401),
        case(
            "cursor, the parameter twice",
            get(f"{by_title}{CURSOR}&cursor={CURSOR}"),
            400,
            401,
        ),
        case("cursor and page", get(f"{by_title}{CURSOR}&page=1"), 400, 401),
        case("cursor as it is", get(f"{by_title}{CURSOR}"), 200, 401),
        case("task of another", get(f"{TASKS}/{STRANGERS_TASK}"), 403, 401),
    ]


CASES = [*dates(), *queries(), *cursors()]
