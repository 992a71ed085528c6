"""`/api/tasks/{id}/comments`: who writes, reads, edits and deletes them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from tasks import personal_data, usage
from tasks.models import Comment, Membership, Project, Role, SpaceUsage, Task, TaskLabel
from tasks.models import tasks as task_models
from tasks.operations import comments
from tasks.operations.comments import create_comment
from tests.factories import api_of, make_task, make_user
from tests.tasks.conftest import Clock
from tests.tasks.sharing import hide, leave, make_project, share, task_in
from tests.tasks.wire import author, details_of, error_of, ids, trash, walk

WRITES = ["create", "update", "delete"]
OPERATIONS = ["list", "get", *WRITES]


def url(task: Task, comment: Any = None) -> str:
    path = f"/api/tasks/{task.pk}/comments"
    return f"{path}/{comment}" if comment else path


def post(api: APIClient, task: Task, text: Any = "Hello", **headers: Any) -> Any:
    return api.post(url(task), {"text": text}, format="json", **headers)


def write(api: APIClient, task: Task, text: str = "Hello") -> str:
    response = post(api, task, text)
    assert response.status_code == 201, response.content
    return str(response.json()["id"])


def patch(api: APIClient, task: Task, pk: Any, **body: Any) -> Any:
    headers = {"headers": {"If-Match": tag}} if (tag := body.pop("tag", None)) else {}
    return api.patch(url(task, pk), body, format="json", **headers)


def attempt(api: APIClient, operation: str, task: Task, pk: Any) -> Any:
    match operation:
        case "list":
            return api.get(url(task))
        case "get":
            return api.get(url(task, pk))
        case "create":
            return post(api, task)
        case "update":
            return patch(api, task, pk, text="Changed")
    return api.delete(url(task, pk))


def revision_of(user: User) -> int:
    user.refresh_from_db()
    return user.revision


@pytest.fixture
def project(alice: User) -> Project:
    return make_project(alice)


@pytest.fixture
def shared(project: Project) -> Task:
    return task_in(project)


def test_comment_is_written_and_read(
    alice_api: APIClient, alice: User, task: Task, clock: Clock
) -> None:
    response = post(alice_api, task, " It is\nwet. ")

    now = clock.time.isoformat().replace("+00:00", "Z")
    assert response.status_code == 201
    assert response["ETag"] == '"v1"'
    assert response.json() == {
        "id": response.json()["id"],
        "taskId": str(task.pk),
        "authorId": str(alice.pk),
        "text": " It is\nwet. ",
        "version": 1,
        "createdAt": now,
        "updatedAt": now,
    }
    assert response["Location"] == url(task, response.json()["id"])
    read = alice_api.get(response["Location"])
    assert (read.json(), read["ETag"]) == (response.json(), '"v1"')
    assert alice_api.get(url(task)).json()["items"] == [response.json()]


def test_comment_is_a_write_in_the_space_but_no_change_of_the_task(
    alice_api: APIClient, alice: User, task: Task
) -> None:
    before, revision = alice_api.get(f"/api/tasks/{task.pk}"), revision_of(alice)
    tag = alice_api.get("/api/tasks")["ETag"]
    pk = write(alice_api, task)

    assert revision_of(alice) == revision + 1
    assert Comment.objects.get().revision == revision + 1
    patch(alice_api, task, pk, text="Changed")
    assert Comment.objects.get().revision == revision_of(alice) == revision + 2
    alice_api.delete(url(task, pk))
    assert revision_of(alice) == revision + 3
    after = alice_api.get(f"/api/tasks/{task.pk}")
    assert (after.json(), after["ETag"]) == (before.json(), before["ETag"])
    assert alice_api.get("/api/tasks")["ETag"] != tag


@pytest.mark.parametrize("text", ["x", "x" * 10_000, "\u20ac" * 10_000])
def test_text_has_1_to_10000_characters(
    alice_api: APIClient, task: Task, text: str
) -> None:
    assert post(alice_api, task, text).json()["text"] == text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "required"),
        ({"text": ""}, "blank"),
        ({"text": " \n"}, "blank"),
        ({"text": "x" * 10_001}, "max_length"),
        ({"text": None}, "null"),
        ({"text": 1}, "invalid"),
        ({"text": "a\x00"}, "null_characters_not_allowed"),
    ],
)
def test_bad_text_is_refused(
    alice_api: APIClient, task: Task, body: Any, code: str
) -> None:
    response = alice_api.post(url(task), body, format="json")

    assert details_of(response) == [("text", code)]
    assert not Comment.objects.exists()


def test_unknown_field_is_named_and_what_the_server_sets_may_be_echoed(
    alice_api: APIClient, task: Task
) -> None:
    shown = post(alice_api, task).json()
    echoed = alice_api.patch(url(task, shown["id"]), shown, format="json")
    again = alice_api.post(url(task), shown, format="json")

    assert (echoed.status_code, echoed.json()) == (200, shown)
    assert again.json()["id"] != shown["id"]
    wrong = alice_api.post(url(task), {"text": "x", "author": 1}, format="json")
    assert details_of(wrong) == [("author", "unknown")]


def test_list_has_the_oldest_first_whatever_the_clocks_of_replicas_say(
    alice_api: APIClient, task: Task, clock: Clock
) -> None:
    written = [write(alice_api, task), write(alice_api, task)]
    clock.time -= timedelta(seconds=30)
    written += [write(alice_api, task), write(alice_api, task)]

    assert ids(alice_api.get(url(task))) == written
    edited = patch(alice_api, task, written[0], text="Later").json()
    assert edited["createdAt"] <= edited["updatedAt"]
    assert ids(alice_api.get(url(task))) == written


def test_pages_are_numbered_and_counted(alice_api: APIClient, task: Task) -> None:
    written = [write(alice_api, task) for _ in range(5)]
    page = alice_api.get(url(task), {"page": 2, "limit": 2}).json()

    assert [each["id"] for each in page["items"]] == written[2:4]
    about = [page[name] for name in ("total", "totalIsExact", "page", "totalPages")]
    assert about == [5, True, 2, 3]
    assert details_of(alice_api.get(url(task), {"sort": "-createdAt"})) == [
        ("sort", "unknown")
    ]


def test_walk_misses_and_repeats_nothing_while_others_write(
    alice_api: APIClient, task: Task, alice: User
) -> None:
    written = [write(alice_api, task) for _ in range(6)]

    def meddle(seen: list[str]) -> None:
        if len(seen) > 6:
            return
        alice_api.delete(url(task, seen[0]))
        patch(alice_api, task, seen[1], text=f"Changed {len(seen)}")
        written.append(write(alice_api, task))

    seen = walk(alice_api, {"limit": 2}, url(task), meddle)

    assert seen == written
    assert len(seen) == 9


def test_list_has_a_tag(alice_api: APIClient, task: Task) -> None:
    pk = write(alice_api, task)
    tag = alice_api.get(url(task))["ETag"]

    assert tag.startswith('W/"')
    assert alice_api.get(url(task), headers={"If-None-Match": tag}).status_code == 304
    patch(alice_api, task, pk, text="Changed")
    changed = alice_api.get(url(task), headers={"If-None-Match": tag})
    assert (changed.status_code, changed["ETag"] == tag) == (200, False)


def test_list_of_comments_takes_the_same_queries_however_many_there_are(
    alice_api: APIClient, task: Task, clock: Clock
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert alice_api.get(url(task)).status_code == 200
        return len(queries)

    count()
    few = count()
    for _ in range(3):
        write(alice_api, task)
    assert count() == few <= 5


# Who may do what. Bob wrote one of the comments, Alice owns the space.
BY_ROLE = {
    Role.VIEWER: {"list", "get"},
    Role.EDITOR: {"list", "get", "create"},
    Role.MANAGER: {"list", "get", "create", "delete"},
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("role", BY_ROLE)
def test_role_decides_what_may_be_done_with_comments_of_others(
    project: Project, shared: Task, alice_api: APIClient, role: Role, operation: str
) -> None:
    carol = make_user("carol")
    share(project, carol, role)
    pk = write(alice_api, shared)
    response = attempt(api_of(carol), operation, shared, pk)

    assert (response.status_code < 300) is (operation in BY_ROLE[role])
    assert response.status_code in {200, 201, 204, 403}
    if response.status_code == 403:
        assert error_of(response)["code"] == "FORBIDDEN"
        assert Comment.objects.get().text == "Hello"


@pytest.mark.parametrize(
    ("role", "update", "delete"),
    [(Role.VIEWER, 403, 204), (Role.EDITOR, 200, 204), (Role.MANAGER, 200, 204)],
)
def test_author_edits_as_an_editor_and_deletes_in_any_role(
    project: Project,
    shared: Task,
    bob: User,
    bob_api: APIClient,
    role: Role,
    update: int,
    delete: int,
) -> None:
    member = share(project, bob, Role.EDITOR)
    pk = write(bob_api, shared)
    Membership.objects.filter(pk=member.pk).update(role=role)

    assert patch(bob_api, shared, pk, text="Changed").status_code == update
    assert bob_api.delete(url(shared, pk)).status_code == delete


def test_owner_deletes_and_does_not_edit_what_others_wrote(
    project: Project, shared: Task, bob: User, bob_api: APIClient, alice_api: APIClient
) -> None:
    share(project, bob, Role.EDITOR)
    pk = write(bob_api, shared)

    assert alice_api.get(url(shared, pk)).json()["authorId"] == str(bob.pk)
    refused = patch(alice_api, shared, pk, text="Changed")
    assert refused.status_code == 403
    assert error_of(refused)["message"] == "This comment was written by somebody else."
    assert alice_api.delete(url(shared, pk)).status_code == 204
    assert alice_api.get(url(shared, pk)).status_code == 404


@pytest.mark.parametrize("operation", OPERATIONS)
def test_stranger_is_forbidden(
    alice_api: APIClient, bob_api: APIClient, task: Task, operation: str
) -> None:
    response = attempt(bob_api, operation, task, write(alice_api, task))

    assert response.status_code == 403
    assert error_of(response)["message"] == "This task belongs to somebody else."


@pytest.mark.parametrize("operation", OPERATIONS)
def test_access_that_ended_is_gone(
    project: Project, shared: Task, bob: User, bob_api: APIClient, operation: str
) -> None:
    member = share(project, bob, Role.MANAGER)
    pk = write(bob_api, shared)
    leave(member)

    assert attempt(bob_api, operation, shared, pk).status_code == 403


@pytest.mark.parametrize("operation", OPERATIONS)
def test_unknown_task_and_comment_are_not_found(
    alice_api: APIClient, task: Task, alice: User, operation: str
) -> None:
    unknown = Task(pk=uuid4())
    response = attempt(alice_api, operation, unknown, uuid4())
    assert response.status_code == 404
    assert error_of(response)["message"] == "Task not found."

    if operation in {"get", "update", "delete"}:
        elsewhere = write(alice_api, make_task(alice))
        for pk in (uuid4(), elsewhere):
            response = attempt(alice_api, operation, task, pk)
            assert response.status_code == 404
            assert error_of(response)["message"] == "Comment not found."


@pytest.mark.parametrize("operation", OPERATIONS)
def test_comments_of_an_archived_project_are_read_and_not_written(
    alice_api: APIClient, project: Project, shared: Task, operation: str
) -> None:
    pk = write(alice_api, shared)
    hide(project, archived_at=timezone.now())
    response = attempt(alice_api, operation, shared, pk)

    assert response.status_code == (409 if operation in WRITES else 200)
    assert Comment.objects.get().version == 1


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("column", ["deleted_at", "destroyed_at"])
def test_comments_of_a_project_in_the_trash_are_not_found(
    alice_api: APIClient,
    bob: User,
    bob_api: APIClient,
    project: Project,
    shared: Task,
    operation: str,
    column: str,
) -> None:
    share(project, bob, Role.MANAGER)
    pk = write(bob_api, shared)
    hide(project, **{column: timezone.now(), "deleted_at": timezone.now()})

    for api in (alice_api, bob_api):
        response = attempt(api, operation, shared, pk)
        # What was destroyed has no members any more.
        expected = 403 if (api, column) == (bob_api, "destroyed_at") else 404
        assert response.status_code == expected


@pytest.mark.parametrize("operation", OPERATIONS)
def test_comments_of_a_task_in_the_trash_are_read_and_not_written(
    alice_api: APIClient,
    bob: User,
    bob_api: APIClient,
    project: Project,
    shared: Task,
    operation: str,
) -> None:
    share(project, bob, Role.EDITOR)
    pk = write(alice_api, shared)
    trash(shared)
    expected = 404 if operation in WRITES else 200

    for api in (alice_api, bob_api):
        assert attempt(api, operation, shared, pk).status_code == expected
    hide(project, deleted_at=timezone.now())
    # The trash is the owner's.
    assert attempt(alice_api, operation, shared, pk).status_code == expected
    assert attempt(bob_api, operation, shared, pk).status_code == 404


def test_nothing_of_an_erased_owner_is_there(
    project: Project, shared: Task, alice: User, bob: User, bob_api: APIClient
) -> None:
    share(project, bob, Role.EDITOR)
    alice.erase(now=timezone.now())

    assert post(bob_api, shared).status_code == 404


def test_account_that_is_erased_meanwhile_writes_nothing(
    project: Project,
    shared: Task,
    bob: User,
    bob_api: APIClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    share(project, bob, Role.EDITOR)
    find_owner = comments.find_owner

    def erase_first(task_id: Any) -> Any:
        bob.erase(now=timezone.now())
        return find_owner(task_id)

    monkeypatch.setattr(comments, "find_owner", erase_first)

    assert post(bob_api, shared).status_code == 401
    assert not Comment.objects.exists()


def test_precondition_is_that_of_the_comment(alice_api: APIClient, task: Task) -> None:
    pk = write(alice_api, task)
    first = patch(alice_api, task, pk, text="One", tag='"v1"')
    assert (first.status_code, first["ETag"], first.json()["version"]) == (
        *(200, '"v2"'),
        2,
    )
    for stale in (
        patch(alice_api, task, pk, text="Two", tag='"v1"'),
        patch(alice_api, task, pk, text="Two", version=1),
        alice_api.delete(url(task, pk), headers={"If-Match": '"v1"'}),
        alice_api.delete(url(task, pk), {"version": 1}, format="json"),
        alice_api.get(url(task, pk), headers={"If-Match": '"v1"'}),
    ):
        assert stale.status_code == 412
        assert error_of(stale)["current"] == first.json()
        assert stale["ETag"] == '"v2"'
    assert patch(alice_api, task, pk, text="Two", version=2).status_code == 200
    deleted = alice_api.delete(url(task, pk), headers={"If-Match": '"v3"'})
    assert deleted.status_code == 204


@pytest.mark.parametrize("body", [{}, {"text": "Hello"}, {"version": 1}])
def test_change_that_changes_nothing_moves_nothing(
    alice_api: APIClient, alice: User, task: Task, body: Any
) -> None:
    pk = write(alice_api, task)
    revision = revision_of(alice)
    before = alice_api.get(url(task, pk))
    response = patch(alice_api, task, pk, **body)

    assert (response.status_code, response.json()) == (200, before.json())
    assert response["ETag"] == before["ETag"]
    assert revision_of(alice) == revision


def test_writer_of_another_space_moves_that_space_only(
    project: Project, shared: Task, alice: User, bob: User, bob_api: APIClient
) -> None:
    share(project, bob, Role.EDITOR)
    before = [revision_of(alice), revision_of(bob)]
    write(bob_api, shared)

    assert [revision_of(alice), revision_of(bob)] == [before[0] + 1, before[1]]


def test_repeated_request_writes_once(alice_api: APIClient, task: Task) -> None:
    first = post(alice_api, task, HTTP_IDEMPOTENCY_KEY="k")
    second = post(alice_api, task, HTTP_IDEMPOTENCY_KEY="k")
    other = post(alice_api, task, "Other", HTTP_IDEMPOTENCY_KEY="k")

    assert second["Idempotency-Replayed"] == "true"
    assert second.content == first.content
    assert [second[name] for name in ("Location", "ETag")] == [
        first[name] for name in ("Location", "ETag")
    ]
    assert other.status_code == 422
    assert Comment.objects.count() == 1


@pytest.mark.parametrize("end", ["leave", "destroy the task", "delete the project"])
def test_response_is_not_replayed_after_access_ended(
    project: Project,
    shared: Task,
    alice_api: APIClient,
    bob: User,
    bob_api: APIClient,
    end: str,
) -> None:
    member = share(project, bob, Role.EDITOR)
    assert post(bob_api, shared, HTTP_IDEMPOTENCY_KEY="k").status_code == 201
    if end == "leave":
        leave(member)
    elif end == "delete the project":
        hide(project, deleted_at=timezone.now())
    else:
        alice_api.delete(f"/api/tasks/{shared.pk}")
        alice_api.delete(f"/api/tasks/trash/{shared.pk}")
    replayed = post(bob_api, shared, HTTP_IDEMPOTENCY_KEY="k")

    assert (replayed.status_code, error_of(replayed)["code"]) == (403, "FORBIDDEN")


def test_quota_is_that_of_the_task(
    alice_api: APIClient,
    alice: User,
    project: Project,
    shared: Task,
    bob: User,
    bob_api: APIClient,
    settings: Any,
) -> None:
    settings.QUOTA_COMMENTS = 2
    share(project, bob, Role.EDITOR)
    first = write(bob_api, shared)
    write(alice_api, shared)
    revision = revision_of(alice)

    for api in (alice_api, bob_api):
        refused = post(api, shared)
        assert refused.status_code == 403
        assert error_of(refused) == {
            "code": "QUOTA_EXCEEDED",
            "message": "QUOTA_COMMENTS: this task has as many comments as a task may "
            "have.",
        }
        assert "Retry-After" not in refused
    assert revision_of(alice) == revision
    assert patch(bob_api, shared, first, text="Changed").status_code == 200
    write(alice_api, task_in(project))
    alice_api.delete(url(shared, first))
    write(alice_api, shared)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="writes one after the other")
def test_writers_at_once_stay_within_the_quota_and_in_order(settings: Any) -> None:
    settings.QUOTA_COMMENTS = 5
    owner = make_user(f"at-once-{uuid4().hex}")
    project = make_project(owner)
    task = task_in(project)
    editors = [make_user(f"at-once-{uuid4().hex}") for _ in range(3)]
    for editor in editors:
        share(project, editor, Role.EDITOR)

    def attempt_one(user: User) -> int:
        try:
            status: int = post(api_of(user), task).status_code
            return status
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(attempt_one, [owner, *editors] * 4))

    assert sorted(statuses) == [201] * 5 + [403] * 11
    written = Comment.objects.filter(task=task).order_by("created_at")
    revisions = list(written.values_list("revision", flat=True))
    assert revisions == sorted(set(revisions))
    assert len(set(written.values_list("created_at", flat=True))) == 5


def test_bytes_of_comments_count(
    alice_api: APIClient, alice: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.QUOTA_BYTES = 10**9
    task, other = make_task(alice), make_task(alice)
    count = usage.count
    # Each adds what it changes, and counts nothing else.
    monkeypatch.setattr(usage, "count", None)

    def counted() -> int:
        told, found = SpaceUsage.objects.get(), count(alice.pk)
        assert (told.tasks, told.octets) == (found.tasks, found.octets)
        assert told.revision == revision_of(alice)
        return told.octets

    before = counted()
    pk = write(alice_api, task, "\u20ac" * 1000)
    write(alice_api, other, "abc")
    assert counted() == before + 3003
    patch(alice_api, task, pk, text="x")
    assert counted() == before + 4
    alice_api.delete(url(task, pk))
    assert counted() == before + 3
    alice_api.delete(f"/api/tasks/{other.pk}")
    alice_api.delete(f"/api/tasks/trash/{other.pk}")
    counted()


def test_bytes_of_comments_are_limited(
    alice_api: APIClient,
    alice: User,
    project: Project,
    shared: Task,
    bob: User,
    bob_api: APIClient,
    settings: Any,
) -> None:
    settings.QUOTA_BYTES = 5000
    share(project, bob, Role.EDITOR)
    pk = write(bob_api, shared, "x" * 3000)
    for refused in (
        post(bob_api, shared, "x" * 3000),
        patch(bob_api, shared, pk, text="x" * 6000),
        bob_api.post(
            "/api/tasks",
            {"title": "x", "description": "x" * 3000, "projectId": str(project.pk)},
            format="json",
        ),
    ):
        assert refused.status_code == 403
        assert error_of(refused)["message"] == (
            "QUOTA_BYTES: the owner of this project has used it up."
        )
    refused = post(alice_api, shared, "x" * 3000)
    assert (
        "QUOTA_BYTES: an account may have 5,000 bytes" in error_of(refused)["message"]
    )
    assert bob_api.delete(url(shared, pk)).status_code == 204
    write(bob_api, shared, "x" * 3000)


def test_count_of_the_previous_release_becomes_no_error(
    alice_api: APIClient, alice: User, settings: Any
) -> None:
    """It does not know of comments."""
    settings.QUOTA_BYTES = 10**9
    task, other = make_task(alice), make_task(alice)
    pk = write(alice_api, task)
    write(alice_api, other)
    alice_api.delete(f"/api/tasks/{other.pk}")
    SpaceUsage.objects.update(octets=0)

    assert alice_api.delete(url(task, pk)).status_code == 204
    assert alice_api.delete(f"/api/tasks/trash/{other.pk}").status_code == 204
    assert SpaceUsage.objects.get().octets == 0


def test_comments_go_with_their_task(
    alice_api: APIClient, alice: User, task: Task
) -> None:
    other = make_task(alice, labels=["b"])
    kept = write(alice_api, other)
    write(alice_api, task)
    alice_api.patch(f"/api/tasks/{task.pk}", {"labels": ["a"]}, format="json")
    alice_api.delete(f"/api/tasks/{task.pk}")
    assert Comment.objects.count() == TaskLabel.objects.count() == 2
    alice_api.delete(f"/api/tasks/trash/{task.pk}")

    assert str(Comment.objects.get().pk) == kept
    assert TaskLabel.objects.get().task_id == other.pk


def test_restored_task_has_its_comments(alice_api: APIClient, task: Task) -> None:
    pk = write(alice_api, task)
    alice_api.delete(f"/api/tasks/{task.pk}")
    alice_api.post(f"/api/tasks/{task.pk}/restore")

    assert ids(alice_api.get(url(task))) == [pk]


def test_moved_task_keeps_its_comments_and_a_copy_has_none(
    alice_api: APIClient, task: Task, project: Project
) -> None:
    pk = write(alice_api, task)
    into = {"projectId": str(project.pk)}
    alice_api.post(f"/api/tasks/{task.pk}/move", into, format="json")
    copied = alice_api.post(f"/api/tasks/{task.pk}/copy", into, format="json").json()

    assert ids(alice_api.get(url(task))) == [pk]
    assert ids(alice_api.get(url(Task(pk=copied["id"])))) == []


def test_tasks_with_many_comments_are_removed_in_bounded_batches(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_models, "MAX_COMMENTS_AT_ONCE", 5)
    parent = make_task(alice)
    tasks = [make_task(alice, parent_id=parent.pk) for _ in range(4)]
    for task in tasks:
        for _ in range(3):
            write(alice_api, task)
    alice_api.delete(f"/api/tasks/{parent.pk}")
    trashed, removed = Task.objects.trashed(), []
    batch = task_models.TaskQuerySet.hard_delete_batch

    def counted(tasks: Any, size: int = 2000) -> int:
        before = Comment.objects.count()
        count = batch(tasks, size)
        removed.append(before - Comment.objects.count())
        return count

    monkeypatch.setattr(task_models.TaskQuerySet, "hard_delete_batch", counted)
    assert trashed.count() == 5
    alice_api.delete(f"/api/tasks/trash/{parent.pk}")

    assert not Task.objects.exists()
    assert sum(removed) == 12
    assert max(removed) == 3


def test_what_an_account_wrote_and_what_is_on_its_tasks_is_exported(
    project: Project, shared: Task, alice: User, bob: User, bob_api: APIClient
) -> None:
    share(project, bob, Role.EDITOR)
    own = task_in(make_project(bob))
    for pk, by, text in [
        (shared.pk, bob, "by bob on alice's"),
        (shared.pk, alice, "by alice on alice's"),
        (own.pk, bob, "by bob on bob's"),
    ]:
        create_comment(pk, text, author(by))
    share(own.project, alice, Role.EDITOR)
    create_comment(own.pk, "by alice on bob's", author(alice))
    leave(Membership.objects.get(user=bob))

    def exported(user: User) -> list[str]:
        return sorted(
            each["text"] for each in dict(personal_data.export(user))["comments"]
        )

    of_bob, of_alice = exported(bob), exported(alice)

    assert of_bob == ["by alice on bob's", "by bob on alice's", "by bob on bob's"]
    assert of_alice == [
        *("by alice on alice's", "by alice on bob's", "by bob on alice's")
    ]


def test_erased_author_is_taken_off_comments_on_tasks_of_others(
    project: Project,
    shared: Task,
    alice: User,
    alice_api: APIClient,
    bob: User,
    bob_api: APIClient,
) -> None:
    share(project, bob, Role.EDITOR)
    written = [write(bob_api, shared) for _ in range(5)]
    own = task_in(make_project(bob))
    write(bob_api, own)
    revision = revision_of(alice)
    bob.erase(now=timezone.now())
    counts = []
    while count := personal_data.erase_batch(bob.pk, 2):
        counts.append(count)

    assert max(counts) <= 2
    left = alice_api.get(url(shared)).json()["items"]
    assert [each["id"] for each in left] == written
    assert {each["authorId"] for each in left} == {None}
    # Who has the comment as it was gets it anew.
    assert {each["version"] for each in left} == {2}
    assert {each.revision for each in Comment.objects.all()} == {
        *range(revision + 1, revision_of(alice) + 1)
    }
    assert not Comment.objects.filter(author_id=bob.pk).exists()
    assert patch(alice_api, shared, written[0], text="Mine").status_code == 403
    assert alice_api.delete(url(shared, written[0])).status_code == 204


def test_comments_of_two_erased_accounts_on_each_other_are_removed(
    project: Project, shared: Task, alice: User, bob: User, bob_api: APIClient
) -> None:
    share(project, bob, Role.EDITOR)
    write(bob_api, shared)
    for user in (bob, alice):
        user.erase(now=timezone.now())
    while personal_data.erase_batch(bob.pk, 10):
        pass
    assert Comment.objects.get().author_id is None
    while personal_data.erase_batch(alice.pk, 10):
        pass

    assert not Comment.objects.exists()


def test_account_with_many_comments_is_erased_in_bounded_batches(
    alice_api: APIClient, alice: User
) -> None:
    tasks = [make_task(alice, labels=["a", "b"]) for _ in range(3)]
    for task in tasks:
        for _ in range(5):
            write(alice_api, task)
    alice.erase(now=timezone.now())
    models = (Task, Comment, TaskLabel)

    def left() -> list[int]:
        return [model._default_manager.count() for model in models]

    before = left()
    assert before == [3, 15, 6]
    while count := personal_data.erase_batch(alice.pk, 4):
        after = left()
        assert count <= 4
        # No statement removes more, by a cascade of the database.
        removed = [a - b for a, b in zip(before, after, strict=True)]
        assert max(removed) <= 4
        before = after

    assert before == [0, 0, 0]
