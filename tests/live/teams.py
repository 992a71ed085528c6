"""Shared projects on the live server, and requests that go on while access ends."""

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from secrets import token_urlsafe
from threading import Event
from typing import Any
from uuid import uuid4

from tests.live.people import Tokens, make_task, register
from tests.live.race import STAGGER_SECONDS, race
from tests.live.server import Server
from tests.live.wire import Answer, Connection, request

Sql = Callable[..., list[Any]]
INVITE = """
INSERT INTO tasks_invitation (
    id, project_id, email, role, invited_by_id, token_hash, created_at, expires_at
) VALUES (%s, %s, %s, %s, %s, %s, now(), now() + interval '1 day')
"""
ROLES = {"VIEWER": 1, "EDITOR": 2, "MANAGER": 3}


@dataclass(frozen=True)
class Team:
    """An owner and a member of one project of the owner's."""

    server: Server
    sql: Sql
    owner: Tokens
    member: Tokens
    project_id: str

    def ask(self, who: Tokens, method: str, path: str, data: Any = None) -> Answer:
        answer = self.server.ask(request(method, path, data, token=who.access))
        assert answer.status < 300, answer.body
        return answer

    def invite(self, role: str = "EDITOR") -> str:
        """The token of a new invitation, which no mail has to be read for."""
        token = token_urlsafe()
        about = uuid4(), self.project_id, f"{token}@example.com", ROLES[role]
        hashed = hashlib.sha256(token.encode()).hexdigest()
        self.sql(INVITE, *about, self.owner.user_id, hashed)
        return token

    def join(self, who: Tokens, role: str = "EDITOR") -> None:
        body = {"token": self.invite(role)}
        self.ask(who, "POST", "/api/invitations/accept", body)

    @property
    def path(self) -> str:
        return f"/api/projects/{self.project_id}"

    @property
    def member_path(self) -> str:
        return f"{self.path}/members/{self.member.user_id}"

    def make_task(self, title: str, **values: Any) -> str:
        values = {"title": title, "projectId": self.project_id} | values
        return str(make_task(self.server, self.owner, **values)["id"])


def make_team(server: Server, sql: Sql, owner: Tokens | None = None) -> Team:
    owner, member = owner or register(server), register(server)
    made = server.ask(
        request("POST", "/api/projects", {"name": "House"}, token=owner.access)
    )
    team = Team(server, sql, owner, member, made.json["id"])
    team.join(member)
    return team


# -- how an access ends, and is given back


@dataclass(frozen=True)
class Ending:
    """A request (`by` owner or member) and the one that undoes it; what writers are
    refused with from then on.
    """

    by: str
    ask: Callable[[Team], tuple[Any, ...]]
    undo: Callable[[Team], Any]
    refusals: frozenset[int]
    # Of the rounds: what ends access is decided in one place for all of them.
    share: float = 0.2

    def message(self, team: Team) -> bytes:
        method, path, *data = self.ask(team)
        who: Tokens = getattr(team, self.by)
        return request(method, path, *data, token=who.access)


def rejoin(team: Team) -> None:
    team.join(team.member)


def own(method: str, suffix: str = "", data: Any = None) -> Callable[[Team], Any]:
    return lambda t: t.ask(t.owner, method, f"{t.path}{suffix}", data)


ENDINGS = {
    "remove": Ending(
        "owner", lambda t: ("DELETE", t.member_path), rejoin, frozenset({403}), share=1
    ),
    "leave": Ending(
        "member", lambda t: ("DELETE", t.member_path), rejoin, frozenset({403})
    ),
    "demote": Ending(
        "owner",
        lambda t: ("PATCH", t.member_path, {"role": "VIEWER"}),
        lambda t: t.ask(t.owner, "PATCH", t.member_path, {"role": "EDITOR"}),
        frozenset({403}),
    ),
    "archive": Ending(
        "owner",
        lambda t: ("PATCH", t.path, {"archived": True}),
        own("PATCH", data={"archived": False}),
        frozenset({409}),
    ),
    "trash": Ending(
        "owner",
        lambda t: ("DELETE", t.path),
        own("POST", "/restore"),
        frozenset({400, 404}),
    ),
}


# -- requests that are sent again and again until one began after the end


@dataclass(frozen=True)
class Attempt:
    """One request of several: its answer, and whether it began after the end."""

    text: str
    answer: Answer
    is_late: bool


Message = Callable[[str], bytes]


def keep_asking(
    connection: Connection, over: Event, numbers: Any, message: Message
) -> list[Attempt]:
    """Each with a text of its own."""
    attempts: list[Attempt] = []
    while not (attempts and attempts[-1].is_late):
        text, is_late = f"text {next(numbers)}", over.is_set()
        attempts.append(Attempt(text, connection.ask(message(text)), is_late))
    return attempts


def end(connection: Connection, over: Event, message: bytes) -> list[Attempt]:
    time.sleep(random.uniform(0, STAGGER_SECONDS))
    try:
        answer = connection.ask(message)
        assert answer.status < 300, answer.body
    finally:
        over.set()
    return []


numbers = count(1)


def race_with_the_end(
    team: Team, ending: Ending, messages: dict[str, Message]
) -> dict[str, list[Attempt]]:
    """Of each message, what was sent until the ending had been answered, and once
    after that.
    """
    over = Event()
    connections = team.server.crowd(len(messages) + 1)
    for connection in connections:
        connection.open()
    finish = partial(end, connections[-1], over, ending.message(team))
    parties = [
        partial(keep_asking, connection, over, numbers, message)
        for connection, message in zip(connections, messages.values(), strict=False)
    ]
    found = race(*parties, finish)
    return dict(zip(messages, found, strict=False))
