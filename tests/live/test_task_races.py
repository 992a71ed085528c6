"""No write is lost, doubled or silently changed, whoever else is writing."""

from collections import Counter
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from tests.live.people import (
    Tokens,
    make_task,
    patch_request,
    read_task,
    register,
)
from tests.live.race import STAGGER_SECONDS, race, rounds, threads
from tests.live.server import Server
from tests.live.wire import Connection, request

pytestmark = pytest.mark.live
Record = Callable[[str], None]


@pytest.fixture
def owner(live: Server) -> Tokens:
    return register(live)


def delete_request(owner: Tokens, task_id: str, **headers: str) -> bytes:
    path = f"/api/tasks/{task_id}"
    return request("DELETE", path, token=owner.access, **headers)


def batch_request(owner: Tokens, *operations: Any, **headers: str) -> bytes:
    data = {"operations": operations}
    return request("POST", "/api/tasks/batch", data, token=owner.access, **headers)


def update(task_id: str, **data: Any) -> Any:
    return {"op": "update", "id": task_id, "data": data}


def test_patches_of_different_fields_all_take_effect(
    live: Server, record: Record, owner: Tokens
) -> None:
    done = 0
    for number in rounds(4):
        task = make_task(live, owner)["id"]
        wanted = {
            "title": f"Title {number}",
            "description": f"Description {number}",
            "priority": "URGENT",
            "status": "DONE",
            "dueDate": "2030-01-01T00:00:00Z",
        }

        answers = live.race(
            *[patch_request(owner, task, {k: v}) for k, v in wanted.items()]
        )

        assert Counter(a.status for a in answers) == {200: 5}
        after = read_task(live, owner, task)
        assert {k: after[k] for k in wanted} == wanted
        assert after["version"] == 6
        assert sorted(a.json["version"] for a in answers) == [2, 3, 4, 5, 6]
        done += 1
    record(f"{done} rounds of 5 patches, 0 fields lost")


def test_one_of_two_patches_of_the_same_version_wins(
    live: Server, record: Record, owner: Tokens
) -> None:
    task = make_task(live, owner)
    winners = Counter[str]()
    for _ in rounds(4):
        tag = f'"v{task["version"]}"'
        rivals = [
            patch_request(owner, task["id"], {"title": f"{name} {tag}"}, If_Match=tag)
            for name in ("first", "second")
        ]

        winner, loser = sorted(live.race(*rivals), key=lambda a: a.status)

        assert (winner.status, loser.status) == (200, 412)
        task = read_task(live, owner, task["id"])
        assert winner.json == task == loser.json["error"]["current"]
        assert winner.headers["ETag"] == loser.headers["ETag"]
        winners[task["title"].split()[0]] += 1
    record(f"{winners.total()} rounds, one 200 and one 412 in each; {dict(winners)}")


def test_deleted_task_never_comes_back(
    live: Server, record: Record, owner: Tokens
) -> None:
    outcomes = Counter[int]()
    for _ in rounds(4):
        task = make_task(live, owner)["id"]
        patch = patch_request(owner, task, {"title": "Still here"})
        patches = [patch] * 3

        *patched, deleted = live.race(
            *patches, delete_request(owner, task), stagger=STAGGER_SECONDS
        )

        assert deleted.status == 204
        assert {a.status for a in patched} <= {200, 404}
        outcomes.update(a.status for a in patched)
        path = f"/api/tasks/{task}"
        for _ in range(2):
            assert live.ask(request("GET", path, token=owner.access)).status == 404
        listed = live.ask(request("GET", "/api/tasks", token=owner.access)).json
        assert listed["items"] == []
    record(f"{outcomes.total() // 3} rounds, 0 came back; patches: {dict(outcomes)}")


def test_one_of_a_patch_and_a_delete_of_the_same_version_wins(
    live: Server, record: Record, owner: Tokens
) -> None:
    winners = Counter[int]()
    for _ in rounds(2):
        task = make_task(live, owner)["id"]
        patch = patch_request(owner, task, {"title": "Changed"}, If_Match='"v1"')
        delete = delete_request(owner, task, If_Match='"v1"')

        patched, deleted = live.race(patch, delete, stagger=STAGGER_SECONDS)

        assert (patched.status, deleted.status) in {(200, 412), (404, 204)}
        winners[patched.status] += 1
    record(f"{winners.total()} rounds; the patch got {dict(winners)}")


def test_one_key_sent_thirty_two_times_makes_one_task(
    live: Server, record: Record, owner: Tokens, sql: Any
) -> None:
    outcomes = Counter[int]()
    done = 0
    for number in rounds():
        title = f"Only once {number}"
        create = request(
            "POST",
            "/api/tasks",
            {"title": title},
            token=owner.access,
            Idempotency_Key=f"key-{number}",
        )

        answers = live.race(*[create] * 32)

        rows = sql("SELECT id FROM tasks_task WHERE title = %s", title)
        assert len(rows) == 1
        assert {a.status for a in answers} <= {201, 409}
        made = [a for a in answers if a.status == 201]
        assert {a.json["id"] for a in made} == {str(rows[0][0])}
        assert len({a.body for a in made}) == 1
        firsts = [a for a in made if "Idempotency-Replayed" not in a.headers]
        assert len(firsts) == 1
        outcomes.update(a.status for a in answers)
        done += 1
    record(f"{done} rounds of 32, 1 row in each; answers {dict(outcomes)}")


