"""Access that ends has ended: no request that begins afterwards shows or writes
anything, and each write before is wholly there.
"""

from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from tests.live.people import register
from tests.live.race import STAGGER_SECONDS, rounds
from tests.live.server import Server
from tests.live.teams import (
    ENDINGS,
    Attempt,
    Message,
    Sql,
    Team,
    make_team,
    race_with_the_end,
)
from tests.live.wire import request

pytestmark = pytest.mark.live
Record = Callable[[str], None]
SECRET = "Zyzzyva"


@pytest.fixture
def team(live: Server, sql: Sql) -> Team:
    return make_team(live, sql)


def reads(team: Team, task: str, comment: str) -> dict[str, Message]:
    """What the member reads; each shows SECRET as long as it may."""
    token, paths = (
        team.member.access,
        {
            "list": "/api/tasks",
            "list of the project": f"/api/tasks?project={team.project_id}&archived=all",
            "search": f"/api/tasks?q={SECRET}",
            "task": f"/api/tasks/{task}",
            "history": f"/api/tasks/{task}/history",
            "comments": f"/api/tasks/{task}/comments",
            "comment": f"/api/tasks/{task}/comments/{comment}",
            "export": "/api/tasks/export?format=jsonl",
            "projects": "/api/projects",
            "labels": f"/api/labels?project={team.project_id}",
            "project": team.path,
        },
    )
    found = {}
    for name, path in paths.items():
        first = team.server.ask(request("GET", path, token=token))
        assert first.status == 200
        assert SECRET in first.body.decode(), name
        found[name] = asking("GET", path, token)
        if tag := first.headers.get("ETag"):
            found[f"{name}, cached"] = asking("GET", path, token, If_None_Match=tag)
    return found | walk_and_replay(team)


def asking(method: str, path: str, token: str, data: Any = None, **h: str) -> Message:
    message = request(method, path, data, token=token, **h)
    return lambda text: message


def walk_and_replay(team: Team) -> dict[str, Message]:
    token, key = team.member.access, f"replay {next(keys)}"
    cursor = team.ask(team.member, "GET", "/api/tasks?limit=1").json["nextCursor"]
    data = {"title": SECRET, "projectId": team.project_id}
    replay = asking("POST", "/api/tasks", token, data, Idempotency_Key=key)
    assert team.server.ask(replay("")).status == 201
    return {
        "cursor": asking("GET", f"/api/tasks?limit=1&cursor={cursor}", token),
        "replay": replay,
    }


keys = count(1)


@pytest.mark.parametrize("name", ["remove", "leave", "trash"])
def test_no_read_that_begins_after_the_end_shows_anything(
    team: Team, record: Record, name: str
) -> None:
    team.ask(team.owner, "PATCH", team.path, {"name": SECRET})
    task, *_ = [team.make_task(f"{SECRET} {n}", labels=[SECRET]) for n in range(3)]
    path = f"/api/tasks/{task}/comments"
    comment = team.ask(team.owner, "POST", path, {"text": SECRET}).json["id"]
    shown, late, done = 0, 0, 0
    for _ in rounds(ENDINGS[name].share):
        found = race_with_the_end(team, ENDINGS[name], reads(team, task, comment))

        for read, attempts in found.items():
            *earlier, last = attempts
            require_hidden(read, last)
            late += 1
            shown += sum(a.answer.status == 200 for a in earlier)
        ENDINGS[name].undo(team)
        done += 1
    record(
        f"{done} rounds, {late} late reads showed nothing, {shown} earlier something"
    )


def require_hidden(name: str, attempt: Attempt) -> None:
    answer = attempt.answer
    assert attempt.is_late
    assert SECRET not in answer.body.decode(), name
    assert answer.status in {200, 400, 403, 404}, (name, answer.status)


def writes(team: Team, task: str, other: str) -> dict[str, Message]:
    """What the member writes, with a text of its own each time."""
    token = team.member.access

    def sending(method: str, path: str, body: Callable[[str], Any]) -> Message:
        return lambda text: request(method, path, body(text), token=token)

    place = {"projectId": team.project_id}
    return {
        "create": sending("POST", "/api/tasks", lambda text: place | {"title": text}),
        "patch": sending("PATCH", f"/api/tasks/{task}", lambda text: {"title": text}),
        "label": sending(
            "PATCH", f"/api/tasks/{task}", lambda text: {"labels": [text]}
        ),
        "comment": sending(
            "POST", f"/api/tasks/{task}/comments", lambda text: {"text": text}
        ),
        "move": sending(
            "PATCH",
            f"/api/tasks/{other}",
            lambda text: {"title": text, "parentId": None},
        ),
        "batch": sending(
            "POST",
            "/api/tasks/batch",
            lambda text: {
                "operations": [
                    {"op": "create", "data": place | {"title": text}},
                    {"op": "create", "data": {"title": f"mine: {text}"}},
                ]
            },
        ),
    }


# Where the text of each write is, once it was answered.
PLACES = {
    "task": "SELECT title FROM tasks_task WHERE project_id = %s",
    "own task": "SELECT title FROM tasks_task WHERE created_by_id = %s",
    "comment": """
        SELECT text FROM tasks_comment c JOIN tasks_task t ON t.id = c.task_id
        WHERE project_id = %s
    """,
    "label": """
        SELECT l.name FROM tasks_label l JOIN tasks_project p ON p.owner_id = l.owner_id
        WHERE p.id = %s
    """,
    "history": """
        SELECT e->>'to' FROM tasks_change c JOIN tasks_task t ON t.id = c.task_id,
            jsonb_array_elements(c.fields::jsonb) e WHERE t.project_id = %s
    """,
}
WRITTEN: dict[str, list[tuple[str, str]]] = {
    "create": [("task", "{}"), ("history", "{}")],
    "patch": [("history", "{}")],
    "label": [("label", "{}"), ("history", '["{}"]')],
    "comment": [("comment", "{}")],
    "move": [("history", "{}")],
    "batch": [("task", "{}"), ("own task", "mine: {}"), ("history", "{}")],
}


