"""Exports use a bounded amount of memory, and there is a bounded number of them."""

import gc
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts import personal_data
from accounts.models import User
from taskapi.api.streams import PIECE_CHARACTERS, Pieces, TooManyStreams, streams
from taskapi.db.pages import MAX_PAGE_BYTES, in_pages, octets, split
from tasks.exports.formats import FORMATS
from tasks.exports.snapshot import Snapshot
from tasks.models import IdempotencyRecord, Task, TaskChange
from tasks.views.export import shown
from tests.factories import api_of, make_task, make_user, space
from tests.tasks.wire import at

EXPORTS = {
    "tasks": "/api/tasks/export?format=jsonl",
    "table": "/api/tasks/export?format=csv",
    "calendar": "/api/tasks/export?format=ics",
    "account": "/api/auth/me/export",
}
NOW = at("2026-06-15T12:00:00")
TEXT = "\N{CYRILLIC SMALL LETTER ZHE}" * 5000  # 10,000 bytes, of 2 in memory
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def _no_streams() -> None:
    """None that an earlier test left."""
    gc.collect()
    assert not streams.running


def fill(alice: User, tasks: int, changes: int) -> None:
    made = [
        Task(
            **space(alice), title="x", description=TEXT, created_at=NOW, updated_at=NOW
        )
        for _ in range(tasks)
    ]
    Task.objects.bulk_create(made)
    entry = {"field": "description", "from": TEXT, "to": TEXT}
    for version in range(1, changes + 1):
        TaskChange.objects.bulk_create(
            TaskChange(task=task, version=version, changed_at=NOW, fields=[entry])
            for task in made[:10]
        )


def close(response: Any) -> None:
    """As a server, without the end of the test's connection."""
    request_finished.disconnect(close_old_connections)
    response.close()
    request_finished.connect(close_old_connections)


def peak_of(pieces: Iterable[str]) -> tuple[int, int]:
    """The most memory that was in use while they were read, and how much was read."""
    tracemalloc.start()
    try:
        size = sum(len(piece.encode()) for piece in pieces)
        return tracemalloc.get_traced_memory()[1], size
    finally:
        tracemalloc.stop()


def text_of(kind: str, user: User) -> Iterable[str]:
    """What the response sends; the tests of the contract keep whole responses."""
    if kind == "account":
        return personal_data.stream(user)
    tasks = Task.objects.filter(user=user).live()
    return FORMATS[kind].write(shown(Snapshot(tasks)))


@pytest.mark.parametrize("kind", ["account", *FORMATS])
def test_memory_is_bounded_by_bytes(alice: User, kind: str) -> None:
    fill(alice, tasks=400, changes=10)
    next(iter(text_of(kind, alice)))  # fills caches

    peak, size = peak_of(Pieces(alice.pk, lambda: text_of(kind, alice)))

    assert size > 3.5 * MIB
    assert peak < 1.5 * MIB


def test_memory_is_bounded_while_changes_are_reverted(alice: User) -> None:
    fill(alice, tasks=1, changes=0)
    texts = text_of("jsonl", alice)
    entry = {"field": "description", "from": TEXT, "to": TEXT}
    TaskChange.objects.bulk_create(
        TaskChange(task=Task.objects.get(), version=n, changed_at=NOW, fields=[entry])
        for n in range(1, 200)
    )
    Task.objects.update(version=199)

    assert peak_of(texts)[0] < 1.5 * MIB