def test_batch_loses_nothing_to_patches(
    live: Server, record: Record, owner: Tokens
) -> None:
    tasks = [make_task(live, owner)["id"] for _ in range(6)]
    versions = 1
    for number in rounds(2):
        batch = batch_request(owner, *[update(t, title=f"B{number}") for t in tasks])
        backwards = [update(t, priority="LOW") for t in reversed(tasks)]
        forwards = [update(t, priority="HIGH") for t in tasks]
        patches = [patch_request(owner, t, {"description": f"{number}"}) for t in tasks]

        answers = live.race(
            batch,
            *patches,
            batch_request(owner, *backwards, *forwards),
        )

        assert Counter(a.status for a in answers) == {200: 8}
        versions += 4  # title, description, and priority there and back
        for task in tasks:
            after = read_task(live, owner, task)
            assert (after["title"], after["description"]) == (f"B{number}", f"{number}")
            assert after["priority"] == "HIGH"
            assert after["version"] == versions
    record(f"versions count to {versions}: every change of every round")


def test_version_counts_the_changes_and_history_has_them_all(
    live: Server, record: Record, owner: Tokens
) -> None:
    task = make_task(live, owner)["id"]
    made = 0
    for number in rounds():
        titles = [f"{number}.{n}" for n in range(8)]

        answers = live.race(
            *[patch_request(owner, task, {"title": each}) for each in titles]
        )

        assert Counter(a.status for a in answers) == {200: 8}
        made += 8
        assert read_task(live, owner, task)["version"] == 1 + made
    history = request("GET", f"/api/tasks/{task}/history?limit=100", token=owner.access)
    versions = [entry["version"] for entry in live.ask(history).json["items"]]
    newest = 1 + made
    assert versions == list(range(newest, max(0, newest - 100), -1))
    record(f"{made} changes, version {newest}, no gap in the history")


class Reader:
    """Lists over one connection, and knows what it must see at least."""

    def __init__(self, connection: Connection, owner: Tokens) -> None:
        self.connection, self.owner = connection, owner
        self.tag, self.items = "", []
        self.lists = self.unchanged = self.stale = 0

    def look(self) -> list[Any]:
        known = {"If_None_Match": self.tag} if self.tag else {}
        path = "/api/tasks?sort=title"
        asked = request("GET", path, token=self.owner.access, **known)
        answer = self.connection.ask(asked)
        assert answer.status in {200, 304}, answer.body
        self.lists += 1
        self.unchanged += answer.status == 304
        if answer.status == 200:
            self.tag, self.items = answer.headers["ETag"], answer.json["items"]
        return self.items

    def follow(self, known: list[int], done: Event) -> None:
        while not done.is_set():
            at_least = known[-1]
            seen = [int(item["title"]) for item in self.look()]
            self.stale += len(seen) != 1 or seen[0] < at_least


def test_list_shows_every_write_that_was_answered(
    live: Server, record: Record, owner: Tokens
) -> None:
    task = make_task(live, owner, title="0")["id"]
    known, done = [0], Event()
    readers = [Reader(live.connection(n), owner) for n in range(4)]
    following = [threads.submit(reader.follow, known, done) for reader in readers]
    try:
        for number in rounds(10):
            patch = patch_request(owner, task, {"title": str(number + 1)})
            assert live.ask(patch).status == 200
            known.append(number + 1)
    finally:
        done.set()
        for each in following:
            each.result(30)
        for reader in readers:
            reader.connection.close()
    lists = sum(reader.lists for reader in readers)
    assert sum(reader.stale for reader in readers) == 0
    unchanged = sum(reader.unchanged for reader in readers)
    record(f"{len(known) - 1} writes, {lists} lists ({unchanged} were 304), 0 stale")


def test_lists_on_both_workers_show_what_a_race_of_writes_left(
    live: Server, record: Record, owner: Tokens
) -> None:
    readers = [Reader(live.connection(n), owner) for n in range(4)]
    done = 0
    for number in rounds(2):
        before = {item["id"] for item in readers[0].look()}
        gone = sorted(before)[:1]
        writes = [
            request("POST", "/api/tasks", {"title": f"{number}"}, token=owner.access),
            batch_request(owner, {"op": "create", "data": {"title": f"b{number}"}}),
            *[delete_request(owner, each) for each in gone],
        ]

        single, batch, *_deleted = live.race(*writes)

        made = {single.json["id"], batch.json["results"][0]["id"]}
        wanted = before - set(gone) | made
        for shown in race(*[reader.look for reader in readers]):
            assert {item["id"] for item in shown} == wanted
        done += 1
        if len(wanted) > 15:
            live.ask(
                batch_request(owner, *[{"op": "delete", "id": each} for each in wanted])
            )
    for reader in readers:
        reader.connection.close()
    record(f"{done} rounds of 3 writes, then 4 lists at once, 0 stale")