@pytest.mark.parametrize("name", ENDINGS)
def test_write_while_access_ends_is_wholly_there_or_not_at_all(
    team: Team, record: Record, name: str
) -> None:
    ending, outcomes, done = ENDINGS[name], Counter[int](), 0
    attempts: list[tuple[str, Attempt]] = []
    for _ in rounds(ending.share):
        task, other = team.make_task("One"), team.make_task("Another")

        found = race_with_the_end(team, ending, writes(team, task, other))

        attempts += [(write, each) for write in found for each in found[write]]
        ending.undo(team)
        done += 1
    stored = {place: texts(team, place) for place in PLACES}
    for write, attempt in attempts:
        status = attempt.answer.status
        outcomes[status] += 1
        assert status < 300 or status in ending.refusals, attempt.answer.body
        assert not (status < 300 and attempt.is_late), write
        for place, form in WRITTEN[write]:
            is_there = form.format(attempt.text) in stored[place]
            assert is_there == (status < 300), (write, place, status)
    record(f"{done} rounds, answers {dict(outcomes)}, 0 half written, 0 after the end")


def texts(team: Team, place: str) -> set[str]:
    key = team.member.user_id if place == "own task" else team.project_id
    return {text for (text,) in team.sql(PLACES[place], key)}


def test_invitation_that_two_accept_at_once_makes_one_member(
    live: Server, record: Record, team: Team
) -> None:
    rivals, outcomes, done = [register(live), register(live)], Counter[int](), 0
    for _ in rounds():
        body = {"token": team.invite()}
        accepts = [
            request("POST", "/api/invitations/accept", body, token=each.access)
            for each in rivals
        ]

        answers = live.race(*accepts, stagger=STAGGER_SECONDS / 2)

        assert sorted(a.status for a in answers) == [200, 400]
        members = team.ask(team.owner, "GET", f"{team.path}/members").json["items"]
        joined = {each["userId"] for each in members} & {str(r.user_id) for r in rivals}
        winner = rivals[0 if answers[0].status == 200 else 1]
        assert joined == {str(winner.user_id)}
        team.ask(team.owner, "DELETE", f"{team.path}/members/{winner.user_id}")
        outcomes.update(a.status for a in answers)
        done += 1
    record(f"{done} rounds, one member in each; {dict(outcomes)}")


def test_invitation_is_accepted_declined_or_withdrawn(
    live: Server, record: Record, team: Team, sql: Sql
) -> None:
    newcomer, winners, done = register(live), Counter[str](), 0
    who = str(newcomer.user_id)
    for _ in rounds():
        token = team.invite()
        listed = team.ask(team.owner, "GET", f"{team.path}/invitations").json["items"]
        path, body = f"{team.path}/invitations/{listed[-1]['id']}", {"token": token}
        asked = {
            "accept": request(
                "POST", "/api/invitations/accept", body, token=newcomer.access
            ),
            "decline": request("POST", "/api/invitations/decline", body),
            "withdraw": request("DELETE", path, token=team.owner.access),
        }

        answers = live.race(*asked.values(), stagger=4 * STAGGER_SECONDS)

        won = [n for n, a in zip(asked, answers, strict=True) if a.status < 300]
        assert len(won) == 1, [a.status for a in answers]
        assert {a.status for a in answers} <= {200, 204, 400, 404}
        members = team.ask(team.owner, "GET", f"{team.path}/members").json["items"]
        assert (who in {each["userId"] for each in members}) == (won == ["accept"])
        if won == ["accept"]:
            team.ask(team.owner, "DELETE", f"{team.path}/members/{who}")
        winners.update(won)
        done += 1
    record(f"{done} rounds, one of three in each; {dict(winners)}")


LEFT = """
SELECT (SELECT count(*) FROM tasks_membership WHERE project_id = %s AND user_id = %s),
    (SELECT count(*) FROM tasks_formermember WHERE project_id = %s AND user_id = %s),
    (SELECT count(*) FROM tasks_projectchange WHERE project_id = %s
        AND fields->0->>'field' = 'member' AND fields->0->>'to' IS NULL)
"""


def test_member_who_leaves_while_being_removed_leaves_once(
    live: Server, record: Record, team: Team, sql: Sql
) -> None:
    outcomes, done = Counter[tuple[int, int]](), 0
    path, ids = team.member_path, (team.project_id, team.member.user_id)
    for _ in rounds():
        task = team.make_task("Assigned", assigneeId=str(team.member.user_id))
        leave = request("DELETE", path, token=team.member.access)
        remove = request("DELETE", path, token=team.owner.access)

        left, removed = live.race(leave, remove, stagger=STAGGER_SECONDS / 2)

        assert (left.status, removed.status) in {(204, 404), (403, 204)}
        done += 1
        assert sql(LEFT, *ids, *ids, team.project_id) == [(0, 1, done)]
        now = team.ask(team.owner, "GET", f"/api/tasks/{task}").json
        assert (now["assigneeId"], now["version"]) == (None, 2)
        outcomes[left.status, removed.status] += 1
        team.join(team.member)
    record(f"{done} rounds, left once in each; {dict(outcomes)}")
