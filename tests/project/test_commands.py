import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session as AdminSession
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import (
    BlacklistedToken,
    OutstandingToken,
)

from accounts.auth.jwt import AccessToken, RefreshToken
from accounts.models import RevocationReason, Role, Session, User
from taskapi.db import clock
from taskapi.management.commands import housekeeping
from tasks.models import IdempotencyRecord, Task, TaskChange, TaskQuerySet
from tasks.operations import ActorContext, Delete, Restore, perform_one
from tasks.operations.purge import purge_batch
from tests.factories import PASSWORD, make_session, make_task, make_user
from tests.locks import start_blocked

pytestmark = pytest.mark.django_db

NOW = timezone.now()
DAY = timedelta(days=1)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command and return what it printed."""

    def called(*arguments: Any, **options: Any) -> str:
        call_command(*arguments, **options)
        return "\n".join(
            line for line in capsys.readouterr().out.splitlines() if line[:1] != "{"
        )

    return called


Run = Callable[..., str]


def log_in(email: str, password: str) -> Any:
    body = {"email": email, "password": password}
    return APIClient().post("/api/auth/login", body, format="json")


def statuses(session: Session) -> tuple[int, int]:
    """What the session's access and refresh token are answered."""
    client = APIClient()
    bearer = f"Bearer {AccessToken.for_session(session)}"
    body = {"refreshToken": RefreshToken.for_session(session)}
    me = client.get("/api/auth/me", HTTP_AUTHORIZATION=bearer)
    renewed = client.post("/api/auth/refresh", body, format="json")
    return me.status_code, renewed.status_code


# demo


def test_demo_prints_a_login_that_works(run: Run) -> None:
    email, password = run("demo").split()
    response = log_in(email, password)

    assert response.status_code == 200
    assert response.json()["user"]["role"] == "ADMIN"
    bearer = f"Bearer {response.json()['accessToken']}"
    tasks = APIClient().get("/api/tasks", HTTP_AUTHORIZATION=bearer).json()
    assert tasks["total"] == 5
    assert TaskChange.objects.count() == 5


def test_demo_has_another_password_each_time(run: Run) -> None:
    first = run("demo")
    User.objects.all().delete()

    assert run("demo") != first


def test_second_demo_is_refused_in_a_sentence(run: Run) -> None:
    run("demo")
    with pytest.raises(CommandError, match=r"demo@example\.com already exists"):
        run("demo")

    assert Task.objects.count() == 5


# revoke_sessions and set_role


def test_sessions_are_revoked(run: Run, alice: User, bob: User) -> None:
    session, other, foreign = (make_session(u) for u in (alice, alice, bob))
    printed = run("revoke_sessions", "ALICE@example.com")

    assert printed == "alice@example.com: ended 2 session(s)."
    assert statuses(session) == statuses(other) == (401, 401)
    assert statuses(foreign) == (200, 200)
    reasons = alice.sessions.values_list("end_reason", flat=True)
    assert set(reasons) == {RevocationReason.REVOKED}


def test_revoking_again_ends_none(run: Run, alice: User) -> None:
    make_session(alice)
    run("revoke_sessions", alice.email)
    printed = run("revoke_sessions", alice.email)

    assert printed == "alice@example.com: ended 0 session(s)."


def test_sessions_of_the_admin_are_counted_as_well(
    run: Run, alice: User, client: Client
) -> None:
    alice.role = Role.ADMIN
    alice.save()
    alice.refresh_from_db()
    client.force_login(alice)
    Client().force_login(make_user("root", role=Role.ADMIN))

    printed = run("revoke_sessions", alice.email)
    assert printed == "alice@example.com: ended 0 session(s) and 1 of the admin."
    assert client.get("/admin/").status_code == 302
    assert run("revoke_sessions", alice.email).endswith("ended 0 session(s).")


def test_new_role_ends_the_sessions(run: Run, alice: User) -> None:
    session = make_session(alice)
    printed = run("set_role", alice.email, "ADMIN")

    assert printed == "alice@example.com now has the role ADMIN."
    alice.refresh_from_db()
    assert alice.role == Role.ADMIN
    assert statuses(session) == (401, 401)


def test_same_role_keeps_the_sessions(run: Run, alice: User) -> None:
    session = make_session(alice)
    printed = run("set_role", alice.email, "USER")

    assert printed == "alice@example.com already has the role USER."
    assert statuses(session) == (200, 200)


