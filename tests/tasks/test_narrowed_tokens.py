"""Personal tokens that cover some projects: every operation, every way to a list."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from taskapi.api import pagination, sealed
from tasks.models import Label, Project, Role, Task, inbox_id
from tests.accounts.wire import bearer
from tests.contract.document import Operation
from tests.factories import api_of, make_task, make_token, make_user
from tests.tasks import sharing
from tests.tasks.roles import PLANS, STATES, SharedProject, dump, undone
from tests.tasks.test_roles import EXPECTED as OF_ROLES
from tests.tasks.test_roles import OPERATIONS, is_shown
from tests.tasks.wire import details_of, error_of, ids, pages, trash, walk

# What comes of each request, as in test_roles. `owner`, `edit`: of the owner and of an
# editor, with a token that covers the project; `o-oth`, `e-oth`: with one that covers
# another project of theirs; `a-own`, `t-own`, `t-oth`: as these, while the project is
# archived and in the trash.
TABLE = """
operation                 owner edit  o-oth e-oth a-own t-own t-oth
listTasks                 sees  sees  none  none  none  none  none
listTasks:scope=shared    none  sees  none  none  none  none  none
listTasks:project=        sees  sees  403   403   sees  400   403
listTasks:archived=all    sees  sees  none  none  sees  none  none
listTasks:q=              sees  sees  none  none  sees  none  none
createTask                ok    ok    403   403   409   400   403
createTask:subtask        ok    ok    403   403   409   400   403
createTask:inbox          400   400   400   400   400   400   400
getTask                   sees  sees  403   403   sees  404   403
updateTask                ok    ok    403   403   409   404   403
replaceTask               ok    ok    403   403   409   404   403
deleteTask                ok    ok    403   403   409   404   403
restoreTask               ok    ok    403   403   409   403   403
moveTask                  ok    ok    403   403   409   404   403
moveTask:into             403   403   403   403   403   403   403
moveTask:away             403   403   403   403   409   404   403
copyTask                  403   403   403   403   403   404   403
copyTask:into             403   403   403   403   403   403   403
batchTasks                400   400   400   400   400   400   400
exportTasks               sees  sees  none  none  none  none  none
exportTasks:project=      sees  sees  403   403   sees  400   403
getTaskStats              sees  sees  none  none  none  none  none
listTaskHistory           sees  sees  403   403   sees  404   403
listTaskHistory:trashed   sees  sees  403   403   sees  sees  403
listComments              sees  sees  403   403   sees  404   403
createComment             ok    ok    403   403   409   404   403
getComment                sees  sees  403   403   sees  404   403
updateComment             403   ok    403   403   409   404   403
deleteComment             ok    ok    403   403   409   404   403
updateComment:last-words  403   403   403   403   409   404   403
deleteComment:last-words  ok    403   403   403   409   404   403
listPeople                sees  sees  sees  none  sees  sees  sees
listLabels                sees  none  none  none  sees  none  none
listLabels:project=       sees  sees  403   403   sees  400   403
createLabel               403   403   403   403   403   403   403
getLabel                  sees  403   403   403   sees  403   403
updateLabel               403   403   403   403   403   403   403
deleteLabel               403   403   403   403   403   403   403
getTrashedTask            sees  403   403   403   sees  sees  403
emptyTrash                403   403   403   403   403   403   403
listTrash                 sees  none  none  none  sees  sees  none
destroyTask               ok    403   403   403   ok    ok    403
listProjects              sees  sees  none  none  none  none  none
listProjects:archived=all sees  sees  none  none  sees  none  none
createProject             403   403   403   403   403   403   403
getProject                sees  sees  403   403   sees  404   403
updateProject             ok    403   403   403   409   404   403
updateProject:archive     ok    403   403   403   ok    404   403
deleteProject             ok    403   403   403   ok    404   403
restoreProject            404   403   403   403   404   ok    403
listTrashedProjects       none  none  none  none  none  sees  none
destroyProject            404   403   403   403   404   ok    403
listProjectHistory        sees  403   403   403   sees  404   403
listMembers               sees  sees  403   403   sees  404   403
updateMember              ok    403   403   403   409   404   403
removeMember              ok    403   403   403   409   404   403
removeMember:oneself      409   ok    403   403   409   404   403
listInvitations           sees  403   403   403   sees  404   403
createInvitation          ok    403   403   403   409   404   403
withdrawInvitation        ok    403   403   403   ok    404   403
acceptInvitation          403   403   403   403   403   403   403
"""
(_, *TOKENS), *ROWS = [line.split() for line in TABLE.strip().splitlines()]
EXPECTED = {name: dict(zip(TOKENS, row, strict=True)) for name, *row in ROWS}
# Whose token, the state of the project, and whether the token covers it.
WHO = {
    "owner": ("owner", "open", True),
    "edit": ("editor", "open", True),
    "o-oth": ("owner", "open", False),
    "e-oth": ("editor", "open", False),
    "a-own": ("owner", "archived", True),
    "t-own": ("owner", "trashed", True),
    "t-oth": ("owner", "trashed", False),
}


class Trial:
    """The projects, the tokens, and all rows as they are before each request."""

    def __init__(self) -> None:
        self.projects = {state: SharedProject(state) for state in STATES}
        self.tokens = {each: self.token(*WHO[each]) for each in WHO}
        self.before = dump()

    def token(self, name: str, state: str, covers: bool) -> str:
        where = self.projects[state]
        user = User.objects.get(pk=where.users[name].pk)
        project = where.project if covers else sharing.make_project(user, "Another")
        return make_token(user, projects=[project.pk])[1]

    def outcome(self, row: str, token: str) -> str:
        """What comes of this request; its writes are undone."""
        name, state, _ = WHO[token]
        where = self.projects[state]
        call = PLANS[row](where, name)
        call.token = self.tokens[token]
        operation: Operation = OPERATIONS[row.partition(":")[0]]
        answer = where.send(operation, call, name)
        is_seen = is_shown(operation.name, answer, where.pk)
        if answer.status_code >= 400:
            assert dump() == self.before, f"{row} of {token}: refused, but written"
            assert not is_seen, f"{row} of {token}: refused, but shown"
            return str(answer.status_code)
        if EXPECTED[row][token] == "ok":
            return "ok"
        return "sees" if is_seen else "none"


@pytest.fixture(scope="module")
def trial(django_db_setup: None, django_db_blocker: Any) -> Iterator[Trial]:
    """In a transaction of this file's."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield Trial()
        transaction.set_rollback(True)


