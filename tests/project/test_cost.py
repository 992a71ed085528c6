"""No request costs more statements, round trips or instructions than it has to.

Times are for `python -m benchmarks`: they differ from machine to machine and from
minute to minute. These numbers do not.
"""

import itertools
import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.auth.jwt import AccessToken
from accounts.models import User
from tasks.models import Task
from tests.factories import PASSWORD, make_session, space
from tests.project.cost import Call, Caller, Instructions, redis_answers

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql" or not settings.REDIS_URL,
        reason="what is counted is what PostgreSQL and Redis are asked",
    ),
]
TASKS = "/api/tasks"
LOGIN = {"email": "alice@example.com", "password": PASSWORD}
# The first requests fill caches, and have the driver prepare its statements.
WARM_UP = 12

# How many statements, and round trips to Redis, each takes. A list reads the session,
# the page and the count. A write reads the session, and then BEGIN, the owner's
# revision, the task, the write and COMMIT; what only creates has nothing to read, and
# is one statement without a transaction around it. An idempotency key adds BEGIN, the
# claim, the allowance, the stored response and COMMIT.
COSTS = {
    "health": (0, 0),
    "list_cached": (1, 1),
    "list_fresh": (3, 2),
    "list_stale": (3, 2),
    "list_304": (1, 1),
    "cursor": (2, 2),
    "search": (2, 2),
    "detail": (2, 1),
    "stats": (2, 1),
    "create": (2, 1),
    "create_with_key": (7, 1),
    "patch": (6, 1),
    "delete": (7, 1),
    "batch_of_1": (2, 1),
    "batch_of_100": (2, 1),
    "batch_of_40_patches": (7, 1),
    "login": (6, 2),
}
# Ten percent above what Python 3.11 took when this was written; later ones take less.
NAMES = ("health", "list_cached", "list_fresh", "detail", "create")
MOST = (10_500, 16_900, 31_500, 18_500, 26_000)
ADVICE = """
{name}: {total:,} instructions, and {ceiling:,} are the most. To see what grew, run this
here and at the commit before it, and compare what it prints:
    .venv/bin/python -m pytest -n 0 -rP tests/project -k 'instructions and {name}'
If that is worth its cost, raise the ceiling in the commit that says why.
"""


