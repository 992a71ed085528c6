"""A task in the admin: where it belongs, its labels, its history, the trash."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from accounts import personal_data
from accounts.models import User
from tasks.models import Label, Role, Status, Task, TaskChange, inbox_id
from tasks.operations import Update, perform_one
from tests.factories import make_task, make_user
from tests.project.admin_pages import TASKS, act, form, rows, statements, submit, told
from tests.tasks import sharing
from tests.tasks.wire import author, trash

pytestmark = pytest.mark.django_db


def page_of(browser: Client, task: Task) -> Any:
    page = browser.get(f"{TASKS}{task.pk}/change/")
    assert page.status_code == 200
    return page


def words(page: Any) -> list[list[str]]:
    """Who did what, for each entry of the history, the newest first."""
    html = page.content.decode()
    cells = zip(
        re.findall(r'<td class="field-who">\s*<p>(.*?)</p>', html, re.S),
        re.findall(r'<td class="field-what">\s*<p>(.*?)</p>', html, re.S),
        strict=True,
    )
    return [
        [who, *filter(None, strip_tags(what.replace("</div>", "\n")).split("\n"))]
        for who, what in cells
    ]


# Where it belongs


def test_page_shows_project_parent_and_assignee(
    browser: Client, alice: User, bob: User
) -> None:
    project = sharing.make_project(alice)
    sharing.share(project, bob)
    parent = sharing.task_in(project, title="All the plants")
    task = sharing.task_in(project, parent_id=parent.pk, assignee_id=bob.pk)
    html = page_of(browser, task).content.decode()

    assert f'<a href="/admin/tasks/task/{parent.pk}/change/">All the plants</a>' in html
    assert "House" in html
    assert "bob (bob@example.com)" in html


def test_assignee_who_is_erased_is_not_named(
    browser: Client, alice: User, bob: User
) -> None:
    project = sharing.make_project(alice)
    sharing.share(project, bob)
    task = sharing.task_in(project, assignee_id=bob.pk)
    personal_data.erase(bob)
    html = page_of(browser, task).content.decode()

    assert "bob" not in html
    assert "a deleted account" in html


def test_tasks_of_a_project_are_listed(browser: Client, alice: User) -> None:
    project = sharing.make_project(alice)
    mine, _ = sharing.task_in(project), make_task(alice)
    page = browser.get(f"{TASKS}?project__id__exact={project.pk}&trash=no")

    assert rows(page) == [mine]
    html = page.content.decode()
    assert re.findall(r"By project\s*</summary>", html)
    assert "<select" not in html.partition('id="changelist-filter"')[2]


def test_no_project_is_offered_as_a_filter(browser: Client, alice: User) -> None:
    sharing.make_project(alice, "Secret")

    assert "By project" not in browser.get(TASKS).content.decode()


@pytest.mark.parametrize("pk", ["x", "00000000-0000-4000-8000-000000000000"])
def test_filter_of_no_project_shows_nothing(
    browser: Client, task: Task, pk: str
) -> None:
    page = browser.get(f"{TASKS}?project__id__exact={pk}")

    if pk == "x":
        assert (page.status_code, page["Location"]) == (302, f"{TASKS}?e=1")
    else:
        assert rows(page) == []


# When it is due


def test_whole_day_is_checked_as_in_the_api(browser: Client, task: Task) -> None:
    url = f"{TASKS}{task.pk}/change/"
    whole = {"is_all_day": "on", "due_at_0": "2026-12-31", "due_at_1": "09:00:00"}
    for zone, problem in (
        ("", "Required with isAllDay."),
        ("Mars", "Send the name of an IANA time zone"),
        ("Europe/Berlin", "begins at 2026-12-30T23:00:00Z."),
    ):
        sent = form(browser.get(url)) | whole | {"time_zone": zone}
        page = browser.post(url, sent)
        assert problem in page.content.decode()
    submit(browser, url, time_zone="UTC", **whole | {"due_at_1": "00:00:00"})

    task.refresh_from_db()
    assert (task.is_all_day, task.time_zone, task.version) == (True, "UTC", 2)
    assert task.day_ends_at


def test_page_without_a_time_zone_changes_none(browser: Client, task: Task) -> None:
    submit(browser, f"{TASKS}{task.pk}/change/", title="Other")

    task.refresh_from_db()
    assert (task.time_zone, task.version) == (None, 2)


def test_task_that_recurs_is_completed_once(browser: Client, alice: User) -> None:
    due_at = timezone.now()
    task = make_task(alice, due_at=due_at, recurrence="DUE UTC FREQ=DAILY")
    act(browser, TASKS, "mark_done", task)
    submit(browser, f"{TASKS}{task.pk}/change/", status=Status.TODO)
    submit(browser, f"{TASKS}{task.pk}/change/", status=Status.DONE)

    [made] = Task.objects.filter(status=Status.TODO)
    assert made.due_at == due_at + timedelta(days=1)
    assert "FREQ=DAILY" in page_of(browser, made).content.decode()


# Labels


def test_labels_are_edited_as_text(browser: Client, task: Task) -> None:
    submit(browser, f"{TASKS}{task.pk}/change/", label_names=" Home, garden ,home")

    task.refresh_from_db()
    assert (task.labels, task.version) == ("garden,home", 2)
    assert Label.objects.filter(owner=task.user).count() == 2
    assert task.task_labels.count() == 2
    page = page_of(browser, task)
    assert page.context["adminform"].form["label_names"].value() == "garden,home"


def test_other_spelling_of_the_same_labels_changes_nothing(
    browser: Client, alice: User
) -> None:
    task = make_task(alice, labels=["Garden", "Home"])
    submit(browser, f"{TASKS}{task.pk}/change/", label_names="home, garden")

    task.refresh_from_db()
    assert (task.labels, task.version) == ("Garden,Home", 1)


def test_labels_are_taken_off(browser: Client, alice: User) -> None:
    task = make_task(alice, labels=["Garden"])
    submit(browser, f"{TASKS}{task.pk}/change/", label_names="")

    task.refresh_from_db()
    assert task.labels == ""


def test_old_page_does_not_put_labels_back(browser: Client, alice: User) -> None:
    task = make_task(alice, labels=["Garden"])
    url = f"{TASKS}{task.pk}/change/"
    opened = form(browser.get(url))
    perform_one(Update({"labels": ["New"]}, task.pk), author(alice))
    browser.post(url, opened | {"title": "Other"})

    task.refresh_from_db()
    assert (task.labels, task.title) == ("New", "Other")


def test_label_that_is_too_long_is_told(browser: Client, task: Task) -> None:
    url = f"{TASKS}{task.pk}/change/"
    page = browser.post(url, form(browser.get(url)) | {"label_names": "a, " + "x" * 51})

    assert page.context["adminform"].form.errors == {
        "label_names": ["Ensure this field has no more than 50 characters."]
    }


def test_new_task_has_labels(browser: Client, alice: User) -> None:
    new = {"user": str(alice.pk), "title": "x", "label_names": "Home"}
    submit(browser, f"{TASKS}add/", **new)

    assert Task.objects.get().labels == "Home"


# History


def test_history_is_told_in_words(browser: Client, alice: User, bob: User) -> None:
    project = sharing.make_project(alice)
    sharing.share(project, bob)
    task = sharing.task_in(project)
    change = {"status": Status.DONE, "assignee_id": bob.pk, "labels": ["b", "a"]}
    perform_one(Update(change, task.pk), sharing.author(bob))
    long = {"description": "very\nlong " * 20, "priority": 4}
    perform_one(Update(long, task.pk), sharing.author(alice))
    perform_one(Update({"project_id": inbox_id(alice.pk)}, task.pk), author(alice))

    [moved, described, done, created] = words(page_of(browser, task))
    assert moved == [
        "alice (alice@example.com)",
        "project: House → Inbox",
        "assignee: bob (bob@example.com) → nobody",
    ]
    assert described == [
        "alice (alice@example.com)",
        f"description: nothing → {'very long ' * 5}very long…",
        "priority: Medium → Urgent",
    ]
    assert done[:4] == [
        "bob (bob@example.com)",
        "status: Todo → Done",
        "labels: nothing → a, b",
        "assignee: nobody → bob (bob@example.com)",
    ]
    assert re.fullmatch(r"completed: nothing → \d{4}-\d\d-\d\d \d\d:\d\d", done[4])
    assert created[:3] == [
        "alice (alice@example.com)",
        "project: nothing → House",
        "title: nothing → Water the plants",
    ]


def test_history_names_commands_and_who_is_gone(browser: Client, task: Task) -> None:
    TaskChange.objects.update(changed_by=None)
    gone = make_user("gone")
    entry = {"field": "projectId", "from": str(gone.pk), "to": None}
    TaskChange.objects.create(
        task=task,
        version=2,
        changed_at=task.updated_at,
        changed_by=task.pk,
        fields=[entry],
    )
    [by_somebody, by_command] = words(page_of(browser, task))

    assert by_somebody == ["a deleted account", "project: a removed project → nothing"]
    assert by_command[0] == "a command"


def test_text_in_the_history_is_escaped(browser: Client, task: Task) -> None:
    perform_one(Update({"title": "<script>x"}, task.pk), author(task.user))
    html = page_of(browser, task).content.decode()

    assert "<script>x" not in html
    assert "title: Water the plants → &lt;script&gt;x" in html


def test_long_history_costs_no_more_statements(browser: Client, alice: User) -> None:
    project = sharing.make_project(alice)
    task = sharing.task_in(project)
    asked = []
    for n in range(2):
        for other in range(n * 4 + 1):
            person = make_user(f"member{n}{other}")
            sharing.share(project, person, Role.EDITOR)
            change = {"assignee_id": person.pk}
            perform_one(Update(change, task.pk), sharing.author(person))
        asked.append(len(statements(browser, f"{TASKS}{task.pk}/change/")))

    assert asked[0] == asked[1]


# The trash


@pytest.mark.parametrize("way", ["action", "button"])
def test_task_is_restored_with_its_subtasks(
    browser: Client, root: User, alice: User, way: str
) -> None:
    task = make_task(alice)
    subtask = make_task(alice, parent_id=task.pk)
    trash(task)
    if way == "action":
        page = browser.get(act(browser, TASKS, "restore", task, subtask)["Location"])
        assert told(page) == ["Restored 2 task(s)."]
    else:
        page = page_of(browser, task)
        url = page.context["restore_url"]
        assert f'<form action="{url}" method="post">' in page.content.decode()
        page = browser.post(url, follow=True)
        assert told(page) == ["“Water the plants” was restored."]
        assert LogEntry.objects.get().change_message == "Restored."

    for each in (task, subtask):
        each.refresh_from_db()
        assert (each.deleted_at, each.version) == (None, 3)
        assert each.changes.latest("version").changed_by == root.pk


def test_live_task_has_no_button_to_restore_it(browser: Client, task: Task) -> None:
    page = page_of(browser, task)

    assert "restore_url" not in page.context
    url = f"{TASKS}{task.pk}/restore/"
    assert browser.get(url).status_code == 405
    page = browser.post(url, follow=True)
    assert told(page)[0].startswith("Nothing was changed.")


def test_task_of_an_archived_project_is_not_restored(
    browser: Client, alice: User
) -> None:
    project = sharing.make_project(alice)
    task = trash(sharing.task_in(project))
    sharing.archive(project)
    page = browser.post(f"{TASKS}{task.pk}/restore/", follow=True)

    why = "The project of this task is archived."
    assert told(page) == [f"Nothing was changed. {why}"]
    page = browser.get(act(browser, TASKS, "restore", task)["Location"])
    assert told(page) == ["Restored 0 task(s).", f"Water the plants: {why}"]


def test_user_restores_nothing(alice: User, task: Task) -> None:
    trash(task)
    browser = Client()
    browser.force_login(alice)
    response = browser.post(f"{TASKS}{task.pk}/restore/")

    assert response["Location"].startswith("/admin/login/")
    task.refresh_from_db()
    assert task.deleted_at


def test_deleted_task_shows_its_labels(browser: Client, alice: User) -> None:
    task = trash(make_task(alice, labels=["Home", "Garden"]))

    assert "Garden, Home" in page_of(browser, task).content.decode()
