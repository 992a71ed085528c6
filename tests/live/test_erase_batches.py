"""An account with many rows is erased at once, and its rows are removed in batches."""

import os
import subprocess
import sys
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import pytest

from tests.factories import PASSWORD
from tests.live.people import Tokens, make_task, me_request, register
from tests.live.server import ROOT, Server
from tests.live.wire import request

pytestmark = [pytest.mark.live, pytest.mark.full]
TASKS = 60_000
FILL = """
INSERT INTO tasks_task (id, user_id, title, status, priority, version, revision,
                        created_at, updated_at)
SELECT gen_random_uuid(), %s, 'x', 'TODO', 2, 1, 1, now(), now()
FROM generate_series(1, %s)
"""
COUNT = "SELECT count(*) FROM tasks_task WHERE user_id = %s"
USER = "SELECT count(*) FROM accounts_user WHERE id = %s"


def start_housekeeping(database: str) -> subprocess.Popen[bytes]:
    about = {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.Popen(
        [sys.executable, "manage.py", "housekeeping"],
        cwd=ROOT,
        env=os.environ | about,
        stdout=subprocess.DEVNULL,
    )


def test_large_account_is_erased_at_once_and_removed_after_a_crash(
    live: Server, database: str, sql: Any, record: Callable[[str], None]
) -> None:
    owner = register(live)
    sql(FILL, owner.user_id, TASKS)
    proof = {"password": PASSWORD}

    erased = live.ask(request("POST", "/api/auth/me/erase", proof, token=owner.access))

    assert erased.status == 204
    assert erased.seconds < 2
    assert live.ask(me_request(owner.access)).status == 401
    assert sql(COUNT, owner.user_id) == [(TASKS,)]
    record(f"an account of {TASKS} tasks was erased in {erased.seconds:.3f} s")

    process = start_housekeeping(database)
    deadline = monotonic() + 30
    while sql(COUNT, owner.user_id)[0][0] == TASKS and monotonic() < deadline:
        sleep(0.01)
    process.kill()
    process.wait()

    left = sql(COUNT, owner.user_id)[0][0]
    assert 0 < left < TASKS
    assert sql(USER, owner.user_id) == [(1,)]

    started = monotonic()
    assert start_housekeeping(database).wait(120) == 0
    assert sql(COUNT, owner.user_id) == sql(USER, owner.user_id) == [(0,)]
    record(f"the other {left} were removed in {monotonic() - started:.1f} s")


def test_address_is_registered_again_while_rows_are_removed(
    live: Server, database: str, sql: Any, record: Callable[[str], None]
) -> None:
    owner, path = register(live), "/api/auth/me/erase"
    sql(FILL, owner.user_id, TASKS // 3)
    erased = request("POST", path, {"password": PASSWORD}, token=owner.access)
    assert live.ask(erased).status == 204
    process = start_housekeeping(database)
    deadline = monotonic() + 30
    while sql(COUNT, owner.user_id)[0][0] == TASKS // 3 and monotonic() < deadline:
        sleep(0.01)

    about = {"name": "New", "email": owner.email, "password": PASSWORD}
    new = Tokens.of(live.ask(request("POST", "/api/auth/register", about)))
    made = [make_task(live, new)["id"]]
    is_running = process.poll() is None
    left = sql(COUNT, owner.user_id)[0][0]
    while process.poll() is None:
        made.append(make_task(live, new)["id"])
        assert listed(live, new) == set(made[-100:])

    assert is_running
    assert left > 0
    assert process.wait() == 0
    assert sql(COUNT, owner.user_id) == sql(USER, owner.user_id) == [(0,)]
    assert sql(COUNT, new.user_id) == [(len(made),)]
    record(f"{len(made)} tasks were made while {left} were removed")


def listed(live: Server, owner: Tokens) -> set[str]:
    """The newest tasks; all that there are, if they are few."""
    page = live.ask(request("GET", "/api/tasks?limit=100", token=owner.access)).json
    return {task["id"] for task in page["items"]}