@pytest.fixture(autouse=True)
def _same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clocks, and log where production does, not to pytest as well."""
    root, now = logging.getLogger(), timezone.now()
    usual = [each for each in root.handlers if "_pytest" not in type(each).__module__]
    monkeypatch.setattr(root, "handlers", usual)
    # Not functions of Python, which would be counted.
    monkeypatch.setattr(timezone, "now", itertools.repeat(now).__next__)
    for name in ("perf_counter", "monotonic"):
        monkeypatch.setattr(time, name, itertools.repeat(1.0).__next__)


@pytest.fixture
def caller(alice: User) -> Caller:
    # Not at random: cursors compress well or not so well.
    rows = [
        Task(
            id=UUID(int=n, version=4),
            **space(alice),
            position=f"{n:02d}i",
            title=f"Water the plants {n}",
            created_at=(made := datetime(2026, 1, 1, 0, 0, n, tzinfo=UTC)),
            updated_at=made,
        )
        for n in range(40)
    ]
    Task.objects.bulk_create(rows)
    return Caller(str(AccessToken.for_session(make_session(alice))))


def warm(caller: Caller, name: str) -> Call:
    """The request of that name, as it is when many like it were answered."""
    for _ in range(WARM_UP):
        status, body = prepared(caller, name)()
        assert status in {200, 201, 204, 304}, body
    return prepared(caller, name)


def prepared(caller: Caller, name: str) -> Call:
    """The request of that name, after whatever it needs."""
    if name in {"list_fresh", "cursor", "search"}:
        cache.clear()
    if name == "list_stale":
        REQUESTS["list_fresh"](caller)()
        REQUESTS["patch"](caller)()
    return REQUESTS[name](caller)


def get(query: str) -> Callable[[Caller], Call]:
    return lambda caller: caller.prepared("GET", query)


def walk(caller: Caller) -> Call:
    _, body = caller.prepared("GET", f"{TASKS}?limit=10")()
    cache.clear()
    cursor = json.loads(body)["nextCursor"]
    return caller.prepared("GET", f"{TASKS}?limit=10&cursor={cursor}")


def newest() -> str:
    return f"{TASKS}/{Task.objects.live().latest('created_at').pk}"


def batch(size: int) -> Callable[[Caller], Call]:
    operations = [{"op": "create", "data": {"title": str(n)}} for n in range(size)]
    body = {"operations": operations}
    return lambda caller: caller.prepared("POST", f"{TASKS}/batch", body)


def patches(caller: Caller) -> Call:
    ids = Task.objects.values_list("pk", flat=True)
    title = str(uuid4())
    operations = [
        {"op": "update", "id": str(pk), "data": {"title": title}} for pk in ids
    ]
    return caller.prepared("POST", f"{TASKS}/batch", {"operations": operations})


REQUESTS: dict[str, Callable[[Caller], Call]] = {
    "health": get("/health"),
    "list_cached": get(f"{TASKS}?limit=20"),
    "list_fresh": get(f"{TASKS}?limit=20"),
    "list_stale": get(f"{TASKS}?limit=20"),
    "list_304": lambda c: c.prepared("GET", TASKS, HTTP_IF_NONE_MATCH="*"),
    "cursor": walk,
    "search": get(f"{TASKS}?limit=20&q=plants"),
    "detail": lambda c: c.prepared("GET", newest()),
    "stats": get(f"{TASKS}/stats"),
    "create": lambda c: c.prepared("POST", TASKS, {"title": "Bench task"}),
    "create_with_key": lambda c: c.prepared(
        "POST", TASKS, {"title": "Bench task"}, HTTP_IDEMPOTENCY_KEY=str(uuid4())
    ),
    "patch": lambda c: c.prepared("PATCH", newest(), {"title": str(uuid4())}),
    "delete": lambda c: c.prepared("DELETE", newest()),
    "batch_of_1": batch(1),
    "batch_of_100": batch(100),
    "batch_of_40_patches": patches,
    "login": lambda c: c.prepared("POST", "/api/auth/login", LOGIN),
}


@pytest.mark.parametrize("name", COSTS)
def test_statements_and_round_trips(caller: Caller, name: str) -> None:
    call = warm(caller, name)
    with CaptureQueriesContext(connection) as queries, redis_answers() as answers:
        call()

    assert (len(queries), len(answers)) == COSTS[name], queries.captured_queries


@pytest.mark.parametrize(("name", "ceiling"), [*zip(NAMES, MOST, strict=True)])
def test_instructions(caller: Caller, name: str, ceiling: int) -> None:
    call, instructions = warm(caller, name), Instructions()
    with instructions.counted():
        call()

    total = instructions.total()
    print(f"{name}: {total:,} instructions\n{instructions.table()}")
    assert total <= ceiling, ADVICE.format(name=name, total=total, ceiling=ceiling)


@pytest.mark.parametrize("name", ["list_cached", "list_fresh"])
def test_list_passes_few_functions(caller: Caller, name: str) -> None:
    """A newcomer can read the path of a list: at most 48 functions of this project."""
    call, seen = warm(caller, name), set()
    packages = tuple(
        f"{settings.BASE_DIR / app}/" for app in ("taskapi", "accounts", "tasks")
    )

    def record(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(packages):
            seen.add((code.co_filename, code.co_qualname))

    sys.setprofile(record)
    try:
        call()
    finally:
        sys.setprofile(None)

    functions = {each for each in seen if "<" not in each[1]}
    assert len(functions) <= 48, sorted(functions)
