"""Labels as a resource of their own: `/api/labels`, and what becomes of their tasks."""

from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from tasks import access, usage
from tasks.models import Label, Membership, Project, Role, SpaceUsage, Task, TaskLabel
from tasks.operations import label_batches, relabel, space_labels
from tests.factories import make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import details_of, error_of, make_tasks, pages, titles, trash


def create(api: APIClient, name: Any = "Garden", **more: Any) -> Any:
    return api.post("/api/labels", {"name": name} | more, format="json")


def patch(api: APIClient, pk: Any, body: Any, **headers: Any) -> Any:
    return api.patch(f"/api/labels/{pk}", body, format="json", **headers)


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [each["name"] for each in response.json()["items"]]


def label_of(owner: User, name: str) -> Label:
    return Label.objects.get(owner=owner, name=name)


def texts() -> dict[str, str]:
    return dict(Task.objects.values_list("title", "labels"))


def join(user: User, owner: User, role: Role = Role.VIEWER) -> Project:
    """A project of the owner's that the user is a member of."""
    now = timezone.now()
    about = {"owner": owner, "name": "Allotment", "position": "a", "revision": 1}
    project = Project.objects.create(created_at=now, updated_at=now, **about)
    Membership.objects.create(project=project, user=user, role=role, joined_at=now)
    access.update_reads_projects(user.pk)
    return project


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (relabel, label_batches):
        monkeypatch.setattr(module, "BATCH_TASKS", 2)


# Making, reading


def test_label_is_made_with_all_its_fields(alice_api: APIClient, clock: Clock) -> None:
    response = create(alice_api, " Garden ", color="#1E90FF")
    now = clock.time.isoformat().replace("+00:00", "Z")
    label = Label.objects.get()

    assert response.status_code == 201
    assert response["Location"] == f"/api/labels/{label.pk}"
    assert response["ETag"] == '"v1"'
    assert response.json() == {
        "id": str(label.pk),
        "name": "Garden",
        "color": "#1e90ff",
        "version": 1,
        "createdAt": now,
        "updatedAt": now,
    }
    assert alice_api.get(response["Location"]).json() == response.json()


@pytest.mark.parametrize("taken", ["GARDEN", "Ga\u0308rten"])
def test_name_is_taken_in_any_spelling(alice_api: APIClient, taken: str) -> None:
    create(alice_api, "Garden")
    create(alice_api, "G\u00e4rten")
    response = create(alice_api, taken)

    assert response.status_code == 409
    assert error_of(response)["code"] == "CONFLICT"
    assert Label.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a,b"}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"name": 1}, "name"),
        ({"name": "x", "color": "red"}, "color"),
        ({"name": "x", "color": "#12345\n"}, "color"),
        ({"name": "x", "size": 1}, "size"),
    ],
)
def test_bad_label_is_refused(alice_api: APIClient, body: Any, field: str) -> None:
    response = alice_api.post("/api/labels", body, format="json")

    assert [name for name, _ in details_of(response)] == [field]


