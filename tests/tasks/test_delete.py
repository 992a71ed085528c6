import pytest
from rest_framework.test import APIClient

from tasks.models import Task
from tests.tasks.wire import details_of, error_of


def test_deleted_task_is_gone_but_in_the_trash(
    alice_api: APIClient, task: Task
) -> None:
    response = alice_api.delete(f"/api/tasks/{task.pk}")

    assert response.status_code == 204
    assert response.content == b""
    assert alice_api.get(f"/api/tasks/{task.pk}").status_code == 404
    assert alice_api.get("/api/tasks").json()["items"] == []
    [trashed] = alice_api.get("/api/tasks/trash").json()["items"]
    assert (trashed["id"], trashed["version"]) == (str(task.pk), 2)


@pytest.mark.parametrize("if_match", ['"v1"', "*", '"v1", "v2"'])
def test_matching_precondition_deletes(
    alice_api: APIClient, task: Task, if_match: str
) -> None:
    response = alice_api.delete(f"/api/tasks/{task.pk}", HTTP_IF_MATCH=if_match)

    assert response.status_code == 204
    assert not Task.objects.live().exists()


@pytest.mark.parametrize("if_match", ['"v2"', 'W/"v1"', '""'])
def test_stale_delete_is_refused_with_the_current_task(
    alice_api: APIClient, task: Task, if_match: str
) -> None:
    current = alice_api.get(f"/api/tasks/{task.pk}").json()
    response = alice_api.delete(f"/api/tasks/{task.pk}", HTTP_IF_MATCH=if_match)

    assert response.status_code == 412
    assert response["ETag"] == '"v1"'
    assert error_of(response)["current"] == current
    assert alice_api.get(f"/api/tasks/{task.pk}").json() == current


def test_malformed_if_match_is_refused(alice_api: APIClient, task: Task) -> None:
    response = alice_api.delete(f"/api/tasks/{task.pk}", HTTP_IF_MATCH="v1")

    assert details_of(response) == [("If-Match", "invalid")]
    assert Task.objects.live().exists()


def test_second_delete_finds_nothing(alice_api: APIClient, task: Task) -> None:
    alice_api.delete(f"/api/tasks/{task.pk}")
    response = alice_api.delete(f"/api/tasks/{task.pk}")

    assert response.status_code == 404
    assert error_of(response) == {"code": "NOT_FOUND", "message": "Task not found."}


@pytest.mark.parametrize("name", ["batch", "stats", "export"])
def test_fixed_routes_cannot_be_deleted(alice_api: APIClient, name: str) -> None:
    response = alice_api.delete(f"/api/tasks/{name}")

    assert response.status_code == 405
    assert response["Allow"]
    assert error_of(response)["code"] == "METHOD_NOT_ALLOWED"


def test_version_in_the_body_is_a_precondition(
    alice_api: APIClient, task: Task
) -> None:
    response = alice_api.delete(f"/api/tasks/{task.pk}", {"version": 9}, format="json")

    assert response.status_code == 412
    task.refresh_from_db()
    assert task.deleted_at is None


def test_body_with_anything_else_is_refused(alice_api: APIClient, task: Task) -> None:
    response = alice_api.delete(f"/api/tasks/{task.pk}", {"titel": "x"}, format="json")

    assert response.status_code == 400
    task.refresh_from_db()
    assert task.deleted_at is None
