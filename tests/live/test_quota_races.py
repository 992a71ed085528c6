"""No quota is exceeded, however many writers there are at once."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.live.conftest import environment
from tests.live.people import Tokens, make_task, patch_request, register
from tests.live.race import rounds
from tests.live.server import ROOT, Server
from tests.live.wire import request

pytestmark = [pytest.mark.live, pytest.mark.full]
Record = Callable[[str], None]
QUOTAS = {
    "QUOTA_TASKS": 40,
    "QUOTA_BYTES": 60_000,
    "QUOTA_IDEMPOTENCY_BYTES": 30_000,
}
VARIABLES = {name: str(value) for name, value in QUOTAS.items()}
WRITERS = 12
ROW_BYTES = 512  # docs/operations.md: what a stored response takes besides its bytes
STORED = """
SELECT count(*), coalesce(sum(octet_length(title)
       + coalesce(octet_length(description), 0)
       + (SELECT coalesce(sum(octet_length(c.fields::text)), 0)
          FROM tasks_change c WHERE c.task_id = t.id)), 0)::bigint
FROM tasks_task t WHERE user_id = %s
"""
COUNTED = "SELECT tasks, octets FROM tasks_spaceusage WHERE user_id = %s"
ANSWERS = """
SELECT coalesce(sum(octet_length(body)), 0)::bigint, count(*)
FROM tasks_storedanswer WHERE user_id = %s
"""
ALLOWANCE = "SELECT idempotency_bytes FROM accounts_user WHERE id = %s"
keys = count()


@pytest.fixture(scope="module")
def limited(database: str, folder: Path) -> Iterator[Server]:
    with closing(Server(folder, environment(database) | VARIABLES)) as server:
        yield server
        assert server.failures() == []


@pytest.fixture
def owner(limited: Server) -> Tokens:
    return register(limited)


def post(owner: Tokens, path: str, data: Any) -> bytes:
    return request("POST", f"/api/tasks{path}", data, token=owner.access)


def post_once(owner: Tokens, path: str, data: Any) -> bytes:
    key = f"key-{next(keys)}"
    where = f"/api/tasks{path}"
    return request("POST", where, data, token=owner.access, Idempotency_Key=key)


def creates(size: int, **data: Any) -> Any:
    return {"operations": [{"op": "create", "data": data}] * size}


def assert_within(sql: Any, owner: Tokens) -> tuple[int, int]:
    """What is stored is within the quotas, and is what was counted."""
    [(tasks, octets)] = sql(STORED, owner.user_id)
    assert sql(COUNTED, owner.user_id) in ([], [(tasks, octets)])
    assert tasks <= QUOTAS["QUOTA_TASKS"]
    assert octets <= QUOTAS["QUOTA_BYTES"]
    return tasks, octets


def test_no_more_tasks_than_allowed(
    limited: Server, owner: Tokens, sql: Any, record: Record
) -> None:
    new = {"title": "One of many"}
    kinds = [
        lambda: post(owner, "", new),
        lambda: post_once(owner, "", new),
        lambda: post(owner, "/batch", creates(3, **new)),
    ]
    statuses = Counter[int]()
    for _ in range(4):
        messages = [kinds[n % len(kinds)]() for n in range(WRITERS)]
        statuses.update(a.status for a in limited.race(*messages))
        assert_within(sql, owner)
    # Those that a batch had no room for.
    statuses.update(limited.ask(post(owner, "", new)).status for _ in range(3))

    assert assert_within(sql, owner)[0] == QUOTAS["QUOTA_TASKS"]
    assert statuses.keys() <= {200, 201, 403}
    record(f"answers {dict(statuses)}")


def test_no_more_bytes_than_allowed(
    limited: Server, owner: Tokens, sql: Any, record: Record
) -> None:
    random, statuses = Random(12), Counter[int]()
    tasks = [make_task(limited, owner)["id"] for _ in range(4)]

    def text() -> dict[str, str]:
        return {"title": "x", "description": "ж" * random.randrange(1, 1000)}

    def update() -> Any:
        return {"op": "update", "id": random.choice(tasks), "data": text()}

    kinds = [
        lambda: post(owner, "", text()),
        lambda: post_once(owner, "", text()),
        lambda: patch_request(owner, random.choice(tasks), text()),
        lambda: post(owner, "/batch", {"operations": [update() for _ in range(5)]}),
    ]
    most = 0
    for _ in range(5):
        messages = [kinds[n % len(kinds)]() for n in range(WRITERS)]
        statuses.update(a.status for a in limited.race(*messages))
        most = assert_within(sql, owner)[1]

    assert most > 0.9 * QUOTAS["QUOTA_BYTES"]
    assert 403 in statuses
    record(f"{most} bytes are stored, answers {dict(statuses)}")


@pytest.mark.parametrize("more", [VARIABLES, {}], ids=["counts", "does not count"])
def test_import_at_the_same_time_is_counted(
    limited: Server,
    owner: Tokens,
    sql: Any,
    database: str,
    tmp_path: Path,
    more: dict[str, str],
) -> None:
    """It may exceed quotas itself; its own environment need not even name them."""
    task, rows = make_task(limited, owner)["id"], 1200
    importing = start_import(tmp_path, database, owner, rows, more)
    statuses = Counter({201: 1})
    while importing.poll() is None:
        create = post(owner, "", {"title": "Meanwhile"})
        patch = patch_request(owner, task, {"title": str(next(keys))})
        statuses.update(a.status for a in limited.race(create, patch, create))
    statuses[limited.ask(post(owner, "", {"title": "Too many"})).status] += 1
    deleted = limited.ask(
        request("DELETE", f"/api/tasks/{task}", token=owner.access)
    ).status

    assert (importing.returncode, deleted) == (0, 204)
    assert statuses.keys() <= {200, 201, 403}
    assert statuses[201] <= QUOTAS["QUOTA_TASKS"]
    [(tasks, octets)] = sql(STORED, owner.user_id)
    assert tasks == rows + statuses[201]
    assert sql(COUNTED, owner.user_id) == [(tasks, octets)]


def start_import(
    folder: Path, database: str, owner: Tokens, rows: int, more: dict[str, str]
) -> subprocess.Popen[bytes]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"title": str(n)}) + "\n" for n in range(rows)))
    about = {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = ["manage.py", "import_tasks", str(path), "--user", owner.email]
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | about | more,
        stdout=subprocess.DEVNULL,
    )


def test_no_more_responses_are_stored_than_allowed(
    limited: Server, sql: Any, record: Record
) -> None:
    statuses, most = Counter[int](), 0
    for _ in rounds(3):
        owner = register(limited)
        task = make_task(limited, owner, description="x" * 500)["id"]
        update = {"op": "update", "id": task, "data": {"status": "DONE"}}
        messages = [
            post_once(owner, "/batch", {"operations": [update] * (4 + n % 3)})
            for n in range(WRITERS)
        ]
        # The same key at once is stored once.
        answers = limited.race(*messages, *messages[:3])
        statuses.update(each.status for each in answers)
        [(octets, number)] = sql(ANSWERS, owner.user_id)
        used = octets + number * ROW_BYTES
        assert used <= QUOTAS["QUOTA_IDEMPOTENCY_BYTES"]
        assert sql(ALLOWANCE, owner.user_id) == [(used,)]
        most = max(most, used)

    assert most > 0.8 * QUOTAS["QUOTA_IDEMPOTENCY_BYTES"]
    assert 429 in statuses
    assert statuses.keys() <= {200, 409, 429}
    record(f"{most} bytes at the most, answers {dict(statuses)}")
