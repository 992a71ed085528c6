"""Three users who share projects, and the model that each answer is compared with."""

from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from taskapi.http.redis import circuit_breaker
from tasks.fields import get_values, task_to_dict
from tasks.models import Project, Role, Task, TaskLabel, inbox_id
from tests.factories import api_of, make_task, make_user
from tests.tasks import sharing
from tests.tasks.cache_faults import MODES, CacheFaults
from tests.tasks.model import Wire
from tests.tasks.project_model import (
    EDITOR,
    MANAGER,
    ROLES,
    VIEWER,
    Changes,
    Faults,
    Model,
    ProjectModel,
)
from tests.tasks.wire import pages, walk

# Whoever owns what is asked for, or (from 3 on) one of the three.
people = st.integers(0, 5)
members = st.integers(0, 2)
picks = st.integers(0, 30)
sorts = st.sampled_from(["-createdAt", "-updatedAt", "title", "position"])
writes = st.tuples(people, picks, st.sampled_from(["alpha", "omega", None]))
# Besides those that are asked for after every step.
queries = st.fixed_dictionaries(
    {},
    optional={
        "project": picks,
        "archived": st.sampled_from(["true", "all"]),
        "scope": st.sampled_from(["own", "shared"]),
        "parent": st.just("none"),
        "label": st.sampled_from(["blue", "red"]),
        "assignee": st.just("me"),
        "sort": st.sampled_from(["position", "-updatedAt", "title"]),
    },
)


