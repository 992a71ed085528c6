"""However many complete a task that recurs at the same moment, one follows."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.live.people import Tokens, make_task, patch_request, read_task, register
from tests.live.race import STAGGER_SECONDS, rounds
from tests.live.server import Server
from tests.live.wire import request

pytestmark = pytest.mark.live
Record = Callable[[str], None]
DUE, NEXT = "2030-01-07T08:00:00Z", "2030-01-14T08:00:00Z"
WEEKLY = {"rule": "FREQ=WEEKLY;COUNT=5", "timeZone": "Europe/Berlin", "from": "DUE"}
DONE = {"status": "DONE"}


@pytest.fixture
def owner(live: Server) -> Tokens:
    return register(live)


def recurring(live: Server, owner: Tokens, **values: Any) -> dict[str, Any]:
    return make_task(live, owner, dueDate=DUE, recurrence=WEEKLY, **values)


def series(live: Server, owner: Tokens, task: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"/api/tasks?series={task['id']}&sort=dueDate&limit=100"
    found = live.ask(request("GET", path, token=owner.access))
    assert found.status == 200, found.body
    return list(found.json["items"])


def put(owner: Tokens, task: dict[str, Any]) -> bytes:
    body = {k: task[k] for k in ("title", "description", "priority", "dueDate")}
    path, tag = f"/api/tasks/{task['id']}", f'"v{task["version"]}"'
    return request("PUT", path, body | DONE, token=owner.access, If_Match=tag)


def batch(owner: Tokens, task: dict[str, Any], **headers: str) -> bytes:
    body = {"operations": [{"op": "update", "id": task["id"], "data": DONE}]}
    path = "/api/tasks/batch"
    return request("POST", path, body, token=owner.access, **headers)


def skip(owner: Tokens, task: dict[str, Any], **headers: str) -> bytes:
    path = f"/api/tasks/{task['id']}/skip"
    return request("POST", path, None, token=owner.access, **headers)


def test_sixteen_completions_make_one_next_task(
    live: Server, record: Record, owner: Tokens
) -> None:
    done = 0
    for _ in rounds(4):
        task = recurring(live, owner)
        make_task(live, owner, parentId=task["id"])
        answers = live.race(*[patch_request(owner, task["id"], DONE)] * 16)

        assert Counter(a.status for a in answers) == {200: 16}
        assert len({a.json["nextTaskId"] for a in answers}) == 1
        first, following = series(live, owner, task)
        assert first["nextTaskId"] == following["id"]
        assert (following["status"], following["dueDate"]) == ("TODO", NEXT)
        assert following["recurrence"]["rule"] == "FREQ=WEEKLY;COUNT=4"
        path = f"/api/tasks?parent={following['id']}"
        below = live.ask(request("GET", path, token=owner.access)).json
        assert below["total"] == 1
        done += 1
    record(f"{done} rounds of 16 completions, one next task in each")


def test_every_way_to_complete_makes_one_next_task_together(
    live: Server, record: Record, owner: Tokens
) -> None:
    done = 0
    for number in rounds(4):
        task = recurring(live, owner)
        reopen = patch_request(owner, task["id"], {"status": "TODO"})
        key = f"once-{number}"
        answers = live.race(
            *[patch_request(owner, task["id"], DONE)] * 4,
            *[put(owner, task)] * 4,
            *[batch(owner, task)] * 4,
            *[batch(owner, task, Idempotency_Key=key)] * 2,
            *[reopen] * 2,
            stagger=STAGGER_SECONDS,
        )

        assert {a.status for a in answers} <= {200, 409, 412}
        live.ask(patch_request(owner, task["id"], DONE))
        assert [each["dueDate"] for each in series(live, owner, task)] == [DUE, NEXT]
        done += 1
    record(f"{done} rounds of 16 writers, one next task in each")


def test_skips_of_one_version_move_a_task_once(
    live: Server, record: Record, owner: Tokens
) -> None:
    done = 0
    for number in rounds(4):
        task = recurring(live, owner)
        tagged = [skip(owner, task, If_Match='"v1"')] * 8
        keyed = [skip(owner, task, If_Match='"v1"', Idempotency_Key=f"s{number}")] * 8
        answers = live.race(*tagged, *keyed)

        assert {a.status for a in answers} <= {200, 409, 412}
        assert read_task(live, owner, task["id"])["dueDate"] == NEXT
        done += 1
    record(f"{done} rounds of 16 skips, one step in each")


def test_skip_and_completion_leave_one_open_task(
    live: Server, record: Record, owner: Tokens
) -> None:
    outcomes = Counter[str]()
    for _ in rounds(4):
        task = recurring(live, owner)
        live.race(
            *[skip(owner, task)] * 2,
            *[patch_request(owner, task["id"], DONE)] * 2,
            stagger=STAGGER_SECONDS,
        )

        first, following = series(live, owner, task)
        assert (first["status"], following["status"]) == ("DONE", "TODO")
        assert first["nextTaskId"] == following["id"]
        outcomes[following["dueDate"]] += 1
    record(f"{outcomes.total()} rounds, one open task in each; {dict(outcomes)}")
