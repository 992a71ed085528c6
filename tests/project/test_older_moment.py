"""What docs/operations.md has an operator run after a restore to an older moment."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Invitation
from tests.factories import api_of, make_token, make_user
from tests.tasks.sharing import make_project

pytestmark = pytest.mark.django_db
GUIDE = (settings.BASE_DIR / "docs" / "operations.md").read_text()
CHAPTER = GUIDE.partition("### After a restore to an older moment")[2]


@pytest.fixture
def restored(alice: User) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("the statements are PostgreSQL's")
    project = make_project(alice)
    api = api_of(alice)
    body = {"title": "x", "labels": ["a"], "projectId": str(project.pk)}
    task = api.post("/api/tasks", body, format="json").json()["id"]
    api.post(f"/api/tasks/{task}/comments", {"text": "x"}, format="json")
    body = {"email": "carol@example.com", "role": "EDITOR"}
    api.post(f"/api/projects/{project.pk}/invitations", body, format="json")
    cache.clear()


def run_statements() -> None:
    block = CHAPTER.partition("\n\n    ")[2].partition("\n\nand empty Redis")[0]
    statements = re.findall(r"(?:UPDATE|DELETE)[^;]+;", block)
    assert len(statements) == 8
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    cache.clear()


def etags(api: APIClient) -> dict[str, str]:
    task = api.get("/api/tasks").json()["items"][0]
    label = api.get("/api/labels").json()["items"][0]
    comment = api.get(f"/api/tasks/{task['id']}/comments").json()["items"][0]
    paths = [
        *("/api/tasks", f"/api/tasks/{task['id']}", f"/api/labels/{label['id']}"),
        f"/api/projects/{task['projectId']}",
        f"/api/tasks/{task['id']}/comments/{comment['id']}",
    ]
    return {path: api.get(path)["ETag"] for path in paths}


@pytest.mark.usefixtures("restored")
def test_no_tag_from_before_matches(alice: User) -> None:
    before = etags(api_of(alice))
    run_statements()
    api = api_of(alice)

    for path, tag in before.items():
        headers: Any = {"HTTP_IF_NONE_MATCH": tag}
        assert api.get(path, **headers).status_code == 200, path
        if path != "/api/tasks":
            headers = {"HTTP_IF_MATCH": tag}
            assert api.delete(path, **headers).status_code == 412, path


@pytest.mark.usefixtures("restored")
def test_nothing_that_lets_in_works_any_more(alice: User) -> None:
    session = api_of(alice)
    program, (_, token) = APIClient(), make_token(make_user("bob"))
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert program.get("/api/auth/me").status_code == 200
    run_statements()

    assert session.get("/api/tasks").status_code == 401
    assert program.get("/api/auth/me").status_code == 401
    assert not Invitation.objects.filter(closed_at=None).exists()