class SharedWorld(RuleBasedStateMachine):
    """Three users, what is theirs, and what each of them must be shown of it."""

    def __init__(self) -> None:
        super().__init__()
        names = ["alice", "bob", "carol"]
        self.accounts = [make_user(f"{name}-{uuid4().hex}") for name in names]
        self.users = [str(each.pk) for each in self.accounts]
        clients = map(api_of, self.accounts)
        self.apis = dict(zip(self.users, clients, strict=True))
        self.model = Model({str(a.pk): str(inbox_id(a.pk)) for a in self.accounts})
        self.lists: dict[tuple[str, str], Any] = {}
        # By the last call; of those some are asked for one by one.
        self.changed: set[str] = set()
        self.touched: list[str] = []
        self.steps = 0
        self.faults = CacheFaults()
        self.context = self.faults.installed()
        self.context.__enter__()

    def teardown(self) -> None:
        self.context.__exit__(None, None, None)

    # -- calls and what they change

    def call(
        self, who: int, method: str, path: str, body: Any = None, **more: Any
    ) -> Any:
        # One failure should not keep the cache away for all the calls after it.
        circuit_breaker.close()
        send = getattr(self.apis[self.users[who]], method)
        if method == "get":
            return send(f"/api{path}", body, **more)
        return send(f"/api{path}", body, format="json", **more)

    def is_done(self, response: Any, faults: Faults) -> bool:
        """Whether the call succeeded, as it should without faults."""
        if faults:
            assert response.status_code in faults, response.content
            self.settle({})
        else:
            assert response.status_code < 300, response.content
        return not faults

    def settle(
        self,
        changes: Changes,
        *,
        moved: Any = (),
        new: int = 0,
        gone: Any = (),
        trash: Any = None,
    ) -> list[str]:
        """Take what the database holds for true if it is what the model expects, and
        nothing else has changed; the ids of new tasks.
        """
        model = self.model
        for pk in gone:
            del model.tasks[pk], model.trash[pk]
        model.trash = model.trash if trash is None else trash
        rows = self.stored()
        added = [pk for pk in rows if pk not in model.tasks]
        assert (len(added), rows.keys() - set(added)) == (new, model.tasks.keys())
        for pk, before in model.tasks.items():
            agree(rows[pk], before, changes.get(pk), is_moved=pk in moved)
        model.tasks = rows
        self.require_labels_in_place()
        assert not [pk for pk in rows if pk not in model.trash and model.is_taken(pk)]
        self.changed = {*added, *changes}
        self.touched = sorted(self.changed)[:2]
        for pk in added:
            siblings = rows[pk]["parentId"], rows[pk]["projectId"]
            assert model.children(*siblings)[-1] == pk or new > 1
        return added

    def stored(self) -> dict[str, Wire]:
        """The tasks of the three; those in the trash are what the model says."""
        tasks = list(Task.objects.filter(user__in=self.users))
        assert self.model.trash == {
            str(t.pk): t.deleted_with_id and str(t.deleted_with_id)
            for t in tasks
            if t.deleted_at
        }
        return {str(t.pk): task_to_dict(get_values(t)) for t in tasks}

    def require_labels_in_place(self) -> None:
        """That lists by label count what they show."""
        labelled = TaskLabel.objects.filter(task__user__in=self.users)
        for each in labelled.select_related("task"):
            place = None if each.task.deleted_at else each.task.project_id
            assert each.project_id == place

    def task(self, pick: int, project: str | None = None) -> str:
        """Three times of four one of that project, if it has any."""
        known = sorted(self.model.tasks, key=lambda pk: self.order[pk])
        near = [pk for pk in known if self.model.tasks[pk]["projectId"] == project]
        chosen = near if near and pick % 4 else known
        return chosen[pick % len(chosen)]

    def trashed(self, pick: int) -> str:
        """Three times of four one in the trash, if there is any."""
        known = sorted(self.model.trash, key=lambda pk: self.order[pk])
        return known[pick % len(known)] if known and pick % 4 else self.task(pick)

    def person(self, who: int, project: str) -> int:
        owner = self.users.index(self.model.projects[project].owner)
        return who - 3 if who >= 3 else owner

    def person_for(self, who: int, task: str) -> int:
        return self.person(who, self.model.tasks[task]["projectId"])

    def project(self, pick: int, *, inboxes: bool = True) -> str:
        private = [*self.model.inboxes.values()]
        known = [pk for pk in self.model.projects if pk not in private]
        known += private if inboxes else []
        return known[pick % len(known)]

    # -- the beginning

    @initialize()
    def begin_with_two_shared_projects(self) -> None:
        self.order: dict[str, int] = {}
        self.make_project(0)
        self.make_project(1)
        first, second = self.project(0, inboxes=False), self.project(1, inboxes=False)
        for project, who, role in [
            (first, 1, EDITOR),
            (first, 2, VIEWER),
            (second, 0, MANAGER),
        ]:
            self.let_in(project, who, role)
        for who, project in enumerate(
            [first, second, self.model.inboxes[self.users[2]]]
        ):
            self.plant(who, project)
        assert len(self.settle({}, new=9)) == len(self.order)

    def plant(self, who: int, project: str) -> None:
        """A task with a child, and another one."""
        values = {"project_id": UUID(project)}
        parent = make_task(self.accounts[who], title="parent", **values)
        made = [
            parent,
            make_task(self.accounts[who], parent_id=parent.pk, **values),
            make_task(self.accounts[who], labels=["blue"], **values),
        ]
        for each in made:
            self.order[str(each.pk)] = len(self.order)

    def make_task(self, who: int, values: Wire) -> str:
        response = self.call(who, "post", "/tasks", {"title": "new"} | values)
        assert response.status_code == 201, response.content
        pk = str(response.json()["id"])
        self.order[pk] = len(self.order)
        assert self.settle({}, new=1) == [pk]
        return pk

    def make_project(self, who: int) -> None:
        response = self.call(who, "post", "/projects", {"name": "House"})
        assert response.status_code == 201
        made = ProjectModel(self.users[who])
        self.model.projects[response.json()["id"]] = made

    def let_in(self, project: str, who: int, role: int) -> None:
        stored = Project.objects.get(pk=project)
        sharing.share(stored, self.accounts[who], Role(role))
        self.model.projects[project].members[self.users[who]] = role

    # -- what is shown

    @rule(mode=st.sampled_from(MODES), is_emptied=st.booleans())
    def cache_turns(self, mode: str, is_emptied: bool) -> None:
        self.faults.mode = mode
        if is_emptied:
            self.faults.lose_everything()

    @invariant()
    def lists_and_tasks_agree(self) -> None:
        self.steps += 1
        query = {"archived": "all"} if self.steps % 2 else {}
        for who in range(3):
            self.check_list(who, query)
            for task in self.touched:
                faults = self.model.reading(self.users[who], task)
                response = self.call(who, "get", f"/tasks/{task}")
                if self.agrees(response, faults):
                    assert response.json() == self.model.tasks[task]
        self.touched = []

    def agrees(self, response: Any, faults: Faults) -> bool:
        assert response.status_code in (faults or {200}), response.content
        return not faults

    @rule(who=members, query=queries)
    def get_list(self, who: int, query: Wire) -> None:
        query = dict(query)
        if "project" in query:
            query["project"] = self.project(query["project"])
            about = self.model.projects[query["project"]]
            role = self.model.role(self.users[who], query["project"])
            if not role or about.is_trashed:
                response = self.call(who, "get", "/tasks", query)
                assert response.status_code == (400 if role else 403)
                return
        self.check_list(who, query)
        expected = self.model.listed(self.users[who], query)
        api = self.apis[self.users[who]]
        walk = pages(api, "/api/tasks", query | {"limit": 2})
        assert [each for page in walk for each in page.json()["items"]] == expected
        second = self.call(who, "get", "/tasks", query | {"limit": 3, "page": 2}).json()
        assert second["items"] == expected[3:6]
        assert second["total"] == len(expected)

    @rule(who=members, sort=sorts, writes=st.lists(writes, max_size=3))
    def walk_among_writes(self, who: int, sort: str, writes: Any) -> None:
        query, pending, touched = {"archived": "all", "sort": sort}, iter(writes), set()
        before = {each["id"] for each in self.model.listed(self.users[who], query)}

        def meanwhile(seen: list[str]) -> None:
            if write := next(pending, None):
                self.write_meanwhile(*write)
                touched.update(self.changed)

        api = self.apis[self.users[who]]
        seen = walk(api, query | {"limit": 2}, between=meanwhile)
        assert len(seen) == len(set(seen))
        assert before - touched <= set(seen) <= before | touched

    def write_meanwhile(self, who: int, pick: int, title: str | None) -> None:
        """A change of the title, or else a deletion."""
        task = self.task(pick)
        who = self.person_for(who, task)
        faults, path = self.model.writing(self.users[who], task), f"/tasks/{task}"
        if title is None:
            self.delete(who, task)
        elif self.is_done(self.call(who, "patch", path, {"title": title}), faults):
            is_new = self.model.tasks[task]["title"] != title
            self.settle({task: {"title": title}} if is_new else {})

    def delete(self, who: int, task: str) -> None:
        model = self.model
        response = self.call(who, "delete", f"/tasks/{task}")
        if self.is_done(response, model.writing(self.users[who], task)):
            changes = model.deletion(task)
            together = {pk: None if pk == task else task for pk in changes}
            self.settle(changes, trash=model.trash | together)

    def check_list(self, who: int, query: Wire) -> None:
        key = self.users[who], str(query)
        before = self.lists.get(key)
        headers = {"HTTP_IF_NONE_MATCH": before["ETag"]} if before else {}
        response = self.call(who, "get", "/tasks", query | {"limit": 100}, **headers)
        if response.status_code == 304:
            assert response["ETag"] == before["ETag"]
            response = before
        self.lists[key] = response
        body = response.json()
        assert body["items"] == self.model.listed(self.users[who], query)
        assert body["total"] == len(body["items"])

    @rule(who=members)
    def list_projects(self, who: int) -> None:
        user, known = self.users[who], self.model.projects
        response = self.call(who, "get", "/projects", {"archived": "all", "limit": 100})
        shown = {
            each["id"]: (ROLES[each["role"]], each["archivedAt"] is not None)
            for each in response.json()["items"]
        }
        assert shown == {
            pk: (self.model.role(user, pk), about.is_archived)
            for pk, about in known.items()
            if self.model.role(user, pk) and not about.is_trashed
        }


def agree(row: Wire, before: Wire, changed: Wire | None, *, is_moved: bool) -> None:
    """That a row is what it was, or has the changes that were made at once."""
    if changed is None:
        assert row == before
        return
    expected = before | changed | {"version": before["version"] + 1}
    free = {"updatedAt"} | ({"position"} if is_moved else set())
    if "status" in changed:
        free |= {"completedAt"}
        assert (row["completedAt"] is None) == (row["status"] != "DONE")
    assert {k: v for k, v in row.items() if k not in free} == {
        k: v for k, v in expected.items() if k not in free
    }
    assert row["updatedAt"] >= before["updatedAt"]
