import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.auth import authentication
from accounts.models import User
from taskapi.http.redis import RedisClient
from tasks.models import Priority, Status, Task
from tasks.operations import ActorContext, Create, Delete, Update, perform, perform_one
from tasks.queries.list import CompiledTaskList
from tests.factories import make_task, make_user
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, author, details_of, ids, make_tasks, titles, trash

LIST = "/api/tasks"
READ = CompiledTaskList.rows


def pages_read(api: APIClient, path: str = LIST) -> int:
    with patch.object(
        CompiledTaskList, "rows", autospec=True, side_effect=READ
    ) as read:
        assert api.get(path).status_code == 200
    return int(read.call_count)


@pytest.mark.parametrize("query", ["", "?limit=1", "?q=plants&sort=title", "?page=9"])
def test_second_answer_reads_no_page(
    alice_api: APIClient, task: Task, query: str
) -> None:
    assert pages_read(alice_api, LIST + query) == 1
    assert pages_read(alice_api, LIST + query) == 0


def test_cached_answer_is_the_same_answer(alice_api: APIClient, task: Task) -> None:
    first, second = alice_api.get(LIST), alice_api.get(LIST)

    assert second.content == first.content
    names = ["ETag", "Cache-Control", "Vary", "Content-Type"]
    assert [second[n] for n in names] == [first[n] for n in names]
    assert first["Cache-Control"] == "private, no-cache"
    assert "Authorization" in first["Vary"].split(", ")
    assert first["ETag"].startswith('W/"')


def test_pages_by_cursor_are_cached_too(alice_api: APIClient, alice: User) -> None:
    make_tasks(alice, [{}] * 3)
    cursor = alice_api.get(f"{LIST}?limit=1").json()["nextCursor"]
    path = f"{LIST}?limit=1&cursor={cursor}"

    assert pages_read(alice_api, path) == 1
    assert pages_read(alice_api, path) == 0


def json(api: APIClient, method: str, path: str, body: Any, **headers: str) -> Any:
    send = getattr(api, method)
    return send(path, body, format="json", **headers)


def batch(api: APIClient, operation: dict[str, Any]) -> Any:
    return json(api, "post", f"{LIST}/batch", {"operations": [operation]})


def by_admin(operation: Any) -> Callable[[APIClient, Task, Task], None]:
    def write(api: APIClient, live: Task, trashed: Task) -> None:
        admin = make_user("admin", role="ADMIN")
        by = ActorContext(live.user_id, admin.pk, "admin", author(live.user).now)
        perform([operation(live)], by)

    return write


PUT = {
    "title": "Put",
    "description": None,
    "status": "DONE",
    "priority": "LOW",
    "dueDate": None,
}
# Every route by which the list can change.
WRITES: dict[str, Callable[[APIClient, Task, Task], Any]] = {
    "create": lambda api, live, gone: json(api, "post", LIST, {"title": "B"}),
    "patch": lambda api, live, gone: json(
        api, "patch", f"{LIST}/{live.pk}", {"title": "B"}
    ),
    "put": lambda api, live, gone: json(
        api, "put", f"{LIST}/{live.pk}", PUT, HTTP_IF_MATCH="*"
    ),
    "delete": lambda api, live, gone: api.delete(f"{LIST}/{live.pk}"),
    "restore": lambda api, live, gone: api.post(f"{LIST}/{gone.pk}/restore"),
    "batch create": lambda api, live, gone: batch(
        api, {"op": "create", "data": {"title": "B"}}
    ),
    "batch update": lambda api, live, gone: batch(
        api, {"op": "update", "id": str(live.pk), "data": {"priority": "LOW"}}
    ),
    "batch delete": lambda api, live, gone: batch(
        api, {"op": "delete", "id": str(live.pk)}
    ),
    "create with key": lambda api, live, gone: json(
        api, "post", LIST, {"title": "B"}, HTTP_IDEMPOTENCY_KEY="k"
    ),
    "admin create": by_admin(lambda live: Create({"title": "B"})),
    "admin update": by_admin(lambda live: Update({"title": "B"}, live.pk)),
    "admin delete": by_admin(lambda live: Delete(id=live.pk)),
}