@pytest.mark.parametrize(
    "command", [("revoke_sessions",), ("set_role", "USER")], ids=lambda c: c[0]
)
def test_unknown_user_is_told(run: Run, command: tuple[str, ...]) -> None:
    name, *more = command
    with pytest.raises(CommandError, match=r"No user has .* x@y\.z"):
        run(name, "x@y.z", *more)


def test_unknown_role_is_refused(run: Run, alice: User) -> None:
    with pytest.raises(CommandError, match="invalid choice: 'ROOT'"):
        run("set_role", alice.email, "ROOT")


# Django's own


def test_administrator_is_made_without_questions(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {"EMAIL": "ops@example.com", "NAME": "Ops", "PASSWORD": PASSWORD}
    for name, value in answers.items():
        monkeypatch.setenv(f"DJANGO_SUPERUSER_{name}", value)
    run("createsuperuser", interactive=False)

    user = log_in("ops@example.com", PASSWORD).json()["user"]
    assert (user["name"], user["role"]) == ("Ops", "ADMIN")


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("PASSWORD", "short", "at least 8 characters"),
        ("PASSWORD", "ops@example.com", "too similar"),
        ("EMAIL", "nonsense", "valid email"),
        ("EMAIL", "o\u00f6ps@example.com", "ASCII"),
        ("NAME", "x" * 101, "no more than 100"),
    ],
)
def test_administrator_without_questions_follows_the_rules(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    answers = {"EMAIL": "ops@example.com", "NAME": "Ops", "PASSWORD": PASSWORD}
    for name, given in (answers | {variable: value}).items():
        monkeypatch.setenv(f"DJANGO_SUPERUSER_{name}", given)

    with pytest.raises(CommandError, match=reason):
        run("createsuperuser", interactive=False)
    assert not User.objects.exists()


def test_taken_address_makes_no_administrator(
    run: Run, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "ALICE@example.com")
    monkeypatch.setenv("DJANGO_SUPERUSER_NAME", "Ops")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)

    with pytest.raises(CommandError, match="is already registered"):
        run("createsuperuser", interactive=False)


def test_changed_password_ends_the_sessions(
    run: Run, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_session(alice)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "another horse 2")
    run("changepassword", "alice@example.com")

    assert statuses(session) == (401, 401)
    assert log_in(alice.email, "another horse 2").status_code == 200


# housekeeping


def removed(printed: str) -> dict[str, int]:
    """How many of each kind housekeeping says that it removed, without zeros."""
    found = re.fullmatch(r"Removed (.+)\.", printed)
    assert found
    counts = (each.partition(" ") for each in found[1].split(", "))
    return {name: int(count) for count, _, name in counts if int(count)}


KEPT = timedelta(days=settings.TRASH_RETENTION_DAYS)
ANSWERED = timedelta(hours=settings.IDEMPOTENCY_HOURS)
HOUR = timedelta(hours=1)


def expire(session: Session, by: timedelta = HOUR) -> Session:
    Session.objects.filter(pk=session.pk).update(expires_at=NOW - by)
    return session


def admin_session(key: str, expires: timedelta) -> AdminSession:
    return AdminSession.objects.create(session_key=key, expire_date=NOW + expires)


def token(user: User, jti: str, expires: timedelta) -> OutstandingToken:
    token = OutstandingToken.objects.create(
        user=user, jti=jti, created_at=NOW - 2 * KEPT, expires_at=NOW + expires
    )
    BlacklistedToken.objects.create(token=token)
    return token


def answer(user: User, key: str, age: timedelta) -> IdempotencyRecord:
    return IdempotencyRecord.objects.create(
        user=user, key=key, status=201, headers={}, body="{}", created_at=NOW - age
    )


def trash(owner: User, age: timedelta) -> Task:
    task = make_task(owner)
    author = ActorContext(owner.pk, owner.pk, "test", NOW - age)
    return perform_one(Delete(id=task.pk), author)


