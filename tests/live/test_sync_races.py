"""Followers of changes, while others write, join, leave, and workers are killed."""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from threading import Event
from time import sleep
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.live.people import Tokens, register
from tests.live.server import Server
from tests.live.teams import Sql, Team, make_team
from tests.live.wire import Connection, request
from tests.tasks.follower import Follower, shown

pytestmark = pytest.mark.live
WRITERS, WRITES = 4, 500
# Besides, each once in so many writes of the first writer.
TURNS = 25


class Client:
    """What a Follower asks, over the network; what a killed worker took is repeated."""

    def __init__(self, live: Server, who: Tokens) -> None:
        self.connection, self.who = Connection(live.port), who

    def get(self, path: str, query: Any = None) -> Any:
        path = f"{path}?{urlencode(query)}" if query else path
        answer = self.ask("GET", path)
        return SimpleNamespace(
            status_code=answer.status, content=answer.body, json=lambda: answer.json
        )

    def ask(self, method: str, path: str, data: Any = None) -> Any:
        message = request(method, path, data, token=self.who.access)
        while True:
            try:
                answer = self.connection.ask(message)
            except (OSError, AssertionError, ValueError):
                self.connection.close()
                sleep(0.05)
                continue
            if answer.status != 503:
                return answer
            sleep(0.05)


def write(client: Client, team: Team, known: list[str], chance: random.Random) -> int:
    """One write to the project; the status."""
    task = chance.choice(known) if known else None
    way = chance.randrange(8) if task else 0
    path = f"/api/tasks/{task}"
    if way < 2:
        body = {"title": "new", "projectId": team.project_id}
        answer = client.ask("POST", "/api/tasks", body)
        known += [answer.json["id"]] if answer.status == 201 else []
        return int(answer.status)
    ways: list[tuple[str, str, Any]] = [
        ("PATCH", path, {"title": f"{chance.random()}"}),
        ("DELETE", path, None),
        ("POST", f"{path}/restore", None),
        ("POST", f"{path}/comments", {"text": "Yes."}),
        ("POST", f"{path}/move", {"parentId": chance.choice(known)}),
        ("DELETE", f"/api/tasks/trash/{task}", None),
    ]
    return int(client.ask(*ways[way - 2]).status)


def turn(client: Client, team: Team, guest: Tokens, number: int) -> None:
    """Have the guest join or leave; the project goes to the trash and comes back."""
    team.join(guest)
    client.ask("DELETE", team.path)
    client.ask("POST", f"{team.path}/restore")
    if number % 2:
        client.ask("DELETE", f"{team.path}/members/{guest.user_id}")
        return
    client.ask("DELETE", f"{team.path}/members/{guest.user_id}")
    team.join(guest)
    client.ask("DELETE", f"{team.path}/members/{guest.user_id}")


class Race:
    """Writers and followers of one project, each with a connection of its own."""

    def __init__(self, live: Server, sql: Sql) -> None:
        self.live, self.team, self.guest = live, make_team(live, sql), register(live)
        owner, member = self.team.owner, self.team.member
        self.writers = [Client(live, (owner, member)[n % 2]) for n in range(WRITERS)]
        about = (owner, 50), (member, 7), (self.guest, 500)
        self.clients = [Client(live, who) for who, _ in about]
        self.followers = [
            Follower(client, limit)  # type: ignore[arg-type]
            for client, (_, limit) in zip(self.clients, about, strict=True)
        ]
        self.done, self.known = Event(), list[str]()
        self.statuses = Counter[int]()

    def keep_writing(self, number: int) -> None:
        client = self.writers[number]
        chance = random.Random(number)
        for n in range(WRITES):
            self.statuses[write(client, self.team, self.known, chance)] += 1
            if not number and n % TURNS == TURNS - 1:
                turn(client, self.team, self.guest, n // TURNS)

    def keep_following(self, follower: Follower) -> None:
        while not self.done.is_set():
            follower.page()

    def run(self) -> None:
        with ThreadPoolExecutor(WRITERS + len(self.followers)) as pool:
            following = [pool.submit(self.keep_following, f) for f in self.followers]
            writing = [pool.submit(self.keep_writing, n) for n in range(WRITERS)]
            sleep(2)
            self.live.kill(0)
            self.live.wait_for_workers()
            wait(writing, 300)
            self.done.set()
            for each in [*writing, *following]:
                each.result(60)
        self.team.join(self.guest)

    def close(self) -> None:
        for each in [*self.writers, *self.clients]:
            each.connection.close()


def test_followers_end_with_what_the_lists_show(
    live: Server, sql: Sql, record: Callable[[str], None]
) -> None:
    with closing(Race(live, sql)) as race:
        race.run()
        for follower in race.followers:
            follower.sync()  # the round that was on
            follower.sync()
            assert follower.copy == shown(follower.api)
            assert follower.sync() == []
    assert sum(race.statuses.values()) == WRITERS * WRITES
    left = len(race.followers[0].copy["task"])
    record(f"{dict(race.statuses)}; {left} tasks at the end")
