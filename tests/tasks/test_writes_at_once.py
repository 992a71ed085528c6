"""Writes that wait for each other: what each leaves, and what lists show meanwhile."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from rest_framework.test import APIClient

from accounts.models import User
from taskapi.db import writes
from tasks.access import TaskNotFound
from tasks.models import IdempotencyRecord, Task, TaskChange
from tasks.operations import (
    Create,
    Import,
    Restore,
    Update,
    perform,
    perform_one,
    trees,
)
from tests.factories import make_task
from tests.locks import start_blocked
from tests.tasks.wire import author, error_of, trash

pytestmark = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite lets one write at a time"
)
T = TypeVar("T")
LIST = "/api/tasks"
AT_ONCE, ROUNDS, MOST_WRITES = 4, 10, 1000


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(AT_ONCE + 1) as threads:
        yield threads


def closing(work: Callable[[], T]) -> Callable[[], T]:
    """The same on a connection of its own."""

    def run() -> T:
        try:
            return work()
        finally:
            connection.close()

    return run


def revision_of(user: User) -> int:
    return User.objects.get(pk=user.pk).revision


def test_creations_at_once_count_one_by_one(
    alice: User, threads: ThreadPoolExecutor
) -> None:
    start = Barrier(AT_ONCE)

    def create() -> list[Task]:
        start.wait(30)
        return [
            perform_one(Create({"title": "A"}), author(alice)) for _ in range(ROUNDS)
        ]

    made = [threads.submit(closing(create)) for _ in range(AT_ONCE)]
    tasks = [task for each in made for task in each.result(30)]

    revisions = Task.objects.values_list("pk", "revision")
    assert {pk for pk, _ in revisions} == {task.pk for task in tasks}
    assert sorted(n for _, n in revisions) == list(range(1, AT_ONCE * ROUNDS + 1))
    assert revision_of(alice) == AT_ONCE * ROUNDS == TaskChange.objects.count()
    assert {task.pk: task.revision for task in tasks} == dict(revisions)


def test_tag_of_a_list_counts_what_the_list_shows(
    alice: User, alice_api: APIClient, threads: ThreadPoolExecutor
) -> None:
    enough = Event()

    def create() -> None:
        written = 0
        while not enough.is_set() and written < MOST_WRITES:
            # One task, then two in one statement that moves the revision once.
            creations = [Create({"title": "A"})] * (1 + written % 2)
            perform(creations, author(alice))
            written += 1

    writing, seen = threads.submit(closing(create)), set()
    while len(seen) < ROUNDS and not writing.done():
        response = alice_api.get(LIST)
        revision = int(response["ETag"].split("-")[1])
        # The page is read after the revision, so it may be newer, and never older.
        assert response.json()["total"] >= revision + revision // 2
        seen.add(revision)
    enough.set()
    writing.result(30)
    assert len(seen) == ROUNDS


@on_postgresql
def test_creation_waits_for_the_write_before_it(
    alice: User, threads: ThreadPoolExecutor
) -> None:
    create = Create({"title": "Second"})
    with transaction.atomic():
        first = make_task(alice, title="First")
        creating = start_blocked(threads, lambda: perform_one(create, author(alice)))

    assert (first.revision, creating.result(30).revision) == (1, 2)
    assert revision_of(alice) == 2


@on_postgresql
@pytest.mark.parametrize("number", [1, 2])
def test_update_builds_on_the_write_that_it_waited_for(
    alice: User, threads: ThreadPoolExecutor, number: int
) -> None:
    tasks = [make_task(alice) for _ in range(number)]
    described = [Update({"description": "New"}, task.pk) for task in tasks]
    with transaction.atomic():
        perform([Update({"title": "New"}, task.pk) for task in tasks], author(alice))
        writing = start_blocked(threads, lambda: perform(described, author(alice)))

    assert {(task.version, task.title) for task in writing.result(30)} == {(3, "New")}
    rows = Task.objects.values_list("version", "title", "description")
    assert list(rows) == [(3, "New", "New")] * number
    assert TaskChange.objects.count() == 3 * number


@on_postgresql
@pytest.mark.parametrize("number", [1, 2])
def test_restored_task_that_housekeeping_took_is_not_there(
    alice: User, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    tasks = [trash(make_task(alice)) for _ in range(number)]
    before, read = revision_of(alice), trees.fetch_tasks

    def read_and_purge(restores: Any) -> Any:
        found = read(restores)
        TaskChange.objects.filter(task=tasks[0]).delete()
        Task.objects.filter(pk=tasks[0].pk).delete()
        return found

    monkeypatch.setattr(trees, "fetch_tasks", read_and_purge)
    with pytest.raises(TaskNotFound):
        perform([Restore(id=task.pk) for task in tasks], author(alice))

    assert revision_of(alice) == before
    assert Task.objects.trashed().count() == number


@on_postgresql
@pytest.mark.parametrize("number", [1, 3])
def test_owner_who_goes_while_a_creation_waits_gets_no_task(
    alice: User, threads: ThreadPoolExecutor, number: int
) -> None:
    creations = [Create({"title": "A"})] * number
    with transaction.atomic():
        User.objects.get_for_update(alice.pk).delete()
        creating = start_blocked(threads, lambda: perform(creations, author(alice)))

    with pytest.raises(User.DoesNotExist):
        creating.result(30)
    assert not Task.objects.exists()
    assert not TaskChange.objects.exists()


@on_postgresql
def test_caller_who_goes_while_a_creation_waits_is_told(
    alice: User, alice_api: APIClient, threads: ThreadPoolExecutor
) -> None:
    def create() -> Any:
        return alice_api.post(LIST, {"title": "A"}, format="json")

    with transaction.atomic():
        User.objects.get_for_update(alice.pk).delete()
        creating = start_blocked(threads, create)

    response = creating.result(30)
    assert response.status_code == 401
    assert error_of(response)["message"] == "This account was deleted."


@on_postgresql
def test_list_read_in_the_middle_of_a_creation_is_the_one_before_it(
    alice: User, bob: User, alice_api: APIClient, threads: ThreadPoolExecutor
) -> None:
    def listed() -> Any:
        return alice_api.get(LIST)

    before, create = listed(), Create({"title": "A", "id": uuid4()})
    with transaction.atomic():
        # The other waits for this id when it has moved the revision already.
        perform_one(create, author(bob))
        creating = start_blocked(threads, lambda: perform_one(create, author(alice)))
        meanwhile = threads.submit(closing(listed)).result(30)
        transaction.set_rollback(True)
    created = creating.result(30)

    assert (meanwhile["ETag"], meanwhile.content) == (before["ETag"], before.content)
    after = listed()
    assert after["ETag"] != before["ETag"]
    assert [item["id"] for item in after.json()["items"]] == [str(created.pk)]


@pytest.mark.parametrize("broken", [{"version": -1}, {"changed_at": None}])
def test_creation_that_breaks_a_rule_writes_nothing(
    alice: User, monkeypatch: pytest.MonkeyPatch, broken: dict[str, Any]
) -> None:
    whole = Task.creation

    def half(task: Task) -> TaskChange:
        change = whole(task)
        vars(change).update(broken)
        return change

    monkeypatch.setattr(Task, "creation", half)
    with pytest.raises(IntegrityError):
        make_task(alice)

    assert not Task.objects.exists()
    assert revision_of(alice) == 0


def test_creation_with_a_key_that_breaks_a_rule_leaves_neither(
    alice: User, alice_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create() -> Any:
        key = {"HTTP_IDEMPOTENCY_KEY": "k"}
        return alice_api.post(LIST, {"title": "A"}, format="json", **key)

    alice_api.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(Task, "creation", lambda task: TaskChange(task=task, fields=[1]))
        assert create().status_code == 500

    assert not Task.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    assert revision_of(alice) == 0
    mended = create()
    assert mended.status_code == 201
    assert "Idempotency-Replayed" not in mended


def test_title_that_the_database_refuses_moves_nothing(alice: User) -> None:
    with pytest.raises(IntegrityError):
        perform([Create({"title": "A"}), Create({"title": ""})], author(alice))

    assert not Task.objects.exists()
    assert not TaskChange.objects.exists()
    assert revision_of(alice) == 0


def test_what_only_the_commit_refuses_is_an_error(alice: User) -> None:
    orphan = make_task(alice).creation()
    orphan.task_id = uuid4()
    with pytest.raises(IntegrityError):
        writes.execute({"changes": writes.insert_sql([orphan])})

    assert TaskChange.objects.count() == 1


def test_task_that_is_made_and_changed_by_one_list_is_written_once(
    alice: User,
) -> None:
    pk = uuid4()
    first, second = (
        Import({"title": "A"}, pk),
        Import({"title": "B"}, pk, overwrite=True),
    )
    perform([first, second], author(alice))

    task = Task.objects.get()
    assert (task.pk, task.title, task.version) == (pk, "B", 2)
    assert [change.version for change in task.changes.order_by("version")] == [1, 2]
