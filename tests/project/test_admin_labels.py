"""Labels in the admin: found, renamed and deleted on every task that has them."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts import personal_data
from accounts.models import User
from tasks.models import Label, Task
from tasks.operations import space_labels
from tests.factories import make_task
from tests.project.admin_pages import LABELS, act, form, rows, submit, told

pytestmark = pytest.mark.django_db


@pytest.fixture
def labelled(alice: User) -> Task:
    return make_task(alice, labels=["Home", "Garden"])


@pytest.fixture
def label(labelled: Task) -> Label:
    return Label.objects.get(name="Garden")


def change_url(label: Label) -> str:
    return f"{LABELS}{label.pk}/change/"


def listed(browser: Client, query: str = "") -> set[str]:
    return {each.name for each in rows(browser.get(LABELS + query))}


def labels_of(task: Task) -> str:
    task.refresh_from_db()
    return task.labels


def test_labels_are_found_by_name_and_owner(
    browser: Client, labelled: Task, bob: User
) -> None:
    make_task(bob, labels=["Homework"])

    assert listed(browser) == {"Home", "Garden", "Homework"}
    assert listed(browser, "?q=home") == {"Home", "Homework"}
    assert listed(browser, "?q=home+BOB@example.com") == {"Homework"}
    assert listed(browser, "?q=bob@example") == set()


def test_labels_of_who_is_erased_are_not_shown(
    browser: Client, labelled: Task, alice: User
) -> None:
    personal_data.erase(alice)

    assert listed(browser) == set()


def test_label_is_renamed_on_its_tasks(
    browser: Client, root: User, labelled: Task, label: Label
) -> None:
    submit(browser, change_url(label), name="Park", color="#1E90FF")

    label.refresh_from_db()
    assert (label.name, label.key, label.color) == ("Park", "park", "#1e90ff")
    assert label.version == 2
    assert labels_of(labelled) == "Home,Park"
    change = labelled.changes.latest("version")
    assert (change.changed_by, labelled.version) == (root.pk, 2)
    assert label.revision == User.objects.get(pk=label.owner_id).revision


def test_saving_a_label_unchanged_changes_nothing(
    browser: Client, label: Label
) -> None:
    revision = User.objects.get(pk=label.owner_id).revision
    submit(browser, change_url(label))

    label.refresh_from_db()
    assert label.version == 1
    assert User.objects.get(pk=label.owner_id).revision == revision


@pytest.mark.parametrize(
    ("name", "field", "told_"),
    [
        ("HOME", "__all__", 'There is a label "Home" already.'),
        ("a,b", "name", "A name contains no comma."),
        (" ", "name", "This field is required."),
    ],
)
def test_bad_name_is_told(
    browser: Client, labelled: Task, label: Label, name: str, field: str, told_: str
) -> None:
    url = change_url(label)
    page = browser.post(url, form(browser.get(url)) | {"name": name})

    assert page.context["adminform"].form.errors == {field: [told_]}
    assert labels_of(labelled) == "Garden,Home"


def test_label_on_too_many_tasks_is_told(
    browser: Client, labelled: Task, label: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space_labels, "MAX_TASKS", 0)
    url = change_url(label)
    page = browser.post(url, form(browser.get(url)) | {"name": "Park"})
    [error] = page.context["adminform"].form.non_field_errors()
    assert "`manage.py rename_label`" in error

    page = browser.post(f"{LABELS}{label.pk}/delete/", {"post": "yes"}, follow=True)
    assert "`manage.py delete_label`" in told(page)[0]
    page = act(browser, LABELS, "delete_selected", label, post="yes")
    assert "`manage.py delete_label`" in told(browser.get(LABELS))[0]
    assert labels_of(labelled) == "Garden,Home"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("way", ["button", "action"])
def test_label_is_deleted_off_its_tasks(
    browser: Client, root: User, labelled: Task, label: Label, way: str
) -> None:
    if way == "button":
        url = f"{LABELS}{label.pk}/delete/"
        page: Any = browser.get(url)
        browser.post(url, {"post": "yes"})
    else:
        page = act(browser, LABELS, "delete_selected", label)
        act(browser, LABELS, "delete_selected", label, post="yes")

    assert dict(page.context["model_count"]) == {
        "labels": 1,
        "tasks that lose them": "1",
    }
    assert labels_of(labelled) == "Home"
    assert not Label.objects.filter(pk=label.pk).exists()
    assert labelled.changes.latest("version").changed_by == root.pk


def test_labels_are_deleted_all_or_none(
    browser: Client, labelled: Task, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        make_task(bob, labels=["Work"])
    monkeypatch.setattr(space_labels, "MAX_TASKS", 1)
    act(browser, LABELS, "delete_selected", *Label.objects.all(), post="yes")

    assert Label.objects.count() == 3
    [message] = told(browser.get(LABELS))
    assert message.startswith("Nothing was changed. 2 tasks have this label")


def test_page_tells_how_many_tasks_have_the_label(
    browser: Client, label: Label
) -> None:
    html = browser.get(change_url(label)).content.decode()

    assert "Tasks with it:" in html


def test_labels_are_not_added(browser: Client, label: Label) -> None:
    assert browser.get(f"{LABELS}add/").status_code == 403


@pytest.mark.parametrize("page", ["", "{}/change/", "{}/delete/"])
def test_user_sees_no_label(alice: User, label: Label, page: str) -> None:
    browser = Client()
    browser.force_login(alice)
    response = browser.get(LABELS + page.format(label.pk))

    assert response["Location"].startswith("/admin/login/")