def test_table_knows_every_operation() -> None:
    # Who declines an invitation needs no token.
    assert EXPECTED.keys() == OF_ROLES.keys() - {"declineInvitation"}


@pytest.mark.django_db
@pytest.mark.parametrize("row", EXPECTED)
def test_token_may_what_the_table_says(row: str, trial: Trial) -> None:
    found = {each: undone(lambda e=each: trial.outcome(row, e)) for each in TOKENS}

    assert found == EXPECTED[row]


class House:
    """Alice's inbox and two projects, two projects of Bob's that she is a member of,
    tasks in all of them, and a token for one of each.
    """

    def __init__(self) -> None:
        self.alice, self.bob = make_user("alice"), make_user("bob")
        self.own = sharing.make_project(self.alice, "Own")
        self.hidden = sharing.make_project(self.alice, "Hidden")
        self.shared = sharing.make_project(self.bob, "Shared")
        self.unseen = sharing.make_project(self.bob, "Unseen")
        self.archived = sharing.make_project(self.alice, "Archived")
        self.membership = sharing.share(self.shared, self.alice, Role.EDITOR)
        sharing.share(self.unseen, self.alice, Role.EDITOR)
        for n in range(5):
            make_task(self.alice, title=f"Inbox {n}")
            for project in self.all:
                title = f"Rake {project.name} {n}"
                sharing.task_in(project, title=title, labels=[f"label {n % 2}"])
        sharing.archive(self.archived)
        self.covered = [self.own.pk, self.shared.pk, self.archived.pk]
        self.person, self.program = api_of(self.alice), self.client(*self.covered)

    @property
    def all(self) -> list[Project]:
        return [self.own, self.hidden, self.shared, self.unseen, self.archived]

    def client(self, *projects: Any) -> APIClient:
        return bearer(make_token(self.alice, projects=projects or None)[1])

    def covers(self, item: dict[str, Any]) -> bool:
        return item["projectId"] in {*map(str, self.covered)}


@pytest.fixture
def house(db: None) -> House:
    return House()


