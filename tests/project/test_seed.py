"""`manage.py seed` leaves what as many calls of the API would have left."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F, Max, Sum
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from tasks.fields import HISTORY_FIELDS, serialize_value
from tasks.management.commands import seed
from tasks.models import Status, Task, TaskChange

pytestmark = pytest.mark.django_db(transaction=True)
USERS, EACH = 2, 300


def catalogue() -> list[Any]:
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes UNION ALL "
            "SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) || "
            "convalidated FROM pg_constraint ORDER BY 1"
        )
        return cursor.fetchall()


@pytest.fixture(params=["kept", "built again"])
def indexes(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever happens to them meanwhile, they are as before."""
    if request.param == "built again":
        monkeypatch.setattr(seed, "MIN_TASKS_WITHOUT_INDEXES", 0)
    before = catalogue()
    yield
    assert catalogue() == before


@pytest.fixture
def seeded(indexes: None, capsys: pytest.CaptureFixture[str]) -> str:
    call_command("seed", users=USERS, tasks=EACH, force=True)
    return capsys.readouterr().out


def test_it_says_how_many(seeded: str) -> None:
    assert seeded.startswith("Created 3 users and 900 tasks in ")
    assert (User.objects.count(), Task.objects.count()) == (3, 900)


@pytest.mark.parametrize("email", ["bench@example.com", "user1@example.com"])
def test_everybody_signs_in_and_works(seeded: str, email: str) -> None:
    client = APIClient()
    body = {"email": email, "password": "pass1234!"}
    signed_in = client.post("/api/auth/login", body, format="json")
    assert signed_in.status_code == 200
    bearer = f"Bearer {signed_in.json()['accessToken']}"
    client.credentials(HTTP_AUTHORIZATION=bearer)
    page = client.get("/api/tasks?sort=-updatedAt&limit=5").json()
    trash = client.get("/api/tasks/trash").json()

    assert page["total"] + trash["total"] == EACH
    newest = f"/api/tasks/{page['items'][0]['id']}"
    patched = client.patch(newest, {"title": "Mine"}, format="json")
    assert patched.status_code == 200
    history = client.get(f"{newest}/history").json()["items"]
    assert len(history) == patched.json()["version"]


def test_every_version_has_its_change(seeded: str) -> None:
    assert TaskChange.objects.count() == Task.objects.aggregate(n=Sum("version"))["n"]
    latest = Task.objects.annotate(latest=Max("changes__version"))
    assert not latest.exclude(latest=F("version")).exists()


def test_changes_add_up_to_the_task(seeded: str) -> None:
    for task in Task.objects.prefetch_related("changes"):
        values: dict[str, Any] = dict.fromkeys(f.name for f in HISTORY_FIELDS.values())
        values["labels"] = []  # a new task has none, which is no change
        for change in sorted(task.changes.all(), key=lambda change: change.version):
            assert change.changed_by == task.user_id
            for field in change.fields:
                assert values[field["field"]] == field["from"]
                values[field["field"]] = field["to"]
        assert values == {
            field.name: serialize_value(name, getattr(task, name))
            for name, field in HISTORY_FIELDS.items()
        }


def test_revisions_count_the_writes_in_their_order(seeded: str) -> None:
    for user in User.objects.all():
        assert user.revision == TaskChange.objects.filter(task__user=user).count()
        in_time = user.tasks.order_by("updated_at").values_list("revision", flat=True)
        revisions = list(in_time)
        assert sorted(set(revisions)) == revisions
        assert revisions[-1] == user.revision


def test_nothing_is_of_the_future_but_what_is_due(seeded: str) -> None:
    now = timezone.now()
    for name in ("created_at", "updated_at", "completed_at", "deleted_at"):
        assert not Task.objects.filter(**{f"{name}__gt": now}).exists()
    assert Task.objects.filter(due_at__gt=now).exists()
    assert Task.objects.overdue(now).exists()


def test_there_is_some_of_everything(seeded: str) -> None:
    for status in Status:
        assert Task.objects.filter(status=status).count() > 100
    assert Task.objects.trashed().exists()
    assert Task.objects.filter(description=None).exists()
    assert Task.objects.values("title").distinct().count() > 890
    assert 0 < Task.objects.filter(title__icontains="invoice").count() < 50


def contents() -> list[Any]:
    return list(Task.objects.order_by("pk").values_list("pk", "title", "status"))


def test_same_seed_same_tasks(reset: Callable[[], None]) -> None:
    rows = []
    for number in (1, 1, 2):
        call_command("seed", users=1, tasks=10, force=True, seed=number)
        rows.append(contents())
        reset()

    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


@pytest.fixture
def reset() -> Callable[[], None]:
    def emptied() -> None:
        TaskChange.objects.all().delete()
        Task.objects.all().delete()
        User.objects.all().delete()

    return emptied


def test_refused_where_it_may_be_production() -> None:
    with pytest.raises(CommandError, match="--force"):
        call_command("seed")

    assert not User.objects.exists()


def test_debug_needs_no_force(settings: Any) -> None:
    settings.DEBUG = True
    call_command("seed", users=0, tasks=3)

    assert User.objects.get().tasks.count() == 3


def test_refused_when_somebody_is_there_already() -> None:
    User.objects.create_user("User1@Example.com", "x", name="First")
    with pytest.raises(CommandError, match=r"User1@Example\.com already exists"):
        call_command("seed", users=1, tasks=1, force=True)

    assert User.objects.count() == 1


@pytest.mark.parametrize("number", ["-1", "x", "1.5"])
def test_numbers_are_whole(number: str) -> None:
    with pytest.raises(CommandError, match="not a whole number"):
        call_command("seed", f"--users={number}", "--force")


def test_failure_leaves_everything_as_it_was(
    indexes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = seed.bulk.insert

    def broken(rows: Any) -> None:
        insert(rows)
        if isinstance(rows[0], TaskChange):
            raise OSError("no space left on device")

    monkeypatch.setattr(seed.bulk, "insert", broken)
    with pytest.raises(OSError, match="no space"):
        call_command("seed", users=1, tasks=1, force=True)

    assert not Task.objects.exists()