def test_long_history_of_one_task_is_exported_whole(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.personal_data.MAX_CHANGES", 7)
    tasks = [make_task(alice), make_task(alice), make_task(alice)]
    for task in tasks[1:]:
        TaskChange.objects.bulk_create(
            TaskChange(task=task, version=n, changed_at=NOW, fields=[])
            for n in range(2, 20)
        )

    history = b"".join(alice_api.get(EXPORTS["account"])).count(b'"taskId"')

    assert history == TaskChange.objects.count() == 39


def test_pages_hold_so_many_bytes_or_one_row() -> None:
    sizes = [MAX_PAGE_BYTES - 1, 1, 1, 2 * MAX_PAGE_BYTES, 5]

    assert list(split(enumerate(sizes))) == [[0, 1], [2], [3], [4]]


@pytest.mark.parametrize("key", ["pk", "title", "-title"])
def test_pages_have_every_row_in_order(alice: User, key: str) -> None:
    for number in range(7):
        make_task(alice, title=str(number))
    rows = Task.objects.filter(user=alice)

    pages = list(in_pages(rows, octets("title"), key=key, max_rows=3))

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [row for page in pages for row in page] == list(rows.order_by(key))


def test_size_is_that_of_the_text_in_utf_8(alice: User) -> None:
    make_task(alice, title="\N{PILE OF POO}é", description=None)
    IdempotencyRecord.objects.create(
        user=alice,
        key="k",
        fingerprint="",
        status=0,
        headers={},
        body="€",
        created_at=NOW,
    )

    sizes = [
        Task.objects.values_list(Task.TEXT_OCTETS),
        IdempotencyRecord.objects.values_list(IdempotencyRecord.OCTETS),
    ]

    assert [list(each) for each in sizes] == [[(6,)], [(3,)]]


def test_small_tasks_are_read_many_at_a_time(alice_api: APIClient, alice: User) -> None:
    Task.objects.bulk_create(
        Task(**space(alice), title=str(n), created_at=NOW, updated_at=NOW)
        for n in range(1500)
    )
    response = alice_api.get(EXPORTS["tasks"])

    with CaptureQueriesContext(connection) as queries:
        assert b"".join(response).count(b"\n") == 1500

    assert len(queries) <= 6


def test_pieces_are_neither_small_nor_large() -> None:
    pieces = list(Pieces(1, lambda: ["x" * 1000] * 100))

    assert [len(piece) for piece in pieces] == [33_000, 33_000, 33_000, 1000]
    assert PIECE_CHARACTERS < 33_000


@pytest.mark.parametrize("path", EXPORTS.values(), ids=EXPORTS)
def test_user_has_so_many_exports_at_once(
    alice_api: APIClient, bob_api: APIClient, settings: Any, path: str
) -> None:
    settings.MAX_STREAMS_PER_USER = 2
    running = [alice_api.get(path) for _ in range(2)]

    refused = alice_api.get(EXPORTS["account"])

    assert refused.status_code == 429
    assert refused.json()["error"] == {
        "code": "RATE_LIMITED",
        "message": "Too many exports are running; read them to their end first.",
    }
    assert refused["Retry-After"] == "5"
    assert bob_api.get(path).status_code == 200
    b"".join(running[0])
    assert alice_api.get(path).status_code == 200


def test_worker_sends_so_many_exports_at_once(
    alice_api: APIClient, bob_api: APIClient, settings: Any
) -> None:
    settings.MAX_STREAMS = 3
    running = [alice_api.get(EXPORTS["tasks"]) for _ in range(3)]

    assert bob_api.get(EXPORTS["tasks"]).status_code == 429
    close(running[0])
    assert bob_api.get(EXPORTS["tasks"]).status_code == 200


def test_export_of_the_admin_counts_too(alice: User, settings: Any) -> None:
    settings.MAX_STREAMS = 1
    with pytest.raises(TooManyStreams):
        _held = [Pieces(n, lambda: ["x"]) for n in range(2)]


def test_stream_that_is_dropped_while_others_are_counted_stops_nobody() -> None:
    """The garbage collector runs whenever it likes, also while the lock is held."""
    dropped = Pieces(1, lambda: ["x"])
    is_done = threading.Event()

    def collect() -> None:
        nonlocal dropped
        with streams.lock:
            del dropped
        is_done.set()

    threading.Thread(target=collect, daemon=True).start()

    assert is_done.wait(10)
    assert not streams.running


def broken() -> Any:
    raise ZeroDivisionError


def breaks_later() -> Iterator[str]:
    yield "x"
    raise ZeroDivisionError


@pytest.mark.parametrize("start", [broken, breaks_later])
def test_export_that_fails_is_not_counted(start: Callable[[], Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        list(Pieces(1, start))

    assert not streams.running


def test_proxies_are_told_not_to_store_exports(
    alice_api: APIClient, alice: User
) -> None:
    headers = [alice_api.get(path)["X-Accel-Buffering"] for path in EXPORTS.values()]

    assert headers == ["no"] * len(EXPORTS)


def test_refused_filter_is_not_counted(settings: Any, db: None) -> None:
    settings.MAX_STREAMS_PER_USER = 1
    client = api_of(make_user("carol"))
    for _ in range(2):
        assert client.get(f"{EXPORTS['tasks']}&sort=nothing").status_code == 400

    assert client.get(EXPORTS["tasks"]).status_code == 200