def test_retried_post_makes_one_label(alice_api: APIClient) -> None:
    body, key = {"name": "Garden"}, {"HTTP_IDEMPOTENCY_KEY": "once"}
    first, second = (
        alice_api.post("/api/labels", body, format="json", **key) for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (201, 201)
    assert second["Idempotency-Replayed"] == "true"
    assert second["ETag"] == '"v1"'
    assert first.content == second.content
    assert Label.objects.count() == 1


def test_quota_is_named(alice_api: APIClient, settings: Any) -> None:
    settings.QUOTA_LABELS = 1
    create(alice_api, "a")
    response = create(alice_api, "b")

    assert response.status_code == 403
    assert error_of(response)["code"] == "QUOTA_EXCEEDED"


def test_label_that_the_client_has_is_not_sent_again(alice_api: APIClient) -> None:
    url = create(alice_api)["Location"]

    assert alice_api.get(url, HTTP_IF_NONE_MATCH='"v1"').status_code == 304
    assert alice_api.get(url, HTTP_IF_NONE_MATCH='"v2"').status_code == 200
    assert alice_api.get(url, HTTP_IF_MATCH='"v2"').status_code == 412


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_labels_of_others_are_out_of_reach(
    alice_api: APIClient, bob_api: APIClient, alice: User, bob: User, method: str
) -> None:
    """Also for a manager of a project: labels are the owner's."""
    join(bob, alice, Role.MANAGER)
    pk = create(alice_api).json()["id"]
    body = {"name": "Yard"} if method == "patch" else None
    send = getattr(bob_api, method)
    missing = send(f"/api/labels/{uuid4()}", body, format="json")
    foreign = send(f"/api/labels/{pk}", body, format="json")

    assert (missing.status_code, foreign.status_code) == (404, 403)
    assert error_of(missing)["message"] == "Label not found."
    assert error_of(foreign)["message"] == "This label belongs to somebody else."
    assert Label.objects.get().version == 1


# Lists


def test_list_is_by_name_in_any_case(alice_api: APIClient, bob_api: APIClient) -> None:
    for name in ("b", "C", "a", "\u00c4", "Z"):
        create(alice_api, name)
    create(bob_api, "bob's")
    in_order = ["a", "b", "C", "Z", "\u00c4"]

    assert names(alice_api.get("/api/labels")) == in_order
    walk = [names(page) for page in pages(alice_api, "/api/labels", {"limit": 2})]
    assert walk == [["a", "b"], ["C", "Z"], ["\u00c4"]]
    assert names(alice_api.get("/api/labels?limit=2&page=2")) == ["C", "Z"]


def test_walk_shows_no_label_twice(alice_api: APIClient) -> None:
    pk = create(alice_api, "a").json()["id"]
    for name in "bcd":
        create(alice_api, name)
    walk = pages(alice_api, "/api/labels", {"limit": 2})
    seen = names(next(walk))
    patch(alice_api, pk, {"name": "z"})

    assert seen + names(next(walk)) == ["a", "b", "c", "d"]


def test_list_is_searched(alice_api: APIClient) -> None:
    for name in ("Garden", "car", "house"):
        create(alice_api, name)

    assert names(alice_api.get("/api/labels?q=AR")) == ["car", "Garden"]
    assert names(alice_api.get("/api/labels?q=%25")) == []


def test_labels_of_a_project_are_those_of_its_live_tasks(
    alice_api: APIClient, bob_api: APIClient, alice: User, bob: User
) -> None:
    project = join(bob, alice)
    for title, labels in {"1": ["b", "a"], "2": ["a"], "3": ["gone"]}.items():
        task = make_task(alice, title=title, labels=labels, project_id=project.pk)
    trash(task)
    make_task(alice, labels=["elsewhere"])
    query = f"/api/labels?project={project.pk}"

    assert names(alice_api.get(query)) == names(bob_api.get(query)) == ["a", "b"]
    assert names(bob_api.get("/api/labels")) == []
    about = {"project": project.pk, "limit": 1}
    walk = [names(page) for page in pages(bob_api, "/api/labels", about)]
    assert walk == [["a"], ["b"]]


def test_project_has_to_be_one_that_may_be_read(
    alice_api: APIClient, bob_api: APIClient, alice: User, bob: User
) -> None:
    project = join(bob, alice)
    Membership.objects.all().delete()
    for query in (uuid4(), "x", f"{project.pk},{project.pk}"):
        response = alice_api.get(f"/api/labels?project={query}")
        assert details_of(response) == [("project", "invalid")]

    assert bob_api.get(f"/api/labels?project={project.pk}").status_code == 403


@pytest.mark.parametrize("query", ["sort=name", "status=TODO", "page=0", "cursor=x"])
def test_bad_query_is_refused(alice_api: APIClient, query: str) -> None:
    response = alice_api.get(f"/api/labels?{query}")

    assert [name for name, _ in details_of(response)] == [query.split("=")[0]]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("count", [1, 50])
def test_list_costs_the_same_however_long(alice_api: APIClient, count: int) -> None:
    for number in range(count):
        create(alice_api, f"{number}")
    with CaptureQueriesContext(connection) as queries:
        alice_api.get("/api/labels?limit=100")

    assert len(queries) == 3  # the caller, the count, the page


# Renaming


def test_renaming_renames_on_every_task(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    make_task(alice, title="1", labels=["garden", "zoo"])
    trash(make_task(alice, title="2", labels=["Garden"]))
    make_task(alice, title="3", labels=["zoo"])
    label = label_of(alice, "garden")
    clock.advance(minutes=1)
    before = alice_api.get("/api/tasks")
    response = patch(alice_api, label.pk, {"name": "zzz"})

    assert (response.status_code, response["ETag"]) == (200, '"v2"')
    assert texts() == {"1": "zoo,zzz", "2": "zzz", "3": "zoo"}
    assert titles(alice_api.get("/api/tasks?label=ZZZ")) == ["1"]
    assert titles(alice_api.get("/api/tasks?label=garden")) == []
    alice.refresh_from_db()
    for title, version in (("1", 2), ("2", 3)):
        task = Task.objects.get(title=title)
        assert (task.version, task.updated_at) == (version, clock.time)
        assert task.revision == alice.revision
    assert Label.objects.get(pk=label.pk).revision == alice.revision
    assert Task.objects.get(title="3").version == 1
    assert alice_api.get("/api/tasks")["ETag"] != before["ETag"]


def test_renaming_is_in_the_history(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    task = make_task(alice, labels=["garden", "a"])
    response = patch(alice_api, label_of(alice, "garden").pk, {"name": "Yard"})
    [change, _] = alice_api.get(f"/api/tasks/{task.pk}/history").json()["items"]

    fields = [{"field": "labels", "from": ["a", "garden"], "to": ["a", "Yard"]}]
    assert change == {
        "version": 2,
        "changedBy": str(alice.pk),
        "changedAt": clock.time.isoformat().replace("+00:00", "Z"),
        "requestId": response["X-Request-Id"],
        "changes": fields,
    }


def test_another_spelling_of_the_name_is_no_other_label(
    alice_api: APIClient, alice: User
) -> None:
    make_task(alice, title="1", labels=["garden"])
    response = patch(alice_api, label_of(alice, "garden").pk, {"name": "GARDEN"})

    assert response.json()["name"] == "GARDEN"
    assert texts() == {"1": "GARDEN"}


def test_colour_changes_no_task(alice_api: APIClient, alice: User) -> None:
    make_task(alice, labels=["garden"])
    pk = label_of(alice, "garden").pk
    response = patch(alice_api, pk, {"color": "#00ff00"})

    assert response.json()["color"] == "#00ff00"
    assert patch(alice_api, pk, {"color": None}).json()["version"] == 3
    assert Task.objects.get().version == 1


def test_what_changes_nothing_moves_nothing(alice_api: APIClient, alice: User) -> None:
    make_task(alice, labels=["garden"])
    alice.refresh_from_db()
    response = patch(alice_api, label_of(alice, "garden").pk, {"name": "garden"})
    empty = patch(alice_api, label_of(alice, "garden").pk, {})

    assert response.json()["version"] == empty.json()["version"] == 1
    revision = alice.revision
    alice.refresh_from_db()
    assert alice.revision == revision


def test_new_name_may_not_be_taken(alice_api: APIClient, alice: User) -> None:
    make_task(alice, title="1", labels=["a", "b"])
    response = patch(alice_api, label_of(alice, "a").pk, {"name": "B"})

    assert response.status_code == 409
    assert texts() == {"1": "a,b"}
    assert label_of(alice, "a").version == 1


def test_renaming_writes_many_tasks_in_few_statements(
    alice_api: APIClient, alice: User
) -> None:
    counts = []
    for number in (1, 60):
        make_tasks(alice, [{"labels": [f"of {number}"]}] * number)
        pk = label_of(alice, f"of {number}").pk
        with CaptureQueriesContext(connection) as queries:
            patch(alice_api, pk, {"name": f"new {number}"})
        counts.append(len([q for q in queries if "executemany" not in q["sql"]]))

    assert Task.objects.filter(labels="new 60").count() == 60
    assert counts[1] <= counts[0] + 1


@pytest.mark.parametrize(
    ("if_match", "status"),
    [('"v1"', 200), ("*", 200), ('"v2"', 412), ('W/"v1"', 412), ("v1", 400)],
)
@pytest.mark.parametrize("method", ["patch", "delete"])
def test_changes_heed_if_match(
    alice_api: APIClient, alice: User, if_match: str, status: int, method: str
) -> None:
    make_task(alice, labels=["a"])
    url = f"/api/labels/{label_of(alice, 'a').pk}"
    body = {"name": "b"} if method == "patch" else None
    send = getattr(alice_api, method)
    response = send(url, body, format="json", HTTP_IF_MATCH=if_match)

    wanted = 204 if (method, status) == ("delete", 200) else status
    assert response.status_code == wanted
    assert (Task.objects.get().labels == "a") == (status != 200)
    if status == 412:
        assert response["ETag"] == '"v1"'
        assert error_of(response)["current"]["name"] == "a"


def test_version_in_the_body_is_a_precondition(alice_api: APIClient) -> None:
    pk = create(alice_api).json()["id"]

    assert patch(alice_api, pk, {"name": "x", "version": 2}).status_code == 412
    url = f"/api/labels/{pk}"
    assert alice_api.delete(url, {"version": 2}, format="json").status_code == 412
    assert alice_api.delete(url, {"version": 1}, format="json").status_code == 204


# Deleting


def test_deleting_takes_it_off_every_task(alice_api: APIClient, alice: User) -> None:
    make_task(alice, title="1", labels=["garden", "zoo"])
    trash(make_task(alice, title="2", labels=["garden"]))
    pk = label_of(alice, "garden").pk
    response = alice_api.delete(f"/api/labels/{pk}")

    assert (response.status_code, response.content) == (204, b"")
    assert texts() == {"1": "zoo", "2": ""}
    assert list(TaskLabel.objects.values_list("label__name", flat=True)) == ["zoo"]
    task = Task.objects.get(title="1")
    change = task.changes.get(version=2)
    fields = [{"field": "labels", "from": ["garden", "zoo"], "to": ["zoo"]}]
    assert change.fields == fields
    assert alice_api.get(f"/api/labels/{pk}").status_code == 404
    assert alice_api.delete(f"/api/labels/{pk}").status_code == 404


def test_label_without_tasks_is_deleted_as_well(
    alice_api: APIClient, alice: User
) -> None:
    pk = create(alice_api).json()["id"]
    alice.refresh_from_db()
    before = alice.revision

    assert alice_api.delete(f"/api/labels/{pk}").status_code == 204
    alice.refresh_from_db()
    assert alice.revision == before + 1


# Many tasks


def test_too_many_tasks_are_left_to_a_command(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space_labels, "MAX_TASKS", 3)
    make_tasks(alice, [{"labels": ["many"]}] * 5)
    pk = label_of(alice, "many").pk
    renamed = patch(alice_api, pk, {"name": "lots"})
    deleted = alice_api.delete(f"/api/labels/{pk}")

    assert (renamed.status_code, deleted.status_code) == (409, 409)
    assert error_of(renamed)["message"] == (
        "5 tasks have this label; one request changes at most 3, with 500,000 "
        "characters of text. The operator can do it with `manage.py rename_label`."
    )
    assert "`manage.py delete_label`" in error_of(deleted)["message"]
    assert label_of(alice, "many").version == 1
    assert patch(alice_api, pk, {"color": "#000000"}).status_code == 200


@pytest.mark.parametrize(("limit", "status"), [(32, 200), (31, 409)])
def test_much_text_is_left_to_a_command(
    alice_api: APIClient,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
    status: int,
) -> None:
    monkeypatch.setattr(space_labels, "MAX_CHARACTERS", limit)
    row = {"title": "Water", "description": "the plants.", "labels": ["a"]}
    make_tasks(alice, [row] * 2)

    assert (
        patch(alice_api, label_of(alice, "a").pk, {"name": "b"}).status_code == status
    )


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_command_renames_in_batches(alice: User, count: int) -> None:
    make_tasks(alice, [{"labels": ["many", "a"]}] * count)
    create_label(alice, "many")
    out = StringIO()
    call_command("rename_label", alice.email, "MANY", "Lots", stdout=out)

    assert out.getvalue() == f"Renamed on {count} tasks.\n"
    assert {*Task.objects.values_list("labels", flat=True)} <= {"a,Lots"}
    assert label_of(alice, "Lots").version == 2


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_command_deletes_in_batches(alice: User, count: int) -> None:
    make_tasks(alice, [{"labels": ["many", "a"]}] * count)
    create_label(alice, "many")
    out = StringIO()
    call_command("delete_label", alice.email, "many", stdout=out)

    assert out.getvalue() == f"Taken off {count} tasks, and deleted.\n"
    assert {*Task.objects.values_list("labels", flat=True)} <= {"a"}
    assert not Label.objects.filter(key="many").exists()


def create_label(owner: User, name: str) -> None:
    if not Label.objects.filter(owner=owner, key=name).exists():
        space_labels.create_label({"name": name}, label_batches.context(owner.pk))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("command", ["rename", "delete"])
def test_interrupted_command_goes_on(
    alice_api: APIClient, alice: User, command: str
) -> None:
    make_tasks(alice, [{"title": f"{n}", "labels": ["many"]} for n in range(5)])
    write = getattr(label_batches, f"{command}_label")
    arguments = ["many", "lots"] if command == "rename" else ["many"]
    assert next(write(alice.pk, *arguments)) == 2  # and no more

    if command == "rename":
        assert sorted(texts().values()) == ["lots"] * 2 + ["many"] * 3
        # Whatever a task shows meanwhile, it has the one label.
        assert len(titles(alice_api.get("/api/tasks?label=lots"))) == 5
        old = Task.objects.filter(labels="many")[0]
        body = {"labels": ["many"]}
        alice_api.patch(f"/api/tasks/{old.pk}", body, format="json")
        assert Label.objects.count() == 1
    assert sum(write(alice.pk, *arguments)) == 3
    assert {*texts().values()} == {"lots" if command == "rename" else ""}
    assert {*Task.objects.values_list("version", flat=True)} == {2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing", "b"), "Label not found."),
        (("a", "B"), 'There is a label "b" already.'),
        (("a", "x,y"), "Error: argument new_name: invalid label_name value: 'x,y'"),
    ],
)
def test_command_tells_what_is_wrong(alice: User, arguments: Any, message: str) -> None:
    make_task(alice, labels=["a", "b"])
    if arguments[0] == "nothing":
        Label.objects.filter(name="b").delete()
    with pytest.raises(CommandError) as caught:
        call_command("rename_label", alice.email, *arguments)

    assert str(caught.value) == message


def test_renaming_counts_against_the_quota(
    alice_api: APIClient, alice: User, settings: Any
) -> None:
    settings.QUOTA_BYTES = settings.QUOTA_TASKS = 10**9
    make_task(alice, labels=["a", "c"])
    patch(alice_api, label_of(alice, "a").pk, {"name": "b"})
    create(alice_api, "d")
    alice_api.delete(f"/api/labels/{label_of(alice, 'c').pk}")

    stored, found = SpaceUsage.objects.get(pk=alice.pk), usage.count(alice.pk)
    alice.refresh_from_db()
    assert (stored.octets, stored.revision) == (found.octets, alice.revision)
    settings.QUOTA_BYTES = 1
    refused = patch(alice_api, label_of(alice, "b").pk, {"name": "e"})
    assert error_of(refused)["code"] == "QUOTA_EXCEEDED"
    assert alice_api.delete(f"/api/labels/{label_of(alice, 'b').pk}").status_code == 204
