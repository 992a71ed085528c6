"""What `benchmarks.sizes` asks: lists in every filter and sort, and everything else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from benchmarks.operations import BATCH, TASK
from benchmarks.people import People

LIST = "/api/tasks"
SORTS = [
    f"{sign}{key}"
    for key in ("createdAt", "updatedAt", "dueDate", "priority", "title")
    for sign in ("-", "")
]
NOW = datetime.now(UTC)
NOBODYS = "zyzzyva"  # a word in no task


@dataclass(frozen=True)
class Case:
    """`request(user)` is measured; it is a GET of `path(user)` if there is one."""

    name: str
    request: Callable[[People], bytes]
    expects: int = 200
    path: Callable[[People], str] | None = None


def get(name: str, path: Callable[[People], str]) -> Case:
    return Case(name, lambda user: user.asks(path(user)), path=path)


def post(name: str, path: str, data: Any, expects: int) -> Case:
    return Case(name, lambda user: user.sends("POST", path, data, 0), expects)


def instant(days: int) -> str:
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


FILTERS = [
    "",
    "status=TODO",
    "status=TODO,DONE",
    "priority=URGENT",
    "priority=LOW,HIGH",
    "status=TODO&priority=HIGH",
    f"dueBefore={instant(0)}",
    f"dueAfter={instant(0)}",
    f"dueAfter={instant(0)}&dueBefore={instant(1)}",
    f"dueAfter={instant(3650)}",
    "dueDate=none",
    "overdue=true",
    "overdue=false",
    "overdue=true&status=IN_PROGRESS&priority=URGENT",
]


def all_cases(user: People) -> Iterator[Case]:
    for chosen in FILTERS:
        for sort in SORTS:
            query = f"{LIST}?{chosen}{'&' if chosen else ''}sort={sort}"
            yield get(query.removeprefix(LIST), constant(query))
    for sort in SORTS:
        yield get(f"the last page by cursor, sort={sort}", last_page(sort))
    yield get("?page=500", constant(f"{LIST}?page=500"))
    yield from searches(user)
    yield get("a task", lambda user: f"{LIST}/{user.ids[0]}")
    yield get("its history", lambda user: f"{LIST}/{user.ids[0]}/history")
    yield get("stats", constant(f"{LIST}/stats"))
    yield get("trash", constant(f"{LIST}/trash"))
    yield post("create a task", LIST, TASK, 201)
    yield post("create 100 tasks", f"{LIST}/batch", BATCH, 200)


def constant(path: str) -> Callable[[People], str]:
    return lambda user: path


def searches(user: People) -> Iterator[Case]:
    words = {"a common word": user.words[0], "a word of nobody's": NOBODYS}
    words |= {"1 letter": "e", "2 letters": "re", "2 letters of nobody's": "zq"}
    words |= {"two words": " ".join(user.tasks()[50]["title"].split()[:2])}
    for name, text in words.items():
        for sort in ("-createdAt", "title", "dueDate"):
            path = f"{LIST}?q={quote(text)}&sort={sort}"
            yield get(f"search for {name}, sort={sort}", constant(path))
    yield get("search for a whole title", the_first_title)
    path = f"{LIST}?q={NOBODYS}&status=TODO"
    yield get("search for a word of nobody's, status=TODO", constant(path))


def the_first_title(user: People) -> str:
    [task] = user.read(f"{LIST}?sort=createdAt&limit=1")["items"]
    return f"{LIST}?q={quote(task['title'])}"


def last_page(sort: str) -> Callable[[People], str]:
    """With the cursor of the row 21st from the end, sealed by the server's own key:
    to walk there would take more requests than all else together.
    """

    def path(user: People) -> str:
        from accounts.models import User
        from taskapi.api.pagination import KeysetPagination
        from tasks.filters import SORTS as KEYS
        from tasks.filters import ordered
        from tasks.models import Task

        owner = User.objects.get(email=user.emails[0])
        rows: Any = ordered(
            Task.objects.filter(user_id=owner.pk).live(), sort
        ).reverse()
        [row] = rows[20:21]
        pages = KeysetPagination()
        meta = {"QUERY_STRING": f"sort={sort}"}
        asked: Any = SimpleNamespace(_request=SimpleNamespace(path=LIST, META=meta))
        key = KEYS[sort.lstrip("-")]
        pages.begin(asked, owner.pk, Task, key, sort[0] == "-")
        cursor = pages.seal(getattr(row, key), row.pk, owner.revision)
        return f"{LIST}?sort={sort}&cursor={cursor}"

    return path
