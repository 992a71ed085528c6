"""Labels of tasks: a set of names, which become labels of the space."""

from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Label, Task, TaskLabel
from tests.tasks.sharing import archive, delete, make_project, share
from tests.tasks.wire import details_of, error_of, titles


def create(api: APIClient, *labels: Any, title: str = "x") -> Any:
    body = {"title": title, "labels": [*labels]}
    return api.post("/api/tasks", body, format="json")


def test_labels_are_a_set_in_alphabetical_order(
    alice_api: APIClient, alice: User
) -> None:
    response = create(alice_api, "Zoo", "apple", " apple ", "zoo", "Ärger")

    assert response.json()["labels"] == ["apple", "zoo", "Ärger"]
    assert {each.name for each in Label.objects.filter(owner=alice)} == {
        *("apple", "zoo", "Ärger")
    }


def test_another_spelling_is_the_same_label(alice_api: APIClient) -> None:
    create(alice_api, "Garden")
    response = create(alice_api, "GARDEN")

    assert response.json()["labels"] == ["Garden"]
    assert Label.objects.count() == 1


def test_patch_replaces_the_set(alice_api: APIClient) -> None:
    pk = create(alice_api, "a", "b").json()["id"]
    body = {"labels": ["b", "c"]}
    response = alice_api.patch(f"/api/tasks/{pk}", body, format="json")

    assert (response.json()["labels"], response.json()["version"]) == (["b", "c"], 2)
    names = TaskLabel.objects.values_list("label__name", flat=True)
    assert sorted(names) == ["b", "c"]
    again = alice_api.patch(f"/api/tasks/{pk}", {"labels": ["C", "B"]}, format="json")
    assert again.json()["version"] == 2


@pytest.mark.usefixtures("more_than_a_page")
def test_label_counts_live_tasks_of_visible_projects(
    alice_api: APIClient, alice: User
) -> None:
    project = make_project(alice)
    pk = create(alice_api, "a").json()["id"]

    def total(query: str = "") -> int:
        body = alice_api.get(f"/api/tasks?label=a&limit=1{query}").json()
        return int(body["total"])

    several = alice_api.get("/api/tasks?label=a,b&limit=1").json()
    assert (total(), several["total"]) == (3, 3)
    alice_api.delete(f"/api/tasks/{pk}")
    assert total() == 2
    alice_api.post(f"/api/tasks/{pk}/restore")
    assert total() == 3
    move = {"projectId": str(project.pk)}
    alice_api.post(f"/api/tasks/{pk}/move", move, format="json")
    assert (total(), total(f"&project={project.pk}")) == (3, 1)
    archive(project)
    assert (total(), total("&archived=true"), total("&archived=all")) == (2, 1, 3)
    delete(project)
    assert (total(), total("&archived=all")) == (2, 2)


@pytest.fixture
def more_than_a_page(alice_api: APIClient) -> None:
    for _ in range(2):
        create(alice_api, "a", "b")


@pytest.mark.usefixtures("more_than_a_page")
def test_tasks_of_a_label_are_counted_without_reading_them(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    share(make_project(bob), alice)
    with CaptureQueriesContext(connection) as queries:
        alice_api.get("/api/tasks?label=a&limit=1")

    [counted] = [q["sql"] for q in queries if "COUNT(" in q["sql"]]
    assert '"tasks_task"' not in counted


@pytest.mark.usefixtures("more_than_a_page")
def test_label_counts_what_the_previous_release_deletes(alice_api: APIClient) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL serves two releases at once")
    one = Task.objects.latest("created_at")
    for deleted_at in (timezone.now(), None):
        Task.objects.filter(pk=one.pk).update(deleted_at=deleted_at)
        cache.clear()
        body = alice_api.get("/api/tasks?label=a&limit=1").json()
        assert body["total"] == (1 if deleted_at else 2)


def test_list_is_filtered_by_any_of_several(alice_api: APIClient) -> None:
    for title, labels in {"1": ["a"], "2": ["a", "b"], "3": ["c"], "4": []}.items():
        create(alice_api, *labels, title=title)

    def found(query: str) -> list[str]:
        return sorted(titles(alice_api.get(f"/api/tasks?label={query}")))

    assert found("a") == found("A") == ["1", "2"]
    assert found("b,c") == ["2", "3"]
    assert found("nothing") == []


def test_labels_of_another_space_are_others(
    alice_api: APIClient, bob_api: APIClient
) -> None:
    create(alice_api, "Garden")

    assert create(bob_api, "garden").json()["labels"] == ["garden"]
    assert Label.objects.count() == 2


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        (["a,b"], "labels.0"),
        ([""], "labels.0"),
        (["x" * 51], "labels.0"),
        ([1], "labels.0"),
        ([str(n) for n in range(21)], "labels"),
        ("a", "labels"),
    ],
)
def test_bad_labels_are_named(alice_api: APIClient, labels: Any, field: str) -> None:
    response = alice_api.post(
        "/api/tasks", {"title": "x", "labels": labels}, format="json"
    )

    assert [name for name, _ in details_of(response)] == [field]


def test_quota_of_labels_is_named(alice_api: APIClient, settings: Any) -> None:
    settings.QUOTA_LABELS = 2
    assert create(alice_api, "a", "b").status_code == 201
    assert create(alice_api, "a").status_code == 201
    response = create(alice_api, "c")

    assert response.status_code == 403
    assert error_of(response)["code"] == "QUOTA_EXCEEDED"
    assert error_of(response)["message"] == (
        "QUOTA_LABELS: this space has as many labels as a space may have."
    )


@pytest.mark.parametrize("path", ["", "/stats", "/export"])
def test_label_of_null_characters_is_refused(alice_api: APIClient, path: str) -> None:
    query = "?format=csv&label=a%00" if path == "/export" else "?label=a%00"
    response = alice_api.get(f"/api/tasks{path}{query}")

    assert response.status_code == 400
    assert [name for name, _ in details_of(response)] == ["label"]


def test_labels_of_a_space_are_counted_once_for_a_batch(alice_api: APIClient) -> None:
    def statements(first: int, last: int) -> int:
        data = [{"title": "x", "labels": [f"{n}"]} for n in range(first, last)]
        operations = [{"op": "create", "data": each} for each in data]
        with CaptureQueriesContext(connection) as queries:
            body = {"operations": operations}
            alice_api.post("/api/tasks/batch", body, format="json")
        return sum("COUNT(" in query["sql"] for query in queries)

    assert statements(0, 2) == statements(10, 40) == 1
