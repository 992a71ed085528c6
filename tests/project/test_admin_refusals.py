"""What an operation refuses is told where the administrator asked for it."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tasks.models import Status, Task
from tests.factories import make_task
from tests.project.admin_pages import TASKS, act, form, told
from tests.tasks import sharing
from tests.tasks.wire import trash

pytestmark = pytest.mark.django_db
ARCHIVED = "The project of this task is archived."
GONE = "It was removed, or it or its project is in the trash."


@pytest.fixture
def archived(alice: User) -> Task:
    project = sharing.make_project(alice)
    task = sharing.task_in(project)
    sharing.archive(project)
    return task


@pytest.fixture
def hidden(alice: User) -> Task:
    """A task that went to the trash with its project."""
    project = sharing.make_project(alice)
    task = sharing.task_in(project)
    sharing.delete(project)
    return task


def save(browser: Client, task: Task, **changes: Any) -> Any:
    url = f"{TASKS}{task.pk}/change/"
    return browser.post(url, form(browser.get(url)) | changes)


def errors_of(page: Any) -> dict[str, list[str]]:
    assert page.status_code == 200
    return {name: list(errors) for name, errors in form_of(page).errors.items()}


def form_of(page: Any) -> Any:
    return page.context["adminform"].form


def require_unchanged(task: Task) -> None:
    before = task.version, task.title, task.status, task.deleted_at
    task.refresh_from_db()
    assert (task.version, task.title, task.status, task.deleted_at) == before
    assert task.changes.count() == 1
    assert not LogEntry.objects.exists()


def test_start_after_the_due_date_is_told_beside_the_start(
    browser: Client, task: Task, django_user_model: Any
) -> None:
    day = timezone.now().date()
    dates = {
        "start_at_0": str(day + timedelta(days=2)),
        "start_at_1": "09:00",
        "due_at_0": str(day),
        "due_at_1": "09:00",
    }
    revision = task.user.revision
    page = save(browser, task, title="Typed", **dates)

    assert errors_of(page) == {"start_at": ["It is after dueDate."]}
    assert form_of(page)["title"].value() == "Typed"
    require_unchanged(task)
    assert django_user_model.objects.get(pk=task.user_id).revision == revision


def test_new_task_that_starts_after_its_due_date_is_not_made(
    browser: Client, alice: User
) -> None:
    new = {"user": str(alice.pk), "title": "x", "status": "TODO", "priority": "2"}
    dates = {"start_at_0": "2030-01-02", "start_at_1": "09:00"}
    dates |= {"due_at_0": "2030-01-01", "due_at_1": "09:00"}
    page = browser.post(f"{TASKS}add/", new | dates)

    assert errors_of(page) == {"start_at": ["It is after dueDate."]}
    assert not Task.objects.exists()


def test_task_of_an_archived_project_is_not_saved(
    browser: Client, archived: Task
) -> None:
    page = save(browser, archived, title="New")

    assert errors_of(page) == {"__all__": [ARCHIVED]}
    require_unchanged(archived)


def test_task_of_a_project_in_the_trash_is_not_saved(
    browser: Client, hidden: Task
) -> None:
    page = save(browser, hidden, title="New")

    assert errors_of(page) == {"__all__": [GONE]}
    require_unchanged(hidden)


@pytest.mark.parametrize("action", ["mark_done", "trash"])
def test_action_tells_of_each_task_that_it_passes_by(
    browser: Client, alice: User, archived: Task, hidden: Task, action: str
) -> None:
    task = make_task(alice, title="Other")
    page = browser.get(act(browser, TASKS, action, task, archived, hidden)["Location"])

    done = {
        "mark_done": "Marked 1 task(s) as done.",
        "trash": "Moved 1 task(s) to the trash.",
    }
    assert sorted(told(page)) == sorted(
        [
            done[action],
            f"Water the plants: {ARCHIVED}",
            f"Water the plants: {GONE}",
        ]
    )
    for each in (archived, hidden):
        require_unchanged(each)
    task.refresh_from_db()
    assert (task.status == Status.DONE) or task.deleted_at


def test_many_refusals_are_counted(
    browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.admin import errors

    monkeypatch.setattr(errors, "MAX_TOLD", 1)
    project = sharing.make_project(alice)
    tasks = [sharing.task_in(project, title=f"Task {n}") for n in range(3)]
    sharing.archive(project)
    page = browser.get(act(browser, TASKS, "trash", *tasks)["Location"])

    assert told(page) == [
        "Moved 0 task(s) to the trash.",
        f"Task 2: {ARCHIVED}",
        "2 more were refused, too.",
    ]


@pytest.mark.parametrize("case", ["archived", "hidden"])
def test_deletion_that_is_refused_is_told(
    browser: Client, case: str, request: pytest.FixtureRequest
) -> None:
    task = request.getfixturevalue(case)
    url = f"{TASKS}{task.pk}/delete/"
    response = browser.post(url, {"post": "yes"})

    assert (response.status_code, response["Location"]) == (302, url)
    why = {"archived": ARCHIVED, "hidden": GONE}[case]
    assert told(browser.get(url)) == [f"Nothing was changed. {why}"]
    require_unchanged(task)


def test_task_that_went_while_its_form_was_open_is_told(
    browser: Client, task: Task
) -> None:
    url = f"{TASKS}{task.pk}/change/"
    opened = form(browser.get(url))
    trash(task)
    response = browser.post(url, opened | {"title": "New"})

    assert response.status_code == 403
    task.refresh_from_db()
    assert (task.title, task.version) == ("Water the plants", 2)


@pytest.mark.parametrize(
    "url",
    [
        f"{TASKS}?q=%00",
        f"{TASKS}?status__exact=%00",
        f"{TASKS}?status__exact=%00&status__exact=TODO",
        f"{TASKS}?%00=1",
        "/admin/autocomplete/?app_label=tasks&model_name=project"
        "&field_name=owner&term=%00",
    ],
)
def test_nul_in_a_query_string_is_refused(browser: Client, url: str) -> None:
    assert browser.get(url).status_code == 400
