"""What housekeeping does to projects, members, invitations and positions."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.personal_data import erase
from tasks.models import Invitation, Membership, Project, ProjectChange, Role, Task
from tasks.operations import invitations, members
from tasks.positions import MAX_LENGTH
from tests.factories import api_of, make_task
from tests.tasks.conftest import Clock
from tests.tasks.sharing import author, delete, leave, make_project, share, task_in
from tests.tasks.wire import trash

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's is the one that the tests move."""
    monkeypatch.setattr("taskapi.db.clock.now", lambda: timezone.now())


def housekeeping() -> None:
    call_command("housekeeping")


def test_project_leaves_the_trash_when_its_time_is_over(
    alice: User, bob: User, clock: Clock
) -> None:
    project, kept = make_project(alice), make_project(alice, "Kept")
    task_in(project)
    share(project, bob)
    delete(project)
    clock.advance(days=29)
    housekeeping()
    assert api_of(alice).get("/api/projects/trash").json()["total"] == 1

    clock.advance(days=2)
    housekeeping()

    assert not Project.objects.filter(pk=project.pk).exists()
    assert not Task.objects.exists()
    assert not Membership.objects.exists()
    assert not ProjectChange.objects.exclude(project=kept).exists()
    assert Project.objects.filter(pk=kept.pk).exists()


def test_task_that_was_deleted_by_itself_outlives_its_project(
    alice: User, alice_api: APIClient
) -> None:
    project = make_project(alice)
    gone, own = task_in(project), trash(task_in(project))
    delete(project)
    assert alice_api.delete(f"/api/projects/trash/{project.pk}").status_code == 204
    housekeeping()

    assert not Task.objects.filter(pk=gone.pk).exists()
    restored = alice_api.post(f"/api/tasks/{own.pk}/restore")
    assert restored.status_code == 200
    assert restored.json()["projectId"] != str(project.pk)
    housekeeping()
    assert not Project.objects.filter(pk=project.pk).exists()


def test_invitations_are_forgotten(alice: User, clock: Clock) -> None:
    project = make_project(alice)
    invitations.invite(project.pk, "a@example.com", Role.VIEWER, author(alice))
    housekeeping()
    assert Invitation.objects.count() == 1
    clock.advance(days=7, seconds=1)
    housekeeping()

    assert Invitation.objects.count() == 0


def test_many_assignments_of_who_left_are_ended(
    alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "MAX_UNASSIGNED", 2)
    project = make_project(alice)
    member = share(project, bob)
    for _ in range(5):
        task_in(project, assignee_id=bob.pk)
    leave(member)
    assert Task.objects.filter(assignee_id=bob.pk).count() == 3
    housekeeping()

    assert set(Task.objects.values_list("assignee_id", "version")) == {(None, 2)}


def test_long_positions_are_shortened_and_nothing_moves(
    alice: User, alice_api: APIClient
) -> None:
    tasks = [make_task(alice, title=str(number)) for number in range(6)]
    stem = tasks[1].position
    for number, task in enumerate(tasks[2:5]):
        Task.objects.filter(pk=task.pk).update(position=f"{stem}{'0' * 250}{number}i")
    url = "/api/tasks?sort=position"
    before = alice_api.get(url)
    assert [each["title"] for each in before.json()["items"]] == [*"012345"]
    housekeeping()

    after = alice_api.get(url)
    assert after["ETag"] != before["ETag"]
    assert [each["title"] for each in after.json()["items"]] == [*"012345"]
    positions = [each["position"] for each in after.json()["items"]]
    assert max(map(len, positions)) < MAX_LENGTH
    assert [each["version"] for each in after.json()["items"]] == [1, 1, 2, 2, 2, 1]
    assert Task.objects.get(pk=tasks[3].pk).changes.count() == 1


def test_restored_project_is_not_destroyed(alice: User, clock: Clock) -> None:
    project = make_project(alice)
    delete(project)
    clock.advance(days=20)
    api = api_of(alice)
    assert api.post(f"/api/projects/{project.pk}/restore").status_code == 200
    clock.time += timedelta(days=20)
    housekeeping()

    assert Project.objects.filter(pk=project.pk, destroyed_at=None).exists()


def test_emptied_trash_stays_empty_when_its_author_is_erased(
    alice: User, bob: User, alice_api: APIClient
) -> None:
    project = make_project(alice)
    share(project, bob)
    body = {"title": "x", "projectId": str(project.pk)}
    pk = api_of(bob).post("/api/tasks", body, format="json").json()["id"]
    alice_api.delete(f"/api/tasks/{pk}")
    alice_api.delete("/api/tasks/trash")
    erase(User.objects.get(pk=bob.pk), delete_shared=True)
    with transaction.atomic():
        assert members.forget_author(bob.pk, 1000) == 0

    assert alice_api.get("/api/tasks/trash").json()["total"] == 0
    assert alice_api.post(f"/api/tasks/{pk}/restore").status_code == 404
    call_command("housekeeping")
    assert not Task.objects.filter(pk=pk).exists()