QUERIES = [
    *("", "archived=all", "archived=true", "scope=own", "scope=shared"),
    *("scope=own&archived=all", "scope=shared&archived=true", "q=rake", "q=inbox"),
    *("label=label 1", "assignee=none", "createdBy=me", "parent=none"),
    *("status=TODO&priority=MEDIUM", "dueDate=none", "overdue=false", "due=week"),
    *("sort=title", "sort=-updatedAt&archived=all", "sort=position", "sort=dueDate"),
    "q=rake&sort=-title&archived=all&label=label 0",
]


def test_list_is_the_users_without_other_projects(house: House) -> None:
    for query in QUERIES:
        assert_narrowed(house, dict(parse_qsl(query)))


def assert_narrowed(house: House, sent: dict[str, str]) -> None:
    everything = house.person.get("/api/tasks", sent | {"limit": 100}).json()
    wanted = [each for each in everything["items"] if house.covers(each)]

    found = house.program.get("/api/tasks", sent | {"limit": 100}).json()

    assert found["items"] == wanted
    assert found["total"] == len(wanted)
    walked = walk(house.program, sent | {"limit": 7})
    assert walked == [each["id"] for each in wanted]
    stats = {name: sent[name] for name in sent if name != "sort"}
    assert house.program.get("/api/tasks/stats", stats).json()["total"] == len(wanted)
    export = house.program.get("/api/tasks/export", sent | {"format": "jsonl"})
    lines = b"".join(export.streaming_content).splitlines()
    exported = {json.loads(line)["id"] for line in lines}
    assert exported == {each["id"] for each in wanted}


def test_projects_are_those_that_it_covers(house: House) -> None:
    covered = {*map(str, house.covered)}
    for query in ("", "archived=all", "role=OWNER", "q=e", "sort=name"):
        path = f"/api/projects?limit=100&{query}".rstrip("&")
        everything = house.person.get(path).json()["items"]

        found = house.program.get(path).json()["items"]

        assert found == [each for each in everything if each["id"] in covered]
        assert 0 < len(found) < len(everything)


def test_cursor_holds_nothing_of_other_projects(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Any] = []

    def remember(value: Any, bound: str) -> str:
        held.append(value)
        return sealed.seal(value, bound)

    monkeypatch.setattr(pagination, "seal", remember)
    program = house.client(house.own.pk, house.shared.pk)
    assert program.get("/api/projects?limit=1").json()["nextCursor"]

    assert str(house.shared.pk) in str(held)
    assert str(house.unseen.pk) not in str(held)


def test_people_are_those_of_its_projects(house: House) -> None:
    carol = make_user("carol")
    sharing.share(house.hidden, carol)
    query = f"/api/people?ids={carol.pk},{house.bob.pk},{house.alice.pk}"

    assert len(house.person.get(query).json()["items"]) == 3
    found = house.program.get(query).json()["items"]
    assert [each["id"] for each in found] == [str(house.bob.pk), str(house.alice.pk)]


def test_lists_tags_and_cursors_are_the_principals_own(house: House) -> None:
    clients = [house.person, house.program, house.client(house.own.pk), house.client()]
    answers = [client.get("/api/tasks", {"limit": 3}) for client in clients]

    tags = [answer["ETag"] for answer in answers]
    cursors = [answer.json()["nextCursor"] for answer in answers]
    assert len({*tags}) == len({*cursors}) == 4
    for n, client in enumerate(clients):
        again = client.get("/api/tasks", {"limit": 3})  # out of the cache
        assert (again.content, again["ETag"]) == (answers[n].content, tags[n])
        for m in range(4):
            sent = {"limit": 3, "cursor": cursors[m]}
            status = 200 if n == m else 400
            assert client.get("/api/tasks", sent).status_code == status
            known = {"If-None-Match": tags[m]}
            status = 304 if n == m else 200
            sent = {"limit": 3}
            answer = client.get("/api/tasks", sent, headers=known)
            assert answer.status_code == status


def test_every_write_moves_the_tag_of_its_list(house: House) -> None:
    program = house.client(house.own.pk)
    tag = program.get("/api/tasks")["ETag"]

    sharing.task_in(house.own, title="New")

    fresh = program.get("/api/tasks", headers={"If-None-Match": tag})
    assert fresh.status_code == 200
    assert fresh.json()["items"][0]["title"] == "New"


