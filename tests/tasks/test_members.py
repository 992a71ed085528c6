"""Members of a project: what each role may, and how an access ends."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Membership, Project, Role, Task
from tests.factories import PASSWORD, api_of, make_task, make_user
from tests.tasks.sharing import archive, delete, make_project, share
from tests.tasks.wire import details_of, error_of, ids, titles


@pytest.fixture
def project(alice: User) -> Project:
    return make_project(alice)


def members_of(api: APIClient, project: Project) -> dict[str, str]:
    found = api.get(f"/api/projects/{project.pk}/members").json()["items"]
    return {member["name"]: member["role"] for member in found}


def set_role(api: APIClient, project: Project, user: User, role: str) -> Any:
    url = f"/api/projects/{project.pk}/members/{user.pk}"
    return api.patch(url, {"role": role}, format="json")


def remove(api: APIClient, project: Project, user: User) -> Any:
    return api.delete(f"/api/projects/{project.pk}/members/{user.pk}")


def test_members_are_listed_without_addresses(
    alice_api: APIClient, project: Project, bob: User
) -> None:
    share(project, bob, Role.VIEWER)
    listed = alice_api.get(f"/api/projects/{project.pk}/members")

    assert members_of(alice_api, project) == {"alice": "OWNER", "bob": "VIEWER"}
    assert members_of(api_of(bob), project) == {"alice": "OWNER", "bob": "VIEWER"}
    assert b"@" not in listed.content


def test_member_sees_and_writes_the_tasks_of_a_project_and_no_others(
    alice: User, alice_api: APIClient, project: Project, bob: User
) -> None:
    secret = make_task(alice, title="Secret")
    make_task(alice, title="Shared", project_id=project.pk)
    share(project, bob)
    bob_api = api_of(bob)

    assert titles(bob_api.get("/api/tasks")) == ["Shared"]
    assert titles(bob_api.get("/api/tasks?scope=own")) == []
    assert bob_api.get(f"/api/tasks/{secret.pk}").status_code == 403
    body = {"title": "By Bob", "projectId": str(project.pk)}
    made = bob_api.post("/api/tasks", body, format="json").json()
    assert (made["userId"], made["createdById"]) == (str(alice.pk), str(bob.pk))
    assert titles(alice_api.get("/api/tasks?sort=title")) == [
        "By Bob",
        "Secret",
        "Shared",
    ]


def test_viewer_writes_nothing(alice: User, project: Project, bob: User) -> None:
    task = make_task(alice, project_id=project.pk)
    share(project, bob, Role.VIEWER)
    api = api_of(bob)
    url = f"/api/tasks/{task.pk}"
    answers = [
        api.patch(url, {"title": "x"}, format="json"),
        api.delete(url),
        api.post(f"{url}/move", {"parentId": None}, format="json"),
        api.post(
            "/api/tasks", {"title": "x", "projectId": str(project.pk)}, format="json"
        ),
    ]

    assert {answer.status_code for answer in answers} == {403}
    message = "Your role in this project is VIEWER; this takes EDITOR."
    assert {error_of(answer)["message"] for answer in answers} == {message}
    assert Task.objects.get().version == 1


def test_role_is_changed(alice_api: APIClient, project: Project, bob: User) -> None:
    share(project, bob, Role.VIEWER)
    changed = set_role(alice_api, project, bob, "MANAGER")

    assert (changed.status_code, changed.json()["role"]) == (200, "MANAGER")
    assert api_of(bob).get(f"/api/projects/{project.pk}")["ETag"] == '"v1-MANAGER"'
    assert set_role(alice_api, project, bob, "OWNER").status_code == 400
    stale: Any = {"HTTP_IF_MATCH": '"x"'}
    url = f"/api/projects/{project.pk}/members/{bob.pk}"
    refused = alice_api.patch(url, {"role": "VIEWER"}, format="json", **stale)
    assert refused.status_code == 412
    current: Any = {"HTTP_IF_MATCH": changed["ETag"]}
    assert alice_api.delete(url, **current).status_code == 204


def test_owner_stays(
    alice_api: APIClient, alice: User, project: Project, bob: User
) -> None:
    share(project, bob, Role.MANAGER)

    assert remove(alice_api, project, alice).status_code == 409
    assert remove(api_of(bob), project, alice).status_code == 409
    assert set_role(api_of(bob), project, alice, "VIEWER").status_code == 409


def test_who_is_no_member_is_not_found(
    alice_api: APIClient, project: Project, bob: User
) -> None:
    assert remove(alice_api, project, bob).status_code == 404
    assert set_role(alice_api, project, bob, "VIEWER").status_code == 404


@pytest.mark.parametrize("is_leaving", [True, False])
def test_access_that_ends_is_gone(
    alice: User, alice_api: APIClient, project: Project, bob: User, is_leaving: bool
) -> None:
    task = make_task(alice, project_id=project.pk)
    share(project, bob)
    bob_api = api_of(bob)
    cached = bob_api.get("/api/tasks")
    page = bob_api.get("/api/tasks?limit=1&sort=title")
    created = {"title": "x", "projectId": str(project.pk)}
    key: Any = {"HTTP_IDEMPOTENCY_KEY": "key"}
    made = bob_api.post("/api/tasks", created, format="json", **key)
    assert made.status_code == 201

    assert remove(bob_api if is_leaving else alice_api, project, bob).status_code == 204
    assert titles(bob_api.get("/api/tasks")) == []
    fresh: Any = {"HTTP_IF_NONE_MATCH": cached["ETag"]}
    assert bob_api.get("/api/tasks", **fresh).status_code == 200
    assert page.status_code == 200
    for path in ("", "/history"):
        assert bob_api.get(f"/api/tasks/{task.pk}{path}").status_code == 403
    for path in ("", "/members"):
        assert bob_api.get(f"/api/projects/{project.pk}{path}").status_code == 403
    replayed = bob_api.post("/api/tasks", created, format="json", **key)
    assert replayed.status_code == 403
    assert b"x" not in b"".join(bob_api.get("/api/tasks/export?format=jsonl"))
    assert members_of(alice_api, project) == {"alice": "OWNER"}


def test_who_leaves_is_unassigned(
    alice: User, alice_api: APIClient, project: Project, bob: User
) -> None:
    share(project, bob)
    task = make_task(alice, project_id=project.pk, assignee_id=bob.pk)
    remove(alice_api, project, bob)
    read = alice_api.get(f"/api/tasks/{task.pk}").json()

    assert (read["assigneeId"], read["version"]) == (None, 2)
    last = alice_api.get(f"/api/tasks/{task.pk}/history").json()["items"][0]
    change = {"field": "assigneeId", "from": str(bob.pk), "to": None}
    assert (last["version"], last["changes"]) == (2, [change])


def test_archived_project_can_be_left(
    alice_api: APIClient, project: Project, bob: User
) -> None:
    share(project, bob)
    archive(project)

    assert remove(alice_api, project, bob).status_code == 409
    assert remove(api_of(bob), project, bob).status_code == 204


def test_trashed_project_shows_nothing(
    alice: User, project: Project, bob: User
) -> None:
    task = make_task(alice, project_id=project.pk)
    share(project, bob)
    delete(project)
    api = api_of(bob)

    assert ids(api.get("/api/tasks?archived=all")) == []
    assert api.get(f"/api/tasks/{task.pk}").status_code == 404
    assert api.get(f"/api/projects/{project.pk}").status_code == 404
    assert api.post(f"/api/projects/{project.pk}/restore").status_code == 403


def test_nothing_of_an_erased_owner_is_seen(
    alice: User, alice_api: APIClient, project: Project, bob: User
) -> None:
    task = make_task(alice, project_id=project.pk)
    share(project, bob)
    alice.erase(now=alice.created_at)
    api = api_of(bob)

    assert ids(api.get("/api/tasks")) == []
    assert api.get(f"/api/tasks/{task.pk}").status_code == 404
    assert api.get(f"/api/projects/{project.pk}").status_code == 404
    assert api.get(f"/api/projects/{project.pk}/members").status_code == 404


def test_quotas_are_not_counted_anew_for_members(
    project: Project, alice: User, bob: User, settings: Any
) -> None:
    settings.QUOTA_TASKS = 100
    make_task(alice)
    with CaptureQueriesContext(connection) as queries:
        share(project, bob)
        make_task(alice)

    counted = [each["sql"] for each in queries if "octet" in each["sql"].lower()]
    assert not [sql for sql in counted if "COUNT" in sql]


def test_members_are_counted(project: Project, bob: User, settings: Any) -> None:
    settings.QUOTA_MEMBERS = 1
    share(project, bob)
    with pytest.raises(Exception, match="QUOTA_MEMBERS"):
        share(project, make_user("carol"))

    assert Membership.objects.count() == 1


def erase(api: APIClient, **more: Any) -> Any:
    body = {"password": PASSWORD, **more}
    return api.post("/api/auth/me/erase", body, format="json")


def test_owner_of_shared_projects_is_erased_only_with_them(
    alice: User, alice_api: APIClient, project: Project, bob: User
) -> None:
    share(project, bob)
    refused = erase(alice_api)

    assert refused.status_code == 409
    assert '"House"' in error_of(refused)["message"]
    assert erase(alice_api, deleteShared=True).status_code == 204
    assert api_of(bob).get(f"/api/projects/{project.pk}").status_code == 404
    call_command("housekeeping")
    assert set(User._base_manager.all()) == {bob}
    assert not Project.objects.exclude(owner=bob).exists()
    assert not Membership.objects.exists()


def test_erased_member_is_gone_and_unassigned(
    alice: User, alice_api: APIClient, project: Project, bob: User
) -> None:
    share(project, bob)
    task = make_task(alice, project_id=project.pk, assignee_id=bob.pk)
    body = {"title": "By Bob", "projectId": str(project.pk)}
    made = api_of(bob).post("/api/tasks", body, format="json").json()
    url = f"/api/tasks/{made['id']}"
    assert erase(api_of(bob)).status_code == 204

    assert members_of(alice_api, project) == {"alice": "OWNER"}
    [created] = alice_api.get(f"{url}/history").json()["items"]
    assert created["changedBy"] is None
    call_command("housekeeping")
    read = alice_api.get(f"/api/tasks/{task.pk}").json()
    assert (read["assigneeId"], read["version"]) == (None, 2)
    assert alice_api.get(url).json() == made | {
        "createdById": None,
        "version": 2,
    }
    assert set(User._base_manager.all()) == {alice}


def test_parent_or_sibling_in_a_shared_project_is_invalid_for_a_task_elsewhere(
    alice: User, project: Project, bob: User
) -> None:
    task = str(make_task(alice, project_id=project.pk).pk)
    secret = str(make_task(alice).pk)
    share(project, bob)
    api, mine = api_of(bob), make_task(bob)
    url = f"/api/tasks/{mine.pk}/move"

    body = {"title": "x", "parentId": task}
    assert details_of(api.post("/api/tasks", body, format="json")) == [
        ("parentId", "invalid")
    ]
    for name in ("parentId", "before", "after"):
        answer = api.post(url, {name: task}, format="json")
        assert details_of(answer) == [(name, "invalid")]
        assert api.post(url, {name: secret}, format="json").status_code == 403
