"""What is asked of a server, each operation as scripts that connections follow."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle
from random import Random

from benchmarks.load import Script
from benchmarks.people import People
from benchmarks.wire import fetch

STATUSES = ("TODO", "IN_PROGRESS", "DONE")
PRIORITIES = ("LOW", "MEDIUM", "HIGH", "URGENT")
LIST = "/api/tasks?limit=20"
DESCRIPTION = "A description of ordinary length, written to look like text."
TASK = {"title": "Bench task", "description": DESCRIPTION, "priority": "HIGH"}
BATCH = {"operations": [{"op": "create", "data": TASK}] * 100}

# From the users and a number of connections, one script for each of them.
Scripts = Callable[[People, int], list[Script]]


@dataclass(frozen=True)
class Operation:
    about: str
    scripts: Scripts
    expects: int = 200
    # An answer that somebody has kept would spoil it.
    is_fresh: bool = False


def each(script: Callable[[People, int], Script]) -> Scripts:
    """Connection number n follows `script(people, n)`; it is user number n."""
    return lambda people, size: [script(people, n) for n in range(size)]


def shared(requests: Callable[[People], Iterator[bytes]]) -> Scripts:
    """All connections take from the same requests, and end with them."""

    def follow(left: Iterator[bytes]) -> Script:
        # Not `yield from`, which would tell the answers to what takes none.
        for asked in left:  # noqa: UP028
            yield asked

    def scripts(people: People, size: int) -> list[Script]:
        left = requests(people)
        return [follow(left) for _ in range(size)]

    return scripts


def shuffled(people: People, paths: list[str]) -> Iterator[bytes]:
    """Each path of each user once, in an order of no pattern but always the same."""
    asked = [(path, n) for n in range(len(people.tokens)) for path in paths]
    Random(1).shuffle(asked)
    return (people.asks(path, n) for path, n in asked)


def pages(people: People) -> Iterator[bytes]:
    """Of a thousand tasks, spread over statuses and priorities."""
    filters = {f"&status={s}&priority={p}": 4 for s in STATUSES for p in PRIORITIES}
    filters |= {f"&status={status}": 16 for status in STATUSES}
    filters |= {f"&priority={priority}": 12 for priority in PRIORITIES} | {"": 50}
    paths = [
        f"{LIST}{f}&page={n + 1}" for f, most in filters.items() for n in range(most)
    ]
    return shuffled(people, paths)


def searches(people: People) -> Iterator[bytes]:
    filters = ["", *(f"&status={status}" for status in STATUSES)]
    return shuffled(people, [f"{LIST}&q={q}{f}" for q in people.words for f in filters])


def walk(people: People, number: int) -> Script:
    """All lists of the user by cursor; the first page of each is not by cursor."""
    for status in cycle(STATUSES):
        for sort in ("createdAt", "-createdAt", "-updatedAt", "dueDate", "title"):
            path, cursor = f"{LIST}&status={status}&sort={sort}", ""
            while cursor is not None:
                answer = yield people.asks(path + cursor, number)
                following = json.loads(answer.body)["nextCursor"]
                cursor = following and f"&cursor={following}"


def unchanged(people: People, path: str) -> Script:
    tag = fetch(people.address, people.asks(path)).header("ETag")
    asked = people.asks(path, If_None_Match=tag)
    while True:
        yield asked


def refresh(people: People, number: int) -> Script:
    tokens = people.sign_in(people.email(number))
    while True:
        data = {"refreshToken": tokens["refreshToken"]}
        answer = yield people.make("POST", "/api/auth/refresh", data)
        tokens = json.loads(answer.body)


def patch(people: People, number: int) -> Script:
    # Not the task of another connection of the same user.
    task = people.tasks(number)[number // len(people.tokens) % 100]
    for n in count():
        yield people.sends(
            "PATCH", f"/api/tasks/{task['id']}", {"title": f"{n}"}, number
        )


def always(make: Callable[[People, int], bytes]) -> Scripts:
    """The same request again and again."""

    def script(people: People, number: int) -> Script:
        asked = make(people, number)
        while True:
            yield asked

    return each(script)


OPERATIONS = {
    "health": Operation("GET /health", always(lambda p, n: p.make("GET", "/health"))),
    "list_cached": Operation("a list of 20, again", always(lambda p, n: p.asks(LIST))),
    "list_fresh": Operation(
        "a list of 20 never asked for", shared(pages), is_fresh=True
    ),
    "detail": Operation(
        "one task",
        shared(lambda p: cycle([p.asks(f"/api/tasks/{id}") for id in p.ids])),
    ),
    "create": Operation(
        "create a task",
        always(lambda p, n: p.sends("POST", "/api/tasks", TASK, n)),
        expects=201,
    ),
    "login": Operation("log in", always(lambda p, n: p.login(p.email(n)))),
    "refresh": Operation("refresh a session, again and again", each(refresh)),
    "patch": Operation("change a task's title", each(patch)),
    "batch": Operation(
        "create 100 tasks at once",
        always(lambda p, n: p.sends("POST", "/api/tasks/batch", BATCH, n)),
    ),
    "cursor": Operation("walk lists by cursor", each(walk), is_fresh=True),
    "search": Operation("a list of 20 with q", shared(searches), is_fresh=True),
    "stats": Operation(
        "statistics", always(lambda p, n: p.asks("/api/tasks/stats", n))
    ),
    "list_304": Operation(
        "a list that is unchanged", each(lambda p, n: unchanged(p, LIST)), expects=304
    ),
    "detail_304": Operation(
        "a task that is unchanged",
        each(lambda p, n: unchanged(p, f"/api/tasks/{p.ids[n % len(p.ids)]}")),
        expects=304,
    ),
}