@pytest.mark.parametrize("name", WRITES)
def test_every_write_changes_tag_and_list(
    alice_api: APIClient, alice: User, name: str
) -> None:
    live, trashed = make_task(alice), trash(make_task(alice, title="Gone"))
    before = alice_api.get(LIST)
    WRITES[name](alice_api, live, trashed)
    known = {"HTTP_IF_NONE_MATCH": before["ETag"]}
    after = alice_api.get(LIST, **known)

    assert after.status_code == 200
    assert after["ETag"] != before["ETag"]
    assert after.json()["items"] != before.json()["items"]
    shown = {item["id"] for item in after.json()["items"]}
    assert shown == {str(task.pk) for task in Task.objects.live()}


def test_destroyed_task_moves_the_tag_too(alice_api: APIClient, alice: User) -> None:
    trashed = trash(make_task(alice))
    before = alice_api.get(LIST)["ETag"]
    alice_api.delete(f"{LIST}/trash/{trashed.pk}")

    assert alice_api.get(LIST)["ETag"] != before


@pytest.mark.parametrize("other", ["?limit=2", "?limit=1&page=2", "?sort=title"])
def test_answer_to_another_query_is_never_served(
    alice_api: APIClient, alice: User, other: str
) -> None:
    for title in ("first", "second"):
        make_task(alice, title=title)
    first = alice_api.get(f"{LIST}?limit=1")
    known = {"HTTP_IF_NONE_MATCH": first["ETag"]}
    response = alice_api.get(LIST + other, **known)

    assert response.status_code == 200
    assert response["ETag"] != first["ETag"]
    assert response.content != first.content


def test_answer_to_another_user_is_never_served(
    alice: User, bob: User, alice_api: APIClient, bob_api: APIClient
) -> None:
    make_task(alice, title="Of alice")
    make_task(bob, title="Of bob")
    of_alice = alice_api.get(LIST)
    alice.refresh_from_db()
    bob.refresh_from_db()
    assert alice.revision == bob.revision

    known = {"HTTP_IF_NONE_MATCH": of_alice["ETag"]}
    response = bob_api.get(LIST, **known)
    # One URL, two representations: a shared tag would let a cache mix them up.
    assert response.status_code == 200
    assert titles(response) == ["Of bob"]
    assert titles(bob_api.get(LIST)) == ["Of bob"]
    assert titles(alice_api.get(LIST)) == ["Of alice"]


def test_write_of_somebody_else_leaves_the_cache_alone(
    alice_api: APIClient, task: Task, bob_api: APIClient
) -> None:
    tag = alice_api.get(LIST)["ETag"]
    assert json(bob_api, "post", LIST, {"title": "Of bob"}).status_code == 201

    assert not any("tasks_task" in sql for sql in statements(alice_api, LIST))
    assert pages_read(alice_api) == 0
    assert alice_api.get(LIST)["ETag"] == tag


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("form", ["{}", '"x", {}', "*"])
@pytest.mark.parametrize("weak", [True, False])
def test_unchanged_list_is_not_sent_again(
    alice_api: APIClient, task: Task, form: str, weak: bool
) -> None:
    tag = alice_api.get(LIST)["ETag"]
    known = form.format(tag if weak else tag.removeprefix("W/"))
    with CaptureQueriesContext(connection) as queries:
        response = alice_api.get(LIST, HTTP_IF_NONE_MATCH=known)

    assert response.status_code == 304
    assert response.content == b""
    assert response["ETag"] == tag
    assert response["Cache-Control"] == "private, no-cache"
    assert "Authorization" in response["Vary"].split(", ")
    assert response["X-Request-Id"]
    assert "Content-Type" not in response
    assert len(queries) == 1  # the caller


def test_malformed_if_none_match_is_refused(alice_api: APIClient) -> None:
    response = alice_api.get(LIST, HTTP_IF_NONE_MATCH="x")

    assert details_of(response) == [("If-None-Match", "invalid")]


def test_refusal_is_not_cached_over(alice_api: APIClient, task: Task) -> None:
    for _ in range(2):
        assert alice_api.get(f"{LIST}?limit=101").status_code == 400


def test_write_that_rolls_back_moves_nothing(
    alice_api: APIClient, alice: User, task: Task
) -> None:
    before = alice_api.get(LIST)
    with transaction.atomic():
        perform_one(Create({"title": "Never"}), author(alice))
        transaction.set_rollback(True)

    assert pages_read(alice_api) == 0
    after = alice_api.get(LIST)
    assert (after["ETag"], after.content) == (before["ETag"], before.content)