def test_token_without_projects_sees_what_its_user_sees(house: House) -> None:
    everywhere = house.client()

    for path in ("/api/tasks?limit=100", "/api/projects", "/api/labels"):
        seen, found = house.person.get(path), everywhere.get(path)
        assert found.json()["items"] == seen.json()["items"]
    made = everywhere.post("/api/tasks", {"title": "Sweep"}, format="json")
    assert made.json()["projectId"] == str(inbox_id(house.alice.pk))


def test_access_that_ends_is_gone_for_the_token(house: House) -> None:
    [task, *_] = Task.objects.filter(project=house.shared)
    first = next(pages(house.program, "/api/tasks", {"limit": 7, "sort": "title"}))
    sharing.leave(house.membership)

    found = house.program.get("/api/tasks?limit=100").json()["items"]

    assert {each["projectId"] for each in found} == {str(house.own.pk)}
    assert house.program.get(f"/api/tasks/{task.pk}").status_code == 403
    query = f"/api/tasks?project={house.shared.pk}"
    assert house.program.get(query).status_code == 403
    rest = {"limit": 7, "sort": "title", "cursor": first.json()["nextCursor"]}
    shown = house.program.get("/api/tasks", rest).json()["items"]
    assert {each["projectId"] for each in shown} <= {str(house.own.pk)}
    assert len(house.program.get("/api/projects").json()["items"]) == 1


def test_token_of_projects_that_are_all_gone_sees_nothing(house: House) -> None:
    program = house.client(house.own.pk)
    sharing.delete(house.own)

    body = program.get("/api/tasks").json()

    assert (body["items"], body["total"], body["nextCursor"]) == ([], 0, None)
    assert program.get("/api/tasks/stats").json()["total"] == 0
    assert program.get("/api/labels").json()["items"] == []


def test_history_begins_when_the_task_came_into_its_project(house: House) -> None:
    [task] = Task.objects.filter(title="Rake Hidden 0")
    path = f"/api/tasks/{task.pk}"
    house.person.patch(path, {"title": "Secret"}, format="json")
    house.person.patch(
        path, {"title": "Plain", "projectId": str(house.own.pk)}, format="json"
    )

    everything = house.person.get(f"{path}/history").json()
    found = house.program.get(f"{path}/history").json()

    assert [each["version"] for each in everything["items"]] == [3, 2, 1]
    assert [each["version"] for each in found["items"]] == [3]


# -- writes


def post(api: APIClient, path: str, body: Any = None, **headers: str) -> Any:
    return api.post(f"/api/tasks{path}", body, format="json", headers=headers)


def test_create_needs_a_project(house: House) -> None:
    response = post(house.program, "", {"title": "Sweep"})

    assert details_of(response) == [("projectId", "required")]
    made = post(
        house.program, "", {"title": "Sweep", "projectId": str(house.shared.pk)}
    )
    assert (made.status_code, made.json()["userId"]) == (201, str(house.bob.pk))


def test_batch_is_refused_as_a_whole(house: House) -> None:
    [covered] = Task.objects.filter(title="Rake Own 0")
    before = dump()
    good = {"op": "update", "id": str(covered.pk), "data": {"status": "DONE"}}
    create = {"op": "create", "data": {"title": "Sweep"}}
    [hidden] = Task.objects.filter(title="Rake Hidden 0")
    bad = {"op": "update", "id": str(hidden.pk), "data": {"status": "DONE"}}

    no_project = post(house.program, "/batch", {"operations": [good, create]})
    foreign = post(house.program, "/batch", {"operations": [good, bad]})

    assert details_of(no_project) == [("operations.1.data.projectId", "required")]
    assert foreign.status_code == 403
    assert error_of(foreign)["index"] == 1
    assert dump() == before


def test_inbox_is_covered_only_by_its_id(house: House) -> None:
    inbox = inbox_id(house.alice.pk)
    program = house.client(inbox)

    found = program.get("/api/tasks?limit=100").json()["items"]

    assert {each["projectId"] for each in found} == {str(inbox)}
    assert details_of(post(program, "", {"title": "x"})) == [("projectId", "required")]
    made = post(program, "", {"title": "x", "projectId": str(inbox)})
    assert made.status_code == 201
    [task] = Task.objects.filter(title="Inbox 0")
    assert house.program.get(f"/api/tasks/{task.pk}").status_code == 403
    for name, value in [("parentId", str(task.pk)), ("projectId", str(inbox))]:
        [own] = Task.objects.filter(title="Rake Own 0")
        change = {name: value}
        response = house.program.patch(f"/api/tasks/{own.pk}", change, format="json")
        assert response.status_code == 403, name


