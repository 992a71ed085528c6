"""What a user's page and its deletion tell of projects, labels and comments."""

import re
from html import unescape
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from tasks.models import Comment, Label, Membership, Project, Task
from tasks.operations import comments
from tests.project.admin_pages import USERS, act, rows, statements
from tests.tasks import sharing

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(alice: User, bob: User) -> Task:
    """Of a project of alice, which bob is a member of; and bob has one of his own."""
    sharing.make_project(alice, "Alone")
    project = sharing.make_project(alice)
    sharing.share(project, bob)
    sharing.share(sharing.make_project(bob, "Bob's"), alice)
    task = sharing.task_in(project, labels=["Home", "Garden"])
    for author in (alice, bob, bob):
        comments.create_comment(task.pk, "Done?", sharing.author(author))
    return task


def links(browser: Client, user: User) -> dict[str, tuple[str, list[Any]]]:
    """Of each kind: how many, and what its list shows."""
    html = browser.get(f"{USERS}{user.pk}/change/").content.decode()
    found = re.findall(r'<a href="([^"]+)">([\w ]+): ([\d,]+)</a>', html)
    return {
        name: (number, rows(browser.get(unescape(url)))) for url, name, number in found
    }


def test_user_links_to_projects_labels_and_comments(
    browser: Client, alice: User, bob: User, task: Task
) -> None:
    of_alice, of_bob = links(browser, alice), links(browser, bob)

    for name, model, own in (
        ("Projects", Project, {"owner": alice, "is_inbox": False}),
        ("Memberships in projects of others", Membership, {"user": alice}),
        ("Labels", Label, {"owner": alice}),
        ("Comments written", Comment, {"author_id": alice.pk}),
    ):
        number, listed = of_alice[name]
        assert {*listed} == {*model._default_manager.filter(**own)}
        assert number == str(len(listed))
    assert {name: number for name, (number, _) in of_bob.items()} == {
        "Sessions": "0",
        "Personal tokens": "0",
        "Projects": "1",
        "Memberships in projects of others": "1",
        "Labels": "0",
        "Tasks": "0",
        "Tasks in the trash": "0",
        "Comments written": "2",
    }


@pytest.mark.parametrize("way", ["button", "action"])
def test_deletion_counts_what_goes(
    browser: Client, alice: User, task: Task, way: str
) -> None:
    if way == "button":
        page = browser.get(f"{USERS}{alice.pk}/delete/")
    else:
        page = act(browser, USERS, "delete_selected", alice)

    assert {name: str(count) for name, count in page.context["model_count"]} == {
        "users": "1",
        "sessions": "0",
        "personal tokens": "0",
        "projects": "2",
        "projects shared with others": "1",
        "memberships in projects of others": "1",
        "labels": "2",
        "tasks": "1",
        "tasks in the trash": "0",
        "comments on these tasks": "3",
    }


def test_what_is_counted_goes(browser: Client, alice: User, task: Task) -> None:
    browser.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})
    call_command("housekeeping")

    assert [*Project.objects.filter(is_inbox=False).values_list("name")] == [("Bob's",)]
    for model in (Task, Label, Comment):
        assert not model._default_manager.exists()


def test_user_with_more_costs_no_more_statements(
    browser: Client, alice: User, task: Task, bob: User
) -> None:
    urls = [f"{USERS}{user.pk}/change/" for user in (alice, bob)]
    asked = [statements(browser, url) for url in urls]

    assert len(asked[0]) == len(asked[1])
    for sql in asked[0]:
        if "COUNT(" in sql:
            assert "LIMIT 10001" in sql