def test_housekeeping_removes_exactly_what_has_expired(run: Run, alice: User) -> None:
    expire(make_session(alice))
    admin_session("old", -HOUR)
    OutstandingToken.objects.all().delete()
    token(alice, "old", -HOUR)
    answer(alice, "old", ANSWERED + HOUR)
    trash(alice, KEPT + HOUR)
    kept = [
        session := make_session(alice),
        OutstandingToken.objects.get(jti=session.current_jti),
        admin_session("new", HOUR),
        token(alice, "new", HOUR),
        answer(alice, "new", ANSWERED - HOUR),
        trash(alice, KEPT - HOUR),
        make_task(alice),
    ]
    printed = run("housekeeping")

    kinds = ("sessions", "admin sessions", "tokens", "idempotency keys")
    assert removed(printed) == dict.fromkeys([*kinds, "trashed tasks"], 1)
    models = [Session, AdminSession, OutstandingToken, IdempotencyRecord, Task]
    left = {row for model in models for row in model._default_manager.all()}
    assert left == set(kept)


def test_ended_session_is_kept_until_it_expires(run: Run, alice: User) -> None:
    session = make_session(alice)
    Session.objects.filter(pk=session.pk).update(ended_at=NOW)
    run("housekeeping")

    assert Session.objects.filter(pk=session.pk).exists()


def test_what_has_expired_is_judged_by_the_clock_of_the_database(
    run: Run, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica whose clock is behind still takes the token, and needs its mark."""
    kept = token(alice, "soon", timedelta(seconds=15))
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(timezone, "now", lambda: NOW + timedelta(seconds=30))
    run("housekeeping")

    assert BlacklistedToken.objects.get().token == kept


def test_spent_token_goes_with_its_mark(run: Run, alice: User) -> None:
    token(alice, "old", -HOUR)
    fresh = token(alice, "new", HOUR)
    run("housekeeping")

    assert [b.token for b in BlacklistedToken.objects.all()] == [fresh]


def test_history_goes_with_its_task(run: Run, alice: User) -> None:
    gone, kept = trash(alice, KEPT + DAY), make_task(alice)
    run("housekeeping")

    assert not TaskChange.objects.filter(task_id=gone.pk).exists()
    assert TaskChange.objects.get().task == kept


def test_housekeeping_twice_removes_nothing_more(run: Run, alice: User) -> None:
    expire(make_session(alice))
    trash(alice, KEPT + DAY)

    assert removed(run("housekeeping"))
    assert removed(run("housekeeping")) == {}


def test_housekeeping_works_in_batches(
    run: Run,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:
    monkeypatch.setattr(housekeeping, "BATCH_ROWS", 3)
    deleted: list[int] = []
    hard_delete_batch = TaskQuerySet.hard_delete_batch

    def counted(tasks: Any, size: int) -> int:
        deleted.append(hard_delete_batch(tasks, size))
        return deleted[-1]

    monkeypatch.setattr(TaskQuerySet, "hard_delete_batch", counted)
    for _ in range(7):
        trash(alice, KEPT + DAY)
    printed = run("housekeeping")

    assert removed(printed) == {"trashed tasks": 7}
    assert deleted == [0, 3, 3, 1, 0]  # none was emptied out of the trash
    assert not Task.objects.exists()
    assert not TaskChange.objects.exists()


def test_task_restored_before_its_turn_survives(
    run: Run, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = trash(alice, KEPT + DAY)
    prune = housekeeping.prune

    def restore_first(delete_batch: Any) -> int:
        is_purge = getattr(delete_batch, "func", None) is purge_batch
        if is_purge and Task.objects.trashed().exists():
            restore(task)
        return prune(delete_batch)

    monkeypatch.setattr(housekeeping, "prune", restore_first)
    printed = run("housekeeping")

    assert removed(printed) == {}
    assert Task.objects.live().get() == task
    assert task.changes.count() == 3


def restore(task: Task) -> None:
    author = ActorContext(task.user_id, task.user_id, "test", timezone.now())
    perform_one(Restore(id=task.pk), author)


@pytest.mark.django_db(transaction=True)
def test_task_restored_at_the_same_time_survives_with_its_history() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    task = trash(make_user("carol"), KEPT + DAY)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            restore(task)
            # It waits for this transaction, having seen the task as trash.
            printed = start_blocked(pool, lambda: str(call_command("housekeeping")))
        assert removed(printed.result(30)) == {}
    assert Task.objects.live().get() == task
    assert task.changes.count() == 3


def test_live_session_works_after_housekeeping(run: Run, alice: User) -> None:
    session = make_session(alice)
    run("housekeeping")

    assert statuses(session) == (200, 200)