def test_move_stays_within_what_is_covered(house: House) -> None:
    [task] = Task.objects.filter(title="Rake Own 0")
    [hidden] = Task.objects.filter(title="Rake Hidden 0")
    program = house.client(house.own.pk, inbox_id(house.alice.pk))

    away = post(program, f"/{task.pk}/move", {"projectId": str(house.hidden.pk)})
    beside = post(program, f"/{task.pk}/move", {"before": str(hidden.pk)})
    within = post(
        program, f"/{task.pk}/move", {"projectId": str(inbox_id(house.alice.pk))}
    )

    assert [r.status_code for r in (away, beside, within)] == [403, 403, 200]


def test_task_of_a_trashed_project_is_not_restored_into_an_inbox_outside(
    house: House,
) -> None:
    [task] = Task.objects.filter(title="Rake Own 0")
    trash(task)
    sharing.delete(house.own)

    refused = post(house.client(house.own.pk), f"/{task.pk}/restore")
    both = house.client(house.own.pk, inbox_id(house.alice.pk))

    assert refused.status_code == 403
    assert post(both, f"/{task.pk}/restore").status_code == 200


def test_task_of_a_destroyed_project_is_its_projects_still(house: House) -> None:
    [task] = Task.objects.filter(title="Rake Hidden 0")
    trash(task)
    sharing.delete(house.hidden)
    Project.objects.filter(pk=house.hidden.pk).update(destroyed_at=timezone.now())
    path = f"/api/tasks/{task.pk}/history"

    assert house.program.get(path).status_code == 403
    assert house.client(house.hidden.pk).get(path).status_code == 200


def test_labels_that_no_covered_task_has_are_not_seen(house: House) -> None:
    make_task(house.alice, labels=["private"])
    private = Label.objects.get(name="private")
    [known, *_] = Label.objects.filter(owner=house.alice, name="label 0")

    names = [each["name"] for each in house.program.get("/api/labels").json()["items"]]

    assert names == ["label 0", "label 1"]
    assert house.program.get(f"/api/labels/{known.pk}").status_code == 200
    assert house.program.get(f"/api/labels/{private.pk}").status_code == 403
    everything = house.person.get("/api/labels").json()["items"]
    assert "private" in {each["name"] for each in everything}


# -- idempotency


def test_keys_are_the_principals_own(house: House) -> None:
    body = {"title": "Sweep", "projectId": str(house.own.pk)}
    key = {"Idempotency-Key": "once"}
    clients = [house.person, house.program, house.client(house.own.pk), house.client()]

    first = [post(client, "", body, **key) for client in clients]
    again = [post(client, "", body, **key) for client in clients]

    assert [r.status_code for r in first] == [201] * 4
    assert len({r.json()["id"] for r in first}) == 4
    assert [r.content for r in again] == [r.content for r in first]
    assert {r["Idempotency-Replayed"] for r in again} == {"true"}
    other = post(house.program, "", body | {"title": "Other"}, **key)
    assert other.status_code == 422


def test_answer_is_replayed_only_while_it_may_be_seen(house: House) -> None:
    key = {"Idempotency-Key": "once"}
    body = {"title": "Sweep", "projectId": str(house.shared.pk)}
    assert post(house.program, "", body, **key).status_code == 201

    sharing.leave(house.membership)

    assert post(house.program, "", body, **key).status_code == 403


def test_answer_about_a_task_that_left_is_not_replayed(house: House) -> None:
    key = {"Idempotency-Key": "once"}
    body = {"title": "Sweep", "projectId": str(house.own.pk)}
    made = post(house.program, "", body, **key).json()

    moved = {"projectId": str(house.hidden.pk)}
    post(house.person, f"/{made['id']}/move", moved)

    assert post(house.program, "", body, **key).status_code == 403
    assert ids(house.program.get(f"/api/tasks?project={house.own.pk}"))
