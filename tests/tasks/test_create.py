import re

from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Task

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z"


def test_task_is_created_with_defaults(alice_api: APIClient, alice: User) -> None:
    response = alice_api.post("/api/tasks", {"title": "Build API"}, format="json")

    assert response.status_code == 201
    body = response.json()
    assert response["Location"] == f"/api/tasks/{body['id']}"
    assert response["ETag"] == '"v1"'
    assert re.fullmatch(INSTANT, body.pop("createdAt"))
    assert re.fullmatch(INSTANT, body.pop("updatedAt"))
    task = Task.objects.get()
    assert body == {
        "id": str(task.pk),
        "title": "Build API",
        "description": None,
        "status": "TODO",
        "priority": "MEDIUM",
        "dueDate": None,
        "completedAt": None,
        "userId": str(alice.pk),
        "version": 1,
    }
