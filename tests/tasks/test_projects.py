"""`/api/projects`: made, read, changed, archived, deleted and restored."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Project, Role, inbox_id
from tests.factories import api_of, make_task, make_user
from tests.tasks.sharing import archive, delete, make_project, share
from tests.tasks.wire import details_of, error_of, ids, titles

PROJECTS = "/api/projects"


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [item["name"] for item in response.json()["items"]]


def patch(api: APIClient, project: Project, **body: Any) -> Any:
    return api.patch(f"{PROJECTS}/{project.pk}", body, format="json")


def test_new_account_has_one_inbox(alice_api: APIClient, alice: User) -> None:
    [inbox] = alice_api.get(PROJECTS).json()["items"]

    assert inbox == inbox | {
        "id": str(inbox_id(alice.pk)),
        "ownerId": str(alice.pk),
        "name": "Inbox",
        "isInbox": True,
        "role": "OWNER",
        "archivedAt": None,
    }


def test_project_is_made_and_read(alice_api: APIClient) -> None:
    body = {"name": " House ", "description": "All of it", "color": "#1E90FF"}
    made = alice_api.post(PROJECTS, body, format="json")

    assert made.status_code == 201
    assert made["ETag"] == '"v1-OWNER"'
    project = made.json()
    assert (project["name"], project["color"]) == ("House", "#1e90ff")
    assert made["Location"] == f"{PROJECTS}/{project['id']}"
    read = alice_api.get(made["Location"])
    assert (read.json(), read["ETag"]) == (project, made["ETag"])
    headers: Any = {"HTTP_IF_NONE_MATCH": made["ETag"]}
    assert alice_api.get(made["Location"], **headers).status_code == 304


def test_own_tasks_of_one_project_are_found_by_their_author(
    alice_api: APIClient, alice: User
) -> None:
    project = make_project(alice)
    made = make_task(alice, project_id=project.pk)
    query = f"project={project.pk}&createdBy=me"

    assert ids(alice_api.get(f"/api/tasks?{query}")) == [str(made.pk)]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, ("name", "required")),
        ({"name": "  "}, ("name", "blank")),
        ({"name": "x" * 101}, ("name", "max_length")),
        ({"name": "x", "color": "red"}, ("color", "color")),
        ({"name": "x", "archived": True}, ("archived", "unknown")),
    ],
)
def test_bad_project_is_refused(
    alice_api: APIClient, body: Any, detail: tuple[str, str]
) -> None:
    assert details_of(alice_api.post(PROJECTS, body, format="json")) == [detail]


def test_change_is_conditional(alice_api: APIClient, alice: User) -> None:
    project = make_project(alice)
    assert patch(alice_api, project, name="Home", version=1)["ETag"] == '"v2-OWNER"'
    stale = patch(alice_api, project, name="Flat", version=1)

    assert stale.status_code == 412
    assert error_of(stale)["current"]["name"] == "Home"
    assert patch(alice_api, project).json()["version"] == 2


def test_archived_project_answers_reads_and_refuses_writes(
    alice_api: APIClient, alice: User
) -> None:
    project = make_project(alice)
    task = make_task(alice, project_id=project.pk)
    archived = patch(alice_api, project, archived=True).json()

    assert archived["archivedAt"]
    assert patch(alice_api, project, archived=True).json() == archived
    assert patch(alice_api, project, name="x").status_code == 409
    url = f"/api/tasks/{task.pk}"
    assert alice_api.get(url).status_code == 200
    assert alice_api.patch(url, {"title": "x"}, format="json").status_code == 409
    assert alice_api.delete(url).status_code == 409
    body = {"title": "x", "projectId": str(project.pk)}
    assert alice_api.post("/api/tasks", body, format="json").status_code == 409
    assert titles(alice_api.get("/api/tasks")) == []
    assert len(titles(alice_api.get("/api/tasks?archived=all"))) == 1
    assert len(titles(alice_api.get(f"/api/tasks?project={project.pk}"))) == 1
    assert names(alice_api.get(PROJECTS)) == ["Inbox"]
    assert names(alice_api.get(f"{PROJECTS}?archived=true")) == ["House"]

    assert patch(alice_api, project, archived=False).json()["archivedAt"] is None
    assert len(titles(alice_api.get("/api/tasks"))) == 1


def test_deleted_project_takes_its_tasks_and_brings_them_back(
    alice_api: APIClient, alice: User
) -> None:
    project = make_project(alice)
    kept = make_task(alice, project_id=project.pk)
    gone = make_task(alice, project_id=project.pk)
    alice_api.delete(f"/api/tasks/{gone.pk}")
    url = f"{PROJECTS}/{project.pk}"

    assert alice_api.delete(url).status_code == 204
    assert alice_api.get(url).status_code == 404
    assert alice_api.get(f"/api/tasks/{kept.pk}").status_code == 404
    assert titles(alice_api.get("/api/tasks?archived=all")) == []
    assert names(alice_api.get(f"{PROJECTS}/trash")) == ["House"]

    restored = alice_api.post(f"{url}/restore")
    assert (restored.status_code, restored.json()["version"]) == (200, 3)
    assert ids(alice_api.get("/api/tasks")) == [str(kept.pk)]
    assert ids(alice_api.get("/api/tasks/trash")) == [str(gone.pk)]
    assert alice_api.post(f"{url}/restore").status_code == 404


def test_destroyed_project_is_gone(alice_api: APIClient, alice: User) -> None:
    project = make_project(alice)
    url = f"{PROJECTS}/trash/{project.pk}"
    assert alice_api.delete(url).status_code == 404
    delete(project)

    assert alice_api.delete(url).status_code == 204
    assert alice_api.delete(url).status_code == 404
    assert names(alice_api.get(f"{PROJECTS}/trash")) == []
    assert alice_api.post(f"{PROJECTS}/{project.pk}/restore").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("delete", "", None),
        ("patch", "", {"archived": True}),
        ("post", "/invitations", {"email": "bob@example.com", "role": "EDITOR"}),
    ],
)
def test_inbox_stays_what_it_is(
    alice_api: APIClient, alice: User, method: str, path: str, body: Any
) -> None:
    url = f"{PROJECTS}/{inbox_id(alice.pk)}{path}"
    response = getattr(alice_api, method)(url, body, format="json")

    assert response.status_code == 409
    assert error_of(response)["message"].startswith("The inbox cannot be ")


def test_projects_are_counted(alice_api: APIClient, alice: User, settings: Any) -> None:
    settings.QUOTA_PROJECTS = 2
    delete(make_project(alice))
    refused = alice_api.post(PROJECTS, {"name": "x"}, format="json")

    assert (refused.status_code, error_of(refused)["code"]) == (403, "QUOTA_EXCEEDED")


def test_retried_post_makes_one(alice_api: APIClient) -> None:
    answers = [
        alice_api.post(PROJECTS, {"name": "x"}, format="json", HTTP_IDEMPOTENCY_KEY="k")
        for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert Project.objects.filter(is_inbox=False).count() == 1


def test_list_is_filtered_and_sorted(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    for name in ("Zoo", "apple", "Ärger"):
        make_project(alice, name)
    shared = make_project(bob, "Office", description="Zoological")
    share(shared, alice, Role.VIEWER)

    def found(query: str) -> list[str]:
        return names(alice_api.get(f"{PROJECTS}?{query}"))

    assert found("sort=name") == ["apple", "Inbox", "Office", "Zoo", "Ärger"]
    assert found("") == ["Inbox", "Zoo", "apple", "Ärger", "Office"]
    assert found("role=VIEWER") == ["Office"]
    assert found("role=OWNER&q=ZOO") == ["Zoo"]
    assert found("q=zoo") == ["Zoo", "Office"]
    assert found("sort=-createdAt&limit=1") == ["Office"]
    bad = alice_api.get(f"{PROJECTS}?role=BOSS&sort=x")
    assert {field for field, _ in details_of(bad)} == {"role", "sort"}


@pytest.mark.parametrize("sort", ["name", "-name", "-updatedAt", "createdAt"])
def test_walk_shows_each_project_once(
    alice_api: APIClient, alice: User, bob: User, sort: str
) -> None:
    for number in range(4):
        make_project(alice, f"Mine {number}")
        share(make_project(bob, f"Bob's {number}"), alice)
    expected = names(alice_api.get(f"{PROJECTS}?sort={sort}"))
    found: list[str] = []
    query = f"?sort={sort}&limit=2"
    while query:
        page = alice_api.get(f"{PROJECTS}{query}")
        found += names(page)
        cursor = page.json()["nextCursor"]
        query = f"?sort={sort}&limit=2&cursor={cursor}" if cursor else ""

    assert found == expected
    assert len(found) == 9


def test_list_is_not_sent_again(alice_api: APIClient, alice: User) -> None:
    headers: Any = {"HTTP_IF_NONE_MATCH": alice_api.get(PROJECTS)["ETag"]}
    assert alice_api.get(PROJECTS, **headers).status_code == 304
    make_project(alice)

    assert alice_api.get(PROJECTS, **headers).status_code == 200


def test_history_tells_who_changed_what(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    project = make_project(alice)
    share(project, bob, Role.VIEWER)
    patch(alice_api, project, name="Home")
    history = alice_api.get(f"{PROJECTS}/{project.pk}/history").json()["items"]

    fields = [change["field"] for entry in history for change in entry["changes"]]
    assert fields == ["name", "member", "name"]
    assert history[0]["changes"] == [{"field": "name", "from": "House", "to": "Home"}]
    member = {"userId": str(bob.pk), "role": "VIEWER"}
    assert history[1]["changes"] == [{"field": "member", "from": None, "to": member}]
    assert history[1]["changedBy"] == str(bob.pk)
    assert api_of(bob).get(f"{PROJECTS}/{project.pk}/history").status_code == 403


def test_stranger_gets_403_and_unknown_is_404(alice: User) -> None:
    project = make_project(alice)
    eve = api_of(make_user("eve"))

    assert eve.get(f"{PROJECTS}/{project.pk}").status_code == 403
    assert eve.get(f"/api/tasks?project={project.pk}").status_code == 403
    unknown = "00000000-0000-4000-8000-000000000000"
    assert eve.get(f"{PROJECTS}/{unknown}").status_code == 404
    assert eve.get(f"/api/tasks?project={unknown}").status_code == 400
    archive(project)
    assert eve.get(f"{PROJECTS}/{project.pk}").status_code == 403
