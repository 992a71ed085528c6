"""Ids in filters are of what exists and may be seen, as ids in bodies are."""

from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import make_task, make_user
from tests.tasks.sharing import delete, leave, make_project, share, task_in
from tests.tasks.wire import details_of, error_of, ids

pytestmark = pytest.mark.django_db
PATHS = ["/api/tasks?", "/api/tasks/stats?", "/api/tasks/export?format=csv&"]
KINDS = {"parent": "task", "assignee": "account", "createdBy": "account"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_what_does_not_exist_is_told(
    alice_api: APIClient, path: str, name: str, kind: str
) -> None:
    unknown = uuid4()
    answer = alice_api.get(f"{path}{name}={unknown}")

    assert answer.status_code == 400
    assert details_of(answer) == [(name, "invalid")]
    assert f"There is no {kind} {unknown}." in answer.content.decode()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", KINDS)
def test_what_is_a_strangers_is_forbidden(
    alice_api: APIClient, bob: User, path: str, name: str
) -> None:
    pk = make_task(bob).pk if name == "parent" else bob.pk
    answer = alice_api.get(f"{path}{name}={pk}")

    assert answer.status_code == 403
    assert error_of(answer)["code"] == "FORBIDDEN"


def test_members_and_those_who_left_are_known(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    project = make_project(alice)
    member = share(project, bob)
    task = task_in(project, assignee_id=bob.pk, created_by_id=bob.pk)
    query = f"/api/tasks?createdBy={bob.pk}"
    assert ids(alice_api.get(f"{query}&assignee={bob.pk},me")) == [str(task.pk)]
    leave(member)
    assert ids(alice_api.get(query)) == [str(task.pk)]


def test_one_that_may_not_be_seen_is_enough(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    share(make_project(alice), bob)
    carol = make_user("carol")
    answer = alice_api.get(f"/api/tasks?assignee={bob.pk},{carol.pk}")
    assert answer.status_code == 403


def test_task_that_went_with_its_project_is_not_there(
    alice_api: APIClient, alice: User
) -> None:
    project = make_project(alice)
    task = task_in(project)
    assert alice_api.get(f"/api/tasks?parent={task.pk}").status_code == 200
    delete(project)

    answer = alice_api.get(f"/api/tasks?parent={task.pk}")
    assert details_of(answer) == [("parent", "invalid")]


def test_deleted_parent_may_be_asked_for(alice_api: APIClient, alice: User) -> None:
    task = make_task(alice)
    alice_api.delete(f"/api/tasks/{task.pk}")
    assert ids(alice_api.get(f"/api/tasks?parent={task.pk}")) == []