def test_write_that_fails_half_way_moves_nothing(
    alice_api: APIClient, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Task.apply

    def broken(task: Task, *args: Any, **kwargs: Any) -> Any:
        change: Any = whole(task, *args, **kwargs)
        change.version = -1
        return change

    before = alice_api.get(LIST)
    monkeypatch.setattr(Task, "apply", broken)
    alice_api.raise_request_exception = False
    response = json(alice_api, "patch", f"{LIST}/{task.pk}", {"title": "B"})
    assert response.status_code == 500

    after = alice_api.get(LIST)
    assert (after["ETag"], after.content) == (before["ETag"], before.content)


@pytest.mark.parametrize("wrote_first", [True, False])
def test_list_read_while_a_write_commits_is_not_remembered_as_the_new_one(
    alice_api: APIClient,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    wrote_first: bool,
) -> None:
    """A write between the session and the page: the page is newer than its tag."""
    make_task(alice, title="old")
    alice_api.get(LIST)
    read = authentication.get_principal

    def write_and_read(*args: Any) -> Any:
        monkeypatch.undo()
        if wrote_first:
            make_task(alice, title="new")
        principal = read(*args)
        if not wrote_first:
            make_task(alice, title="new")
        return principal

    monkeypatch.setattr(authentication, "get_principal", write_and_read)
    cache.clear()
    first = alice_api.get(LIST)
    second = alice_api.get(LIST, HTTP_IF_NONE_MATCH=first["ETag"])

    assert set(titles(first)) == {"old", "new"}
    assert second.status_code == (304 if wrote_first else 200)
    assert set(titles(second if not wrote_first else first)) == {"old", "new"}
    assert set(titles(alice_api.get(LIST))) == {"old", "new"}


def test_cached_page_is_served_for_the_revision_that_was_read(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write after the session was read does not turn the old page into a new one."""
    make_task(alice, title="old")
    alice_api.get(LIST)
    read = authentication.get_principal

    def read_and_write(*args: Any) -> Any:
        monkeypatch.undo()
        principal = read(*args)
        make_task(alice, title="new")
        return principal

    monkeypatch.setattr(authentication, "get_principal", read_and_write)
    first = alice_api.get(LIST)
    second = alice_api.get(LIST, HTTP_IF_NONE_MATCH=first["ETag"])

    assert titles(first) == ["old"]
    assert second.status_code == 200
    assert set(titles(second)) == {"old", "new"}


def statements(api: APIClient, url: str, **headers: str) -> list[str]:
    """What a request asks of tasks and sessions."""
    with CaptureQueriesContext(connection) as queries:
        api.get(url, **headers)  # type: ignore[arg-type]
    return [query["sql"] for query in queries.captured_queries]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("query", ["", "?limit=1&status=TODO", "?q=plants&sort=title"])
def test_page_that_the_cache_has_is_not_read(
    alice_api: APIClient, alice: User, task: Task, query: str
) -> None:
    fresh = statements(alice_api, LIST + query)
    kept = statements(alice_api, LIST + query)
    make_task(alice, title="Water the other plants")
    stale = statements(alice_api, LIST + query)

    assert ["tasks_task" in sql for sql in kept] == [False]
    for read in (fresh, stale):
        asked = ["tasks_task" in sql for sql in read]
        assert asked in ([False, True], [False, True, True])  # page, and perhaps count


@pytest.mark.usefixtures("clock")
def test_page_that_the_client_has_is_not_read(alice_api: APIClient, task: Task) -> None:
    tag = alice_api.get(LIST)["ETag"]
    cache.clear()

    [asked] = statements(alice_api, LIST, HTTP_IF_NONE_MATCH=tag)

    assert "tasks_task" not in asked


@pytest.mark.usefixtures("clock")
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs EXPLAIN ANALYZE")
def test_search_that_is_near_asks_no_index_of_texts(
    alice_api: APIClient, task: Task
) -> None:
    _, asked = statements(alice_api, f"{LIST}?q=plants&sort=title")
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS FALSE, TIMING FALSE) {asked}")
        lines = [line for (line,) in cursor.fetchall() if " on tasks_task" in line]

    assert {"never executed" in line for line in lines} == {True, False}


@pytest.fixture
def _redis_away(monkeypatch: pytest.MonkeyPatch) -> None:
    if not settings.REDIS_URL:
        pytest.skip("no Redis to be away")

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise redis.ConnectionError("refused")

    monkeypatch.setattr(RedisClient, "execute_command", refuse)


@pytest.mark.usefixtures("_redis_away")
def test_without_redis_lists_are_answered_and_current(
    alice_api: APIClient, task: Task
) -> None:
    first = alice_api.get(LIST)
    again = alice_api.get(LIST, HTTP_IF_NONE_MATCH=first["ETag"])
    json(alice_api, "patch", f"{LIST}/{task.pk}", {"title": "B"})
    changed = alice_api.get(LIST, HTTP_IF_NONE_MATCH=first["ETag"])

    assert titles(first) == ["Water the plants"]
    assert again.status_code == 304
    assert titles(changed) == ["B"]


@pytest.mark.usefixtures("_redis_away")
def test_without_redis_every_answer_comes_from_the_database(
    alice_api: APIClient, task: Task
) -> None:
    assert pages_read(alice_api) == pages_read(alice_api) == 1


def test_answers_before_an_outage_do_not_come_back_after_it(
    alice_api: APIClient, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = alice_api.get(LIST)
    with monkeypatch.context() as patched:
        patched.setattr(cache, "get", lambda key: None)
        patched.setattr(cache, "set", lambda *args: None)
        json(alice_api, "patch", f"{LIST}/{task.pk}", {"title": "B"})
    fresh = alice_api.get(LIST, HTTP_IF_NONE_MATCH=stale["ETag"])

    assert titles(fresh) == ["B"]


@pytest.mark.parametrize("name", ["today", "week"])
def test_what_is_due_on_a_day_is_never_cached(
    alice_api: APIClient, alice: User, clock: Clock, name: str
) -> None:
    clock.time = at("2026-06-15T23:59:00")
    days = 1 if name == "today" else 7
    task = make_task(alice, due_at=at("2026-06-15T00:00:00") + timedelta(days=days))
    path = f"{LIST}?due={name}"
    first = alice_api.get(path)
    clock.advance(minutes=2)
    second = alice_api.get(path, HTTP_IF_NONE_MATCH=first["ETag"])

    assert (ids(first), ids(second)) == ([], [str(task.pk)])


def test_overdue_tasks_are_never_cached(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    make_task(alice, due_at=clock.time)
    path = f"{LIST}?overdue=true"
    before = alice_api.get(path)
    clock.advance(seconds=1)
    after = alice_api.get(path, HTTP_IF_NONE_MATCH=before["ETag"])

    assert titles(before) == []
    assert titles(after) == ["Water the plants"]


def test_overdue_list_is_vouched_for_by_its_content(
    alice_api: APIClient, alice: User, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tasks(alice, [{"due_at": clock.time}] * 3)
    clock.advance(seconds=1)
    path = f"{LIST}?overdue=true&limit=2"
    before = alice_api.get(path)
    clock.advance(minutes=5)
    # Signatures take the time from here.
    monkeypatch.setattr("django.core.signing.time.time", clock.time.timestamp)
    after = alice_api.get(path, HTTP_IF_NONE_MATCH=before["ETag"])

    assert len(ids(before)) == 2
    assert before.json()["nextCursor"]
    assert after.status_code == 304


def test_cached_list_keeps_every_character(alice_api: APIClient, alice: User) -> None:
    title = '\u2028 <b>"ä" 🚀 \x1b'
    make_task(alice, title=title, status=Status.DONE, priority=Priority.LOW)

    for _ in range(2):
        assert titles(alice_api.get(LIST)) == [title]


def test_tag_of_another_spelling_is_another_tag(
    alice_api: APIClient, task: Task
) -> None:
    first = alice_api.get(LIST)
    cache.clear()
    spelt = re.sub(r"-(\d+)-", r"-0\1-", first["ETag"])
    again = alice_api.get(LIST, HTTP_IF_NONE_MATCH=spelt)

    assert spelt != first["ETag"]
    assert (again.status_code, again.content) == (200, first.content)
