"""`GET /api/changes`: each kind of change, as its owner and as a member see it."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import User
from tasks import access
from tasks.models import Project, Role, Task
from tasks.operations import Delete, Move, Update, perform_one
from tasks.operations.comments import create_comment
from tests.factories import api_of, make_task
from tests.tasks.follower import CHANGES, Follower, shown
from tests.tasks.sharing import author, make_project, share, task_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def follow() -> Any:
    def start(user: User, limit: int = 100) -> Follower:
        follower = Follower(api_of(user), limit)
        follower.sync()
        assert follower.copy == shown(follower.api)
        return follower

    return start


def housekeep() -> None:
    call_command("housekeeping", stdout=StringIO())


def check(*followers: Follower) -> None:
    """Each has what the lists show, and then there is nothing more to be told."""
    for each in followers:
        each.sync()
        assert each.copy == shown(each.api)
        assert each.sync() == []


def test_first_round_has_everything(alice: User, bob: User, follow: Any) -> None:
    project = make_project(alice)
    share(project, bob)
    task = task_in(project, labels=["house", "garden"])
    child = task_in(project, parent_id=task.pk)
    perform_one(Update({"title": "Parent, written last"}, task.pk), author(alice))
    create_comment(child.pk, "Yes.", author(bob))
    make_task(bob)

    for user in (alice, bob):
        for limit in (1, 2, 100):
            check(follow(user, limit))


def test_page_tells_where_to_go_on(alice: User) -> None:
    task = make_task(alice)
    api = api_of(alice)
    first = api.get(CHANGES, {"limit": 1}).json()
    last = api.get(CHANGES, {"since": first["nextToken"]}).json()

    assert first.keys() == {"items", "nextToken", "hasMore"}
    assert (len(first["items"]), first["hasMore"]) == (1, True)
    assert last["items"] == [
        {
            "type": "task",
            "op": "upsert",
            "id": str(task.pk),
            "data": api.get(f"/api/tasks/{task.pk}").json(),
        }
    ]
    assert last["hasMore"] is False


def test_each_thing_is_told_once_as_it_is_now(alice: User, follow: Any) -> None:
    follower = follow(alice)
    task = make_task(alice)
    for title in ("First", "Second"):
        perform_one(Update({"title": title}, task.pk), author(alice))
    follower.sync()

    assert follower.told() == [("task", "upsert", str(task.pk))]
    assert follower.copy["task"][str(task.pk)]["title"] == "Second"


def test_parents_come_first(alice: User, follow: Any) -> None:
    follower = follow(alice, 2)
    top, middle, low, lowest = (make_task(alice, title=str(n)) for n in range(4))
    for task, parent in ((lowest, low), (low, middle), (middle, top)):
        perform_one(Update({"parent_id": parent.pk}, task.pk), author(alice))
    perform_one(Update({"title": "Top"}, top.pk), author(alice))
    follower.sync()

    assert [pk for _, _, pk in follower.told()] == [
        str(each.pk) for each in (top, middle, low, lowest)
    ]
    check(follower)
    # Without a change of their own, those below move up as well.
    perform_one(Update({"parent_id": None}, middle.pk), author(alice))
    perform_one(Update({"title": "Middle"}, middle.pk), author(alice))
    follower.sync()

    assert [pk for _, _, pk in follower.told()] == [
        str(each.pk) for each in (middle, low, lowest)
    ]


def test_trash_removes_and_restoring_brings_everything_back(
    alice: User, bob: User, follow: Any
) -> None:
    project = make_project(alice)
    share(project, bob)
    task = task_in(project)
    child = task_in(project, parent_id=task.pk)
    for each in (task, child):
        create_comment(each.pk, "Yes.", author(bob))
    followers = follow(alice, 1), follow(bob)
    perform_one(Delete(id=task.pk), author(bob))
    for each in followers:
        each.sync()
        removed = [("task", "remove", str(pk)) for pk in sorted([task.pk, child.pk])]
        assert each.told() == removed
        assert each.copy["comment"] == {}
    check(*followers)
    assert followers[0].api.post(f"/api/tasks/{task.pk}/restore").status_code == 200

    for each in followers:
        each.sync()
        kinds = [(kind, op) for kind, op, _ in each.told()]
        assert kinds == [("task", "upsert")] * 2 + [("comment", "upsert")] * 2
    check(*followers)


def test_task_that_was_destroyed_before_it_was_missed(
    alice: User, bob: User, follow: Any
) -> None:
    project = make_project(alice)
    share(project, bob)
    task = task_in(project)
    task_in(project, parent_id=task.pk)
    followers = follow(alice), follow(bob)
    perform_one(Delete(id=task.pk), author(alice))
    api = followers[0].api
    assert api.delete(f"/api/tasks/trash/{task.pk}").status_code == 204
    assert not Task.objects.exists()

    check(*followers)
    assert followers[0].copy["task"] == followers[1].copy["task"] == {}


def test_task_that_leaves_a_project(alice: User, bob: User, follow: Any) -> None:
    seen, hidden = make_project(alice, "Seen"), make_project(alice, "Hidden")
    share(seen, bob)
    task = task_in(seen)
    comment = create_comment(task.pk, "Yes.", author(alice))
    followers = follow(alice), follow(bob)
    perform_one(Move({"project_id": hidden.pk}, task.pk), author(alice))
    for each in followers:
        each.sync()
    assert followers[0].told()[0] == ("task", "upsert", str(task.pk))
    assert followers[1].told() == [("task", "remove", str(task.pk))]
    check(*followers)

    api = followers[0].api
    path = f"/api/tasks/{task.pk}/comments/{comment.pk}"
    assert api.delete(path).status_code == 204
    other = create_comment(task.pk, "No.", author(alice))
    perform_one(Move({"project_id": seen.pk}, task.pk), author(alice))
    check(*followers)
    assert [*followers[1].copy["comment"]] == [str(other.pk)]


def test_task_that_came_back_lost_what_was_deleted_meanwhile(
    alice: User, bob: User, follow: Any
) -> None:
    seen, hidden = make_project(alice, "Seen"), make_project(alice, "Hidden")
    share(seen, bob)
    task = task_in(seen)
    comment = create_comment(task.pk, "Yes.", author(alice))
    followers = follow(alice), follow(bob, 1)
    perform_one(Move({"project_id": hidden.pk}, task.pk), author(alice))
    path = f"/api/tasks/{task.pk}/comments/{comment.pk}"
    assert followers[0].api.delete(path).status_code == 204
    perform_one(Move({"project_id": seen.pk}, task.pk), author(alice))

    check(*followers)


def test_task_whose_new_project_was_destroyed(alice: User, follow: Any) -> None:
    project = make_project(alice)
    task = make_task(alice)
    follower = follow(alice)
    perform_one(Move({"project_id": project.pk}, task.pk), author(alice))
    for path in (f"projects/{project.pk}", f"projects/trash/{project.pk}"):
        assert follower.api.delete(f"/api/{path}").status_code == 204
    housekeep()
    assert not Task.objects.exists()
    assert not Project.objects.filter(pk=project.pk).exists()

    check(follower)


@pytest.mark.parametrize("is_synced", [True, False])
def test_project_in_the_trash_and_restored(
    alice: User, bob: User, follow: Any, is_synced: bool
) -> None:
    project = make_project(alice)
    share(project, bob)
    task = task_in(project, labels=["house"])
    task_in(project, parent_id=task.pk)
    create_comment(task.pk, "Yes.", author(bob))
    followers = follow(alice, 1), follow(bob)
    api = followers[0].api
    assert api.delete(f"/api/projects/{project.pk}").status_code == 204
    if is_synced:
        for each in followers:
            each.sync()
            assert each.told() == [("project", "remove", str(project.pk))]
        check(*followers)
    assert api.post(f"/api/projects/{project.pk}/restore").status_code == 200

    check(*followers)


def test_project_that_was_destroyed_before_it_was_missed(
    alice: User, bob: User, follow: Any
) -> None:
    project = make_project(alice)
    share(project, bob)
    task_in(project)
    followers = follow(alice), follow(bob)
    for path in (f"projects/{project.pk}", f"projects/trash/{project.pk}"):
        assert followers[0].api.delete(f"/api/{path}").status_code == 204
    housekeep()

    check(*followers)


def test_archived_project_stays(alice: User, bob: User, follow: Any) -> None:
    project = make_project(alice)
    share(project, bob)
    task_in(project)
    followers = follow(alice), follow(bob)
    body = {"archived": True}
    path = f"/api/projects/{project.pk}"
    assert followers[0].api.patch(path, body, format="json").status_code == 200

    for each in followers:
        each.sync()
        assert each.told() == [("project", "upsert", str(project.pk))]
    check(*followers)


def test_joining_brings_the_whole_project(alice: User, bob: User, follow: Any) -> None:
    project = make_project(alice)
    task = task_in(project)
    create_comment(task.pk, "Yes.", author(alice))
    make_task(alice)
    followers = follow(alice), follow(bob)
    member = share(project, bob)
    followers[1].sync()
    assert {kind for kind, *_ in followers[1].told()} == {
        *("project", "member", "task", "comment")
    }
    followers[0].sync()
    assert followers[0].told() == [("member", "upsert", f"{project.pk}:{bob.pk}")]
    check(*followers)

    path = f"/api/projects/{project.pk}/members/{member.user_id}"
    assert followers[0].api.delete(path).status_code == 204
    followers[1].sync()
    assert followers[1].told() == [("project", "remove", str(project.pk))]
    check(*followers)


@pytest.mark.parametrize("is_synced", [True, False])
def test_who_comes_back_sees_what_changed_meanwhile(
    alice: User, bob: User, follow: Any, is_synced: bool
) -> None:
    project = make_project(alice)
    share(project, bob)
    kept, gone = task_in(project), task_in(project)
    followers = follow(alice), follow(bob)
    path = f"/api/projects/{project.pk}/members/{bob.pk}"
    assert followers[0].api.delete(path).status_code == 204
    if is_synced:
        check(*followers)
    perform_one(Update({"title": "Changed"}, kept.pk), author(alice))
    perform_one(Delete(id=gone.pk), author(alice))
    task_in(project)
    share(project, bob)

    check(*followers)


def test_role_is_told_with_project_and_member(
    alice: User, bob: User, follow: Any
) -> None:
    project = make_project(alice)
    share(project, bob, Role.VIEWER)
    task_in(project)
    followers = follow(alice), follow(bob)
    path = f"/api/projects/{project.pk}/members/{bob.pk}"
    body = {"role": "MANAGER"}
    assert followers[0].api.patch(path, body, format="json").status_code == 200
    followers[1].sync()

    member = ("member", "upsert", f"{project.pk}:{bob.pk}")
    assert followers[1].told() == [("project", "upsert", str(project.pk)), member]
    assert followers[1].copy["project"][str(project.pk)]["role"] == "MANAGER"
    check(*followers)


def test_renamed_label_is_on_every_task(alice: User, bob: User, follow: Any) -> None:
    project = make_project(alice)
    share(project, bob)
    task_in(project, labels=["house"])
    make_task(alice, labels=["house"])
    followers = follow(alice), follow(bob)
    [label] = followers[0].copy["label"]
    path, api = f"/api/labels/{label}", followers[0].api
    assert api.patch(path, {"name": "home"}, format="json").status_code == 200
    check(*followers)
    assert {each["labels"][0] for each in followers[1].copy["task"].values()} == {
        "home"
    }

    assert api.delete(path).status_code == 204
    check(*followers)
    assert followers[0].copy["label"] == {}


def test_comment_is_changed_and_deleted(alice: User, bob: User, follow: Any) -> None:
    project = make_project(alice)
    share(project, bob)
    task = task_in(project)
    comment = create_comment(task.pk, "Yes.", author(bob))
    followers = follow(alice), follow(bob)
    path = f"/api/tasks/{task.pk}/comments/{comment.pk}"
    body = {"text": "No."}
    assert followers[1].api.patch(path, body, format="json").status_code == 200
    for each in followers:
        each.sync()
        assert each.told() == [("comment", "upsert", str(comment.pk))]
    assert followers[0].api.delete(path).status_code == 204

    for each in followers:
        each.sync()
        assert each.told() == [("comment", "remove", str(comment.pk))]
    check(*followers)


def test_account_of_an_owner_is_erased(alice: User, bob: User, follow: Any) -> None:
    project = make_project(alice)
    share(project, bob)
    create_comment(task_in(project).pk, "Yes.", author(bob))
    follower = follow(bob)
    body = {"password": "correct horse 1", "deleteShared": True}
    response = api_of(alice).post("/api/auth/me/erase", body, format="json")
    assert response.status_code == 204, response.content

    check(follower)
    housekeep()
    check(follower)


def test_account_of_a_member_is_erased(alice: User, bob: User, follow: Any) -> None:
    project = make_project(alice)
    share(project, bob)
    task = task_in(project, assignee_id=bob.pk)
    create_comment(task.pk, "Yes.", author(bob))
    follower = follow(alice)
    body = {"password": "correct horse 1"}
    response = api_of(bob).post("/api/auth/me/erase", body, format="json")
    assert response.status_code == 204, response.content
    housekeep()

    check(follower)
    assert follower.copy["member"] == {}


def test_trash_that_is_emptied(alice: User, follow: Any) -> None:
    task = make_task(alice)
    follower = follow(alice)
    perform_one(Delete(id=task.pk), author(alice))
    assert follower.api.delete("/api/tasks/trash").status_code == 202
    housekeep()
    assert not Task.objects.exists()

    check(follower)


def test_what_moves_meanwhile_comes_in_the_next_round(alice: User, follow: Any) -> None:
    tasks = [make_task(alice, title=str(n)) for n in range(5)]
    follower = Follower(api_of(alice), 2)
    follower.page()
    # One that was sent, and one that was not.
    for each in (tasks[0], tasks[3]):
        perform_one(Update({"title": "Changed"}, each.pk), author(alice))
    sent = follower.sync()
    assert str(tasks[3].pk) not in {each["id"] for each in sent}
    assert str(tasks[0].pk) not in {each["id"] for each in sent}

    check(follower)


def test_access_that_ends_within_a_round(alice: User, bob: User, follow: Any) -> None:
    project = make_project(alice)
    member = share(project, bob)
    for n in range(5):
        task_in(project, title=str(n))
    follower = Follower(api_of(bob), 3)
    follower.page()
    path = f"/api/projects/{project.pk}/members/{member.user_id}"
    assert api_of(alice).delete(path).status_code == 204
    body = follower.page()
    assert body["items"][0]["op"] == "remove"
    assert follower.copy["task"] == {}
    share(project, bob)
    check(follower)


def test_project_that_is_in_the_trash_for_the_time_of_a_page(
    alice: User, bob: User, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(alice)
    share(project, bob)
    task = task_in(project)
    follower, api = follow(bob), api_of(alice)
    create_comment(task.pk, "Yes.", author(alice))
    perform_one(Update({"title": "Changed"}, task.pk), author(alice))
    get_followed = access.get_followed

    def trash_then(principal: Any) -> Any:
        found = get_followed(principal)
        assert api.delete(f"/api/projects/{project.pk}").status_code == 204
        return found

    with monkeypatch.context() as patched:
        patched.setattr(access, "get_followed", trash_then)
        follower.page()
    assert api.post(f"/api/projects/{project.pk}/restore").status_code == 200

    check(follower)
