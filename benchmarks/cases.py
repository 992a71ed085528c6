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
KEYS = "createdAt updatedAt dueDate startDate completedAt priority title position"
SORTS = [f"{sign}{key}" for key in KEYS.split() for sign in ("-", "")]
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


def instant(days: float) -> str:
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


EQUALITY = [
    "status=TODO",
    "status=TODO,DONE",
    "priority=URGENT",
    "priority=LOW,HIGH",
    "dueDate=none",
    "overdue=true",
    "overdue=false",
    "label=label 7",
    "label=label 7,label 8",
    "assignee=me",
    "assignee=none",
    "createdBy=me",
    "parent=none",
    "archived=all",
    "scope=own",
    "scope=shared",
]
PAIRS = [
    "status=TODO&priority=HIGH",
    "label=label 7&status=TODO",
    "assignee=me&status=DONE",
    "overdue=true&status=IN_PROGRESS&priority=URGENT",
]
RANGES = [
    "due=today",
    "due=week",
    f"dueBefore={instant(100)}",
    f"dueAfter={instant(100)}",
    f"dueAfter={instant(3650)}",
    f"createdAfter={instant(-1)}",
    f"createdBefore={instant(-0.05)}",
    f"updatedAfter={instant(-0.05)}",
    f"updatedBefore={instant(-0.05)}",
    f"completedAfter={instant(-10)}",
    f"completedBefore={instant(-10)}",
]


def cases_of_owners(user: People) -> Iterator[Case]:
    """Lists of one's own space, and everything else."""
    yield from lists(user)
    for sort in SORTS:
        yield get(f"the last page by cursor, sort={sort}", last_page(sort))
    yield from searches(user)
    yield get("a task", lambda user: f"{LIST}/{user.ids[0]}")
    yield get("its history", lambda user: f"{LIST}/{user.ids[0]}/history")
    yield get("trash", constant(f"{LIST}/trash"))
    yield post("create a task", LIST, TASK, 201)
    yield post("create 100 tasks", f"{LIST}/batch", BATCH, 200)


def lists(user: People) -> Iterator[Case]:
    yield get("?", constant(LIST))
    for chosen in [*EQUALITY, *PAIRS, *RANGES]:
        yield get(f"?{chosen}", constant(f"{LIST}?{quote(chosen, safe='=&,:-')}"))
    yield get("?project=", in_place("projectId", "project"))
    yield get("?parent=", in_place("parentId", "parent"))
    for sort in SORTS:
        yield get(f"?sort={sort}", constant(f"{LIST}?sort={sort}"))
    yield get("?page=2", constant(f"{LIST}?page=2"))
    yield get("?page=500", constant(f"{LIST}?page=500"))
    yield get("stats", constant(f"{LIST}/stats"))


def cases_of_members(user: People) -> Iterator[Case]:
    """Lists of a space of one's own, and of 20 projects of another one."""
    yield from lists(user)
    for sort in ("-createdAt", "title"):
        name, path = f"the second page by cursor, sort={sort}", second_page(sort)
        yield get(name, path)
    yield get(f"search for {user.words[0]}", constant(f"{LIST}?q={user.words[0]}"))


def in_place(name: str, parameter: str) -> Callable[[People], str]:
    """The list that one of the newest tasks is in, of its project or its parent."""

    def path(user: People) -> str:
        place = next(task[name] for task in user.tasks() if task[name])
        return f"{LIST}?{parameter}={place}"

    return path


def second_page(sort: str) -> Callable[[People], str]:
    def path(user: People) -> str:
        first = f"{LIST}?sort={sort}"
        return f"{first}&cursor={user.read(first)['nextCursor']}"

    return path


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
        from tasks.filters import DEFAULT_SORT, ordered
        from tasks.filters import SORTS as COLUMNS
        from tasks.models import Task

        owner = User.objects.get(email=user.emails[0])
        rows: Any = ordered(
            Task.objects.filter(user_id=owner.pk).live(), sort
        ).reverse()
        [row] = rows[20:21]
        pages = KeysetPagination()
        meta = {"QUERY_STRING": f"sort={sort}"}
        asked: Any = SimpleNamespace(
            _request=SimpleNamespace(path=LIST), META=meta, user=owner
        )
        key = COLUMNS[sort.lstrip("-")]
        pages.defaults = {"sort": DEFAULT_SORT}
        pages.parse(asked, Task, key, sort[0] == "-")
        cursor = pages.encode_cursor(getattr(row, key), row.pk, owner.revision)
        return f"{LIST}?sort={sort}&cursor={cursor}"

    return path
