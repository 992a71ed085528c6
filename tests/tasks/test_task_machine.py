"""Any sequence of calls by two users, with a failing cache, against a plain model."""

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from taskapi.http.redis import circuit_breaker
from tasks.filters import SORT_NAMES
from tasks.models import inbox_id
from tasks.queries import search
from tests.factories import api_of, make_user
from tests.tasks import model
from tests.tasks.cache_faults import MODES, CacheFaults
from tests.tasks.model import Wire
from tests.tasks.wire import error_of, walk

FIELDS = {
    "title": st.sampled_from(["alpha", "beta", "gamma"]),
    "description": st.sampled_from([None, "", "not BETA"]),
    "status": st.sampled_from(["TODO", "IN_PROGRESS", "DONE"]),
    "priority": st.sampled_from(list(model.RANKS)),
    "dueDate": st.sampled_from([None, model.PAST, model.FUTURE]),
}
wholes = st.fixed_dictionaries(FIELDS)
patches = st.fixed_dictionaries({}, optional=FIELDS)
news = patches.map(lambda values: {"title": "new"} | values)
# A person's n-th task, counted round; one in a while that nobody has.
picks = st.integers(-1, 7)
people = st.integers(0, 1)
versions = st.sampled_from([None, None, 0, -1])
queries = st.fixed_dictionaries(
    {"limit": st.sampled_from([1, 3, 100])},
    optional={
        "sort": st.sampled_from(SORT_NAMES),
        "status": st.sampled_from(["TODO", "IN_PROGRESS,DONE"]),
        "priority": st.sampled_from(["LOW", "MEDIUM,HIGH"]),
        "dueDate": st.just("none"),
        "overdue": st.sampled_from(["true", "false"]),
        "q": st.sampled_from(["bet", "A", "%"]),
    },
)
# A few again and again, so that answers are asked for after a change, and 304s come.
lists = st.sampled_from([{"limit": 100}, {"limit": 3, "sort": "title"}]) | queries
sorts = st.fixed_dictionaries({"sort": st.sampled_from(SORT_NAMES)}) | queries
operations = st.tuples(
    st.sampled_from(["create", "update", "delete"]), picks, patches, versions
)


class Person:
    def __init__(self, name: str) -> None:
        self.user = make_user(f"{name}-{uuid4().hex}")
        self.api = api_of(self.user)
        self.tasks: dict[str, Wire] = {}
        self.answered: dict[str, tuple[Wire, Any]] = {}
        self.lists: dict[str, Any] = {}

    def pick(self, number: int) -> str:
        known = list(self.tasks)
        return known[number % len(known)] if known and number >= 0 else str(uuid4())

    def live(self) -> list[Wire]:
        return [task for task in self.tasks.values() if not task["deletedAt"]]

    def keep(self, task: Wire, answer: Wire, **more: Any) -> None:
        """Take the model's task for true if the answer agrees with it."""
        expected = model.settled(task, answer)
        assert model.shown(expected) == answer
        self.tasks[answer["id"]] = expected | more


class TaskMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.people = [Person("alice"), Person("bob")]
        self.faults = CacheFaults()
        self.context = self.faults.installed()
        self.context.__enter__()

    def teardown(self) -> None:
        for person in self.people:
            self.check_list(person, {"limit": 100})
            trashed = self.call(person, "get", "/trash?limit=100").json()["items"]
            known = [task for task in person.tasks.values() if task["deletedAt"]]
            assert {t["id"]: t for t in trashed} == {t["id"]: t for t in known}
        self.context.__exit__(None, None, None)

    def call(
        self, person: Person, method: str, path: str = "", body: Any = None, **h: Any
    ) -> Any:
        # One failure should not keep the cache away for all the calls after it.
        circuit_breaker.close()
        send = getattr(person.api, method)
        if method == "get":
            return send(f"/api/tasks{path}", body, **h)
        return send(f"/api/tasks{path}", body, format="json", **h)

    @initialize(rows=st.lists(news, min_size=5, max_size=5))
    def begin_with_a_few_tasks(self, rows: list[Wire]) -> None:
        asked = [("create", 0, values, None) for values in rows]
        for who in range(len(self.people)):
            self.batch_of(self.people[who], asked)

    @rule(mode=st.sampled_from(MODES))
    def cache_turns(self, mode: str) -> None:
        self.faults.mode = mode

    @rule()
    def cache_loses_everything(self) -> None:
        self.faults.lose_everything()

    @rule(who=people, values=news)
    def create(self, who: int, values: Wire) -> None:
        self.make(self.people[who], values)

    def make(self, person: Person, values: Wire) -> None:
        response = self.call(person, "post", "", values)

        assert response.status_code == 201
        assert response["ETag"] == '"v1"'
        self.take_new(person, values, response.json())

    def take_new(self, person: Person, values: Wire, answer: Wire) -> None:
        assert answer["id"] not in person.tasks
        me = str(person.user.pk)
        own = {"id": answer["id"], "userId": me, "deletedAt": None}
        own |= {"createdById": me, "projectId": str(inbox_id(person.user.pk))}
        own["position"] = answer["position"]
        person.keep(model.created(values) | own, answer)

    @rule(who=people, values=news, key=st.sampled_from("ab"))
    def create_with_key(self, who: int, values: Wire, key: str) -> None:
        person = self.people[who]
        before, first = person.answered.get(key, (values, None))
        response = self.call(person, "post", "", values, HTTP_IDEMPOTENCY_KEY=key)

        if values != before:
            assert response.status_code == 422
        elif first:
            assert response["Idempotency-Replayed"] == "true"
            assert response.content == first.content
        else:
            assert response.status_code == 201
            person.answered[key] = (values, response)
            self.take_new(person, values, response.json())

    @rule(who=people, pick=picks, values=patches, version=versions)
    def patch(self, who: int, pick: int, values: Wire, version: int | None) -> None:
        self.write("patch", who, pick, values, version)

    @rule(who=people, pick=picks, values=wholes, version=st.sampled_from([0, 0, -1]))
    def put(self, who: int, pick: int, values: Wire, version: int) -> None:
        self.write("put", who, pick, values, version)

    @rule(who=people, pick=picks, version=versions)
    def delete(self, who: int, pick: int, version: int | None) -> None:
        self.write("delete", who, pick, None, version)

    def write(
        self, method: str, who: int, pick: int, values: Any, offset: int | None
    ) -> None:
        """A write with If-Match on a version that is `offset` from the current one."""
        person = self.people[who]
        pk = person.pick(pick)
        task = person.tasks.get(pk)
        version = (task or {"version": 1})["version"] + (offset or 0)
        headers = {} if offset is None else {"HTTP_IF_MATCH": f'"v{version}"'}
        body = None if method == "delete" else values
        response = self.call(person, method, f"/{pk}", body, **headers)

        if task is None or task["deletedAt"]:
            assert response.status_code == 404
        elif offset:
            assert response.status_code == 412
            assert error_of(response)["current"] == model.shown(task)
        elif method == "delete":
            assert response.status_code == 204
            self.take_deleted(person, model.changed(task, model.DELETED))
        else:
            assert response.status_code == 200
            person.keep(model.changed(task, values), response.json())

    def take_deleted(self, person: Person, task: Wire) -> None:
        [trashed] = [
            item
            for item in self.call(person, "get", "/trash?limit=100").json()["items"]
            if item["id"] == task["id"]
        ]
        assert trashed == model.settled(task, trashed)
        person.tasks[task["id"]] = trashed

    @rule(who=people, pick=picks)
    def restore(self, who: int, pick: int) -> None:
        person = self.people[who]
        pk = person.pick(pick)
        task = person.tasks.get(pk)
        response = self.call(person, "post", f"/{pk}/restore")

        if task is None or not task["deletedAt"]:
            assert response.status_code == 404
        else:
            assert response.status_code == 200
            person.keep(model.changed(task, {"deletedAt": None}), response.json())

    @rule(who=people, pick=picks)
    def destroy(self, who: int, pick: int) -> None:
        person = self.people[who]
        pk = person.pick(pick)
        task = person.tasks.get(pk)
        response = self.call(person, "delete", f"/trash/{pk}")

        if task is None or not task["deletedAt"]:
            assert response.status_code == 404
        else:
            assert response.status_code == 204
            del person.tasks[pk]

    @rule(who=people, asked=st.lists(operations, min_size=1, max_size=5))
    def batch(self, who: int, asked: list[Any]) -> None:
        self.batch_of(self.people[who], asked)

    def batch_of(self, person: Person, asked: list[Any]) -> None:
        body = [self.operation(person, *each) for each in asked]
        after, failure = model.batch(person.tasks, body)
        response = self.call(person, "post", "/batch", {"operations": body})

        if failure:
            index, status = failure
            assert response.status_code == status
            assert error_of(response)["index"] == index
            current = person.tasks.get(body[index].get("id"))
            if status == 412:
                assert error_of(response)["current"] == model.shown(current)
        else:
            assert response.status_code == 200
            self.take_batch(person, body, after, response.json()["results"])

    def operation(
        self, person: Person, op: str, pick: int, values: Wire, offset: int | None
    ) -> Wire:
        if op == "create":
            return {"op": op, "data": {"title": "new"} | values}
        pk = person.pick(pick)
        operation = {"op": op, "id": pk} | ({"data": values} if op == "update" else {})
        if offset is None:
            return operation
        version = person.tasks.get(pk, {"version": 1})["version"] + offset
        # There is no version 0: ask for one that is not there yet.
        return operation | {"version": version or 99}

    def take_batch(
        self, person: Person, body: list[Wire], after: dict[str, Wire], results: Any
    ) -> None:
        for operation, result in zip(body, results, strict=True):
            if operation["op"] == "create":
                self.take_new(person, operation["data"], result["task"])
            elif after[operation["id"]]["deletedAt"]:
                assert result == {k: operation[k] for k in ("op", "id")} | {
                    "task": None
                }
            else:
                assert result["task"]["id"] == operation["id"]
                person.keep(after[operation["id"]], result["task"])
        for task in after.values():
            if task["deletedAt"] == model.NOW:
                self.take_deleted(person, task)

    @rule(who=people, query=lists)
    def get_list(self, who: int, query: Wire) -> None:
        self.check_list(self.people[who], query)

    def check_list(self, person: Person, query: Wire) -> None:
        before = person.lists.get(str(query))
        headers = {"HTTP_IF_NONE_MATCH": before["ETag"]} if before else {}
        response = self.call(person, "get", "", query, **headers)
        if response.status_code == 304:
            assert response["ETag"] == before["ETag"]
            response = before
        person.lists[str(query)] = response

        expected = self.expected(person, query)
        body = response.json()
        assert body["items"] == [model.shown(t) for t in expected[: query["limit"]]]
        # A search whose page is full has not looked for all.
        assert body["totalIsExact"] or ("q" in query and body["nextCursor"])
        least = len(body["items"]) + (not body["totalIsExact"])
        assert least <= body["total"] <= len(expected)
        assert body["total"] == len(expected) or not body["totalIsExact"]
        assert (body["nextCursor"] is None) == (len(expected) <= query["limit"])

    def expected(self, person: Person, query: Wire) -> Any:
        found = [task for task in person.live() if model.matches(task, query)]
        return model.ordered(found, query.get("sort", "-createdAt"))

    @rule(who=people, query=sorts, writes=st.lists(operations, max_size=4))
    def walk_among_writes(self, who: int, query: Wire, writes: Any) -> None:
        person, touched = self.people[who], set()
        before = {task["id"] for task in self.expected(person, query)}
        pending = iter(writes)

        def meanwhile(seen: Any) -> None:
            for op, pick, values, _ in [w for w in [next(pending, None)] if w]:
                touched.add(person.pick(pick))
                self.write_meanwhile(op, who, pick, values)

        seen = walk(person.api, query | {"limit": 2}, between=meanwhile)
        assert len(seen) == len(set(seen))
        assert before - touched <= set(seen) <= set(person.tasks)
        if not writes:
            assert seen == [task["id"] for task in self.expected(person, query)]

    def write_meanwhile(self, op: str, who: int, pick: int, values: Wire) -> None:
        if op == "create":
            self.make(self.people[who], {"title": "new"} | values)
        else:
            method = "patch" if op == "update" else "delete"
            self.write(method, who, pick, values, None)

    @rule(who=people)
    def stats(self, who: int) -> None:
        person = self.people[who]
        body = self.call(person, "get", "/stats").json()
        assert body == model.stats(person.live())

    @rule(who=people, pick=picks)
    def retrieve_and_history(self, who: int, pick: int) -> None:
        person = self.people[who]
        pk = person.pick(pick)
        task = person.tasks.get(pk)
        response = self.call(person, "get", f"/{pk}")
        history = self.call(person, "get", f"/{pk}/history?limit=100")

        assert response.status_code == (200 if task and not task["deletedAt"] else 404)
        assert history.status_code == (200 if task else 404)
        if task and not task["deletedAt"]:
            assert response.json() == model.shown(task)
        if task:
            versions = [change["version"] for change in history.json()["items"]]
            assert versions == [*range(task["version"], 0, -1)]

    @rule(who=people, pick=picks, method=st.sampled_from(["get", "patch", "delete"]))
    def reach_for_the_other_persons_task(
        self, who: int, pick: int, method: str
    ) -> None:
        owner, stranger = self.people[who], self.people[1 - who]
        pk = owner.pick(pick)
        task = owner.tasks.get(pk)
        body = {"title": "mine"} if method == "patch" else None
        response = self.call(stranger, method, f"/{pk}", body)

        is_live = task and not task["deletedAt"]
        assert response.status_code == (403 if is_live else 404)


@pytest.mark.django_db
def test_api_agrees_with_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    # So that searches have to go on in the index.
    monkeypatch.setattr(search, "MIN_SCAN", 2)
    monkeypatch.setattr(search, "MAX_SCAN", 5)
    run_state_machine_as_test(
        TaskMachine,
        settings=settings(
            max_examples=settings.default.max_examples // 5,
            stateful_step_count=30,
            database=None,
        ),
    )
