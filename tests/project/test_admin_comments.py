"""Comments in the admin: found by their author, looked at, deleted."""

from typing import Any

import pytest
from django.test import Client

from accounts import personal_data
from accounts.models import User
from tasks.models import Comment, Project, Task
from tasks.operations import comments
from tests.project.admin_pages import COMMENTS, act, rows, told
from tests.tasks import sharing
from tests.tasks.wire import trash

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(alice: User, bob: User) -> Project:
    project = sharing.make_project(alice)
    sharing.share(project, bob)
    return project


@pytest.fixture
def commented(project: Project) -> Task:
    return sharing.task_in(project)


def write(task: Task, author: User, text: str = "Done?") -> Comment:
    return comments.create_comment(task.pk, text, sharing.author(author))


def test_comments_are_listed_with_author_and_task(
    browser: Client, commented: Task, bob: User
) -> None:
    write(commented, bob, "very\nlong " * 20)
    html = browser.get(COMMENTS).content.decode()

    assert "very long very long" in html
    assert "very long " * 8 not in html
    assert '<td class="field-author">bob@example.com</td>' in html
    assert "Water the plants" in html


def test_comments_are_found_by_their_author(
    browser: Client, commented: Task, alice: User, bob: User
) -> None:
    mine, other = write(commented, alice), write(commented, bob)

    assert rows(browser.get(COMMENTS)) == [other, mine]
    assert rows(browser.get(f"{COMMENTS}?q=BOB@example.com")) == [other]
    assert rows(browser.get(f"{COMMENTS}?author_id__exact={alice.pk}")) == [mine]
    assert rows(browser.get(f"{COMMENTS}?q=done")) == []


def test_comment_is_looked_at_and_not_changed(
    browser: Client, commented: Task, bob: User
) -> None:
    comment = write(commented, bob, "All <b>done</b>")
    url = f"{COMMENTS}{comment.pk}/change/"
    html = browser.get(url).content.decode()

    assert "All &lt;b&gt;done&lt;/b&gt;" in html
    assert f"/admin/tasks/task/{commented.pk}/change/" in html
    assert browser.post(url, {"text": "x"}).status_code == 403
    assert browser.get(f"{COMMENTS}add/").status_code == 403


def test_author_who_is_erased_is_not_named(
    browser: Client, commented: Task, bob: User
) -> None:
    write(commented, bob)
    personal_data.erase(bob)
    html = browser.get(COMMENTS).content.decode()

    assert "bob@example.com" not in html
    assert "a deleted account" in html


def test_comments_on_tasks_of_who_is_erased_are_not_shown(
    browser: Client, commented: Task, alice: User, bob: User
) -> None:
    write(commented, bob)
    personal_data.erase(alice, delete_shared=True)

    assert rows(browser.get(COMMENTS)) == []


@pytest.mark.parametrize("way", ["button", "action"])
def test_comment_is_deleted_with_the_revision(
    browser: Client, commented: Task, alice: User, bob: User, way: str
) -> None:
    comment, other = write(commented, bob), write(commented, bob)
    revision = User.objects.get(pk=alice.pk).revision
    if way == "button":
        browser.post(f"{COMMENTS}{comment.pk}/delete/", {"post": "yes"})
    else:
        act(browser, COMMENTS, "delete_selected", comment, post="yes")

    assert Comment.objects.get() == other
    assert User.objects.get(pk=alice.pk).revision == revision + 1


@pytest.mark.parametrize("way", ["button", "action"])
@pytest.mark.parametrize("case", ["archived", "trash"])
def test_deletion_that_is_refused_is_told(
    browser: Client, commented: Task, project: Project, bob: User, way: str, case: str
) -> None:
    other = write(sharing.task_in(project), bob)
    comment = write(commented, bob)
    if case == "archived":
        sharing.archive(project)
    else:
        trash(commented)
    if way == "button":
        url = f"{COMMENTS}{comment.pk}/delete/"
        page: Any = browser.post(url, {"post": "yes"}, follow=True)
    else:
        act(browser, COMMENTS, "delete_selected", comment, other, post="yes")
        page = browser.get(COMMENTS)

    [message] = told(page)
    assert message.startswith("Nothing was changed. ")
    assert Comment.objects.count() == 2


@pytest.mark.parametrize("page", ["", "{}/change/", "{}/delete/"])
def test_user_sees_no_comment(
    commented: Task, alice: User, bob: User, page: str
) -> None:
    comment = write(commented, bob)
    browser = Client()
    browser.force_login(alice)
    response = browser.get(COMMENTS + page.format(comment.pk))

    assert response["Location"].startswith("/admin/login/")
