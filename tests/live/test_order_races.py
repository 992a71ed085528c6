"""Places of tasks, and several spaces at once, whoever else is writing."""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.live.people import Tokens, make_task
from tests.live.race import ROUNDS, STAGGER_SECONDS, race, rounds
from tests.live.server import Server
from tests.live.teams import Sql, Team, make_team
from tests.live.wire import Connection, request

pytestmark = pytest.mark.live
Record = Callable[[str], None]
MAX_MOVES = 500


@pytest.fixture
def team(live: Server, sql: Sql) -> Team:
    return make_team(live, sql)


def move(who: Tokens, task: str, **place: Any) -> bytes:
    return request("POST", f"/api/tasks/{task}/move", place, token=who.access)


def patch(who: Tokens, task: str, **place: Any) -> bytes:
    return request("PATCH", f"/api/tasks/{task}", place, token=who.access)


def batch(who: Tokens, task: str, **place: Any) -> bytes:
    operation = {"op": "move", "id": task, "data": place}
    data = {"operations": [operation]}
    return request("POST", "/api/tasks/batch", data, token=who.access)


PARENTS = "SELECT id::text, parent_id::text FROM tasks_task WHERE project_id = %s"


def test_moves_at_once_make_no_circle(
    live: Server, record: Record, team: Team, sql: Sql
) -> None:
    outcomes, done = Counter[tuple[int, ...]](), 0
    ways = [move, patch, batch]
    tasks = [team.make_task(f"{n}") for n in range(3)]
    for number in rounds():
        size = 2 + number % 2
        ring = tasks[:size]
        who = [team.owner, team.member, team.owner]
        random.shuffle(ways)
        moves = [
            ways[n](who[n], ring[n], parentId=ring[(n + 1) % size]) for n in range(size)
        ]

        answers = live.race(*moves, stagger=STAGGER_SECONDS / 2)

        statuses = sorted(a.status for a in answers)
        assert statuses == [*[200] * (size - 1), 400]
        parents = dict(sql(PARENTS, team.project_id))
        for each in ring:
            assert depth(parents, each) <= size
        outcomes[tuple(statuses)] += 1
        for each in ring:
            team.ask(team.owner, "POST", f"/api/tasks/{each}/move", {"parentId": None})
        done += 1
    record(f"{done} rounds, 0 circles; {dict(outcomes)}")


def depth(parents: dict[str, Any], task: str) -> int:
    """How many tasks are from this one up to its root; fails in a circle."""
    line: list[Any] = [task]
    while parent := parents[line[-1]]:
        assert parent not in line
        line.append(parent)
    return len(line)


def test_two_who_write_in_each_others_projects_never_block_each_other(
    live: Server, record: Record, sql: Sql
) -> None:
    first = make_team(live, sql)
    second = Team(live, sql, first.member, first.owner, own_project(live, first.member))
    second.join(second.member)
    outcomes, done = Counter[int](), 0
    theirs = [each.make_task("Start") for each in (first, second)]
    mine = [make_task(live, each.owner)["id"] for each in (first, second)]
    for number in rounds():
        asked = []
        for n, (here, there) in enumerate([(first, second), (second, first)]):
            asked += crossing(here, there, mine[n], theirs[1 - n], f"{number}.{n}")

        answers = live.race(*asked)

        outcomes.update(a.status for a in answers)
        assert {a.status for a in answers} <= {200, 201}
        done += 1
    record(f"{done} rounds of {len(asked)} writes, 0 failed; {dict(outcomes)}")


def own_project(server: Server, owner: Tokens) -> str:
    data = {"name": "Garden"}
    made = server.ask(request("POST", "/api/projects", data, token=owner.access))
    return str(made.json["id"])


def crossing(here: Team, there: Team, mine: str, theirs: str, text: str) -> list[bytes]:
    """What the owner of one project writes in the other's, and in both at once."""
    who, target = here.owner.access, there.project_id
    both = {
        "operations": [
            {"op": "update", "id": mine, "data": {"title": text}},
            {"op": "create", "data": {"title": text, "projectId": target}},
            {"op": "update", "id": theirs, "data": {"title": text}},
        ]
    }
    new = {"title": text, "projectId": target}
    key = {"Idempotency_Key": text}
    paths = {"task": f"/api/tasks/{theirs}", "mine": f"/api/tasks/{mine}"}
    project = {"projectId": target}
    return [
        request("POST", "/api/tasks", new, token=who, **key),
        request("POST", f"{paths['mine']}/copy", project, token=who),
        request("POST", "/api/tasks/batch", both, token=who),
        request("PATCH", paths["task"], {"description": text}, token=who),
        request("POST", f"{paths['task']}/comments", {"text": text}, token=who),
        request("POST", "/api/tasks", {"title": text}, token=who),
    ]


class Mover:
    """Moves its own tasks beside any others, and learns when that was."""

    def __init__(
        self, team: Team, who: Tokens, mine: list[str], all: list[str]
    ) -> None:
        self.team, self.who, self.mine, self.all = team, who, mine, all
        self.versions = dict.fromkeys(mine, 1)
        # Revision of the space, task, side, anchor.
        self.moves: list[tuple[int, str, str, str]] = []
        self.asked = 0

    def run(self, connection: Connection, times: int) -> None:
        for _ in range(times):
            task = random.choice(self.mine)
            anchor = random.choice([each for each in self.all if each != task])
            side = random.choice(["before", "after"])
            answer = connection.ask(move(self.who, task, **{side: anchor}))
            assert answer.status == 200, answer.body
            self.asked += 1
            if answer.json["version"] != self.versions[task]:
                self.versions[task] += 1
                assert answer.json["version"] == self.versions[task]
                [(at,)] = self.team.sql(
                    "SELECT revision FROM tasks_task WHERE id = %s", task
                )
                self.moves.append((at, task, side, anchor))


def test_order_is_what_the_last_movers_said(
    live: Server, record: Record, team: Team, sql: Sql
) -> None:
    order = [team.make_task(f"{n}") for n in range(12)]
    whose = [team.owner, team.member, team.owner, team.member]
    movers = [Mover(team, who, order[n::4], order) for n, who in enumerate(whose)]
    times = min(MAX_MOVES, 5 * ROUNDS)
    connections = live.crowd(4)
    for connection in connections:
        connection.open()

    race(*[partial(m.run, c, times) for m, c in zip(movers, connections, strict=True)])

    said = sorted(each for mover in movers for each in mover.moves)
    for _, task, side, anchor in said:
        order.remove(task)
        order.insert(order.index(anchor) + (side == "after"), task)
    path = f"/api/tasks?project={team.project_id}&sort=position&limit=100"
    items = team.ask(team.member, "GET", path).json["items"]
    assert [each["id"] for each in items] == order
    assert len({each["position"] for each in items}) == len(order)
    longest = max(len(each["position"]) for each in items)
    record(
        f"4 movers x {times} moves, {len(said)} changed the order; no two alike, "
        f"longest position {longest}"
    )
