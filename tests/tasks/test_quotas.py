"""How much an account may store."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from tasks import usage
from tasks.models import SpaceUsage, Task
from tests.factories import api_of, make_task, make_user
from tests.tasks.wire import error_of

TASKS_USED = (
    "QUOTA_TASKS: an account may have 3 tasks, with those in the trash. Remove some "
    "from the trash."
)
NEW = {"title": "Water the plants"}
AMPLE = 10**9


@pytest.fixture
def counted(settings: Any) -> None:
    settings.QUOTA_TASKS = settings.QUOTA_BYTES = AMPLE


def create(api: APIClient, **data: Any) -> Any:
    return api.post("/api/tasks", NEW | data, format="json")


def destroy(api: APIClient, url: str) -> Any:
    return api.delete(url.replace("/tasks/", "/tasks/trash/"))


def assert_exact(owner: User) -> SpaceUsage:
    """What was added up is what is there."""
    owner.refresh_from_db()
    told, found = SpaceUsage.objects.get(pk=owner.pk), usage.count(owner.pk)
    assert (told.tasks, told.octets) == (found.tasks, found.octets)
    assert told.revision == owner.revision
    return told


def test_number_of_tasks_is_limited(
    alice_api: APIClient, bob_api: APIClient, settings: Any
) -> None:
    settings.QUOTA_TASKS = 3
    urls = [create(alice_api)["Location"] for _ in range(3)]

    refused = create(alice_api)

    assert refused.status_code == 403
    assert error_of(refused) == {"code": "QUOTA_EXCEEDED", "message": TASKS_USED}
    assert "Retry-After" not in refused
    assert Task.objects.count() == 3
    # Nothing else is refused, to nobody else.
    assert create(bob_api).status_code == 201
    patch = {"status": "DONE"}
    assert alice_api.patch(urls[0], patch, format="json").status_code == 200
    # The trash counts, until it is removed.
    assert alice_api.delete(urls[1]).status_code == 204
    assert create(alice_api).status_code == 403
    assert destroy(alice_api, urls[1]).status_code == 204
    assert create(alice_api).status_code == 201
    assert create(alice_api).status_code == 403


def test_bytes_of_text_and_history_are_limited(
    alice_api: APIClient, settings: Any
) -> None:
    settings.QUOTA_BYTES = 5000
    url = create(alice_api)["Location"]
    texts = [{"description": letter * 1000} for letter in "abcdef"]

    answers = [alice_api.patch(url, text, format="json") for text in texts]

    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200] + [403] * 4
    assert error_of(answers[-1])["code"] == "QUOTA_EXCEEDED"
    assert error_of(answers[-1])["message"].startswith("QUOTA_BYTES: ")
    # The way out stays open.
    assert alice_api.delete(url).status_code == 204
    long = {"description": "x" * 2000}
    assert create(alice_api, **long).status_code == 403
    assert destroy(alice_api, url).status_code == 204
    assert create(alice_api, **long).status_code == 201


def test_batch_over_the_quota_writes_nothing(
    alice_api: APIClient, alice: User, settings: Any
) -> None:
    settings.QUOTA_TASKS = 3
    batch = {"operations": [{"op": "create", "data": NEW}] * 4}

    refused = alice_api.post("/api/tasks/batch", batch, format="json")

    assert refused.status_code == 403
    assert error_of(refused)["message"] == TASKS_USED
    assert not Task.objects.exists()
    alice.refresh_from_db()
    assert alice.revision == 0


@pytest.mark.usefixtures("counted")
def test_whatever_is_written_is_counted_exactly(
    alice_api: APIClient, alice: User
) -> None:
    odd = '\x01\x7f\\"\n/\N{EURO SIGN}\N{PILE OF POO}\u2028'
    url = create(alice_api, title=odd, description=odd * 9)["Location"]
    for change in [
        {"title": "x", "description": None},
        {"status": "DONE", "priority": "LOW", "dueDate": "2026-01-01T00:00:00Z"},
        {"description": odd},
        {},
    ]:
        alice_api.patch(url, change, format="json")
        assert_exact(alice)
    operations: list[Any] = [
        {"op": "create", "data": {"title": odd}},
        {"op": "update", "id": url[-36:], "data": {"title": "y"}},
        {"op": "delete", "id": url[-36:]},
    ]
    alice_api.post("/api/tasks/batch", {"operations": operations}, format="json")
    assert_exact(alice)
    alice_api.post(f"{url}/restore", {}, format="json")
    alice_api.delete(url)
    assert_exact(alice)

    destroy(alice_api, url)

    assert assert_exact(alice).tasks == 1


@pytest.mark.usefixtures("counted")
def test_housekeeping_uncounts_what_it_removes(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    for _ in range(3):
        url = create(alice_api)["Location"]
    alice_api.delete(url)
    make_task(bob)
    Task.objects.trashed().update(deleted_at=timezone.now() - timedelta(days=365))

    call_command("housekeeping", stdout=StringIO())

    assert assert_exact(alice).tasks == 2
    assert assert_exact(bob).tasks == 1


def test_what_was_written_uncounted_is_counted_later(
    alice_api: APIClient, alice: User, settings: Any
) -> None:
    """Without a quota, or by the previous release."""
    create(alice_api)
    assert not SpaceUsage.objects.exists()
    settings.QUOTA_TASKS = AMPLE
    create(alice_api)
    settings.QUOTA_TASKS = 0
    create(alice_api)
    settings.QUOTA_TASKS = 4

    assert create(alice_api).status_code == 201
    assert assert_exact(alice).tasks == 4
    assert create(alice_api).status_code == 403


def test_old_count_is_made_anew_before_a_refusal(
    alice_api: APIClient, alice: User, settings: Any
) -> None:
    settings.QUOTA_TASKS = 3
    create(alice_api)
    SpaceUsage.objects.update(tasks=100)

    assert create(alice_api).status_code == 403
    SpaceUsage.objects.update(counted_at=timezone.now() - usage.RECOUNT_AFTER * 2)
    assert create(alice_api).status_code == 201
    assert_exact(alice)


def test_administrators_are_not_refused(
    alice_api: APIClient, alice: User, settings: Any, client: Any
) -> None:
    settings.QUOTA_TASKS = settings.QUOTA_BYTES = 1
    client.force_login(make_user("root", role="ADMIN"))
    form = {"title": "x", "status": "TODO", "priority": 2, "user": str(alice.pk)}
    form |= {f"changes-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL")}

    client.post("/admin/tasks/task/add/", form)

    assert Task.objects.get().user_id == alice.pk
    assert create(alice_api).status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="writes one after the other")
def test_exactly_as_many_as_allowed_are_made_at_once(settings: Any) -> None:
    settings.QUOTA_TASKS = 5
    owner = make_user(f"at-once-{uuid4().hex}")

    def attempt(client: APIClient) -> int:
        try:
            status: int = create(client).status_code
            return status
        finally:
            connection.close()

    clients = [api_of(owner) for _ in range(16)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(attempt, clients))

    assert sorted(statuses) == [201] * 5 + [403] * 11
    assert Task.objects.filter(user=owner).count() == 5


def test_no_quota_costs_no_statement(alice_api: APIClient) -> None:
    with CaptureQueriesContext(connection) as queries:
        create(alice_api)

    assert not [q for q in queries if "spaceusage" in q["sql"]]
