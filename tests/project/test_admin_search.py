"""A search with filters: what matches is looked for once."""

import pytest
from django.test import Client

import taskapi.admin
from accounts.models import User
from taskapi.admin import BoundedModelAdmin
from tasks.admin import search
from tasks.models import Priority
from tests.factories import make_task
from tests.project.admin_pages import TASKS, rows, statements
from tests.tasks.wire import trash

pytestmark = pytest.mark.django_db
URL = f"{TASKS}?q=invoice&status__exact=TODO&priority__exact=4&trash=no"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taskapi.admin, "MAX_PAGED_ROWS", 5)
    monkeypatch.setattr(search, "MAX_UNINDEXED", 2)
    monkeypatch.setattr(BoundedModelAdmin, "list_per_page", 2)


def make(owner: User, number: int) -> None:
    for n in range(number):
        make_task(owner, title=f"Invoice {n}", priority=Priority.URGENT)


def titles(browser: Client, url: str) -> list[str]:
    return [task.title.removeprefix("Invoice ") for task in rows(browser.get(url))]


def test_search_with_filters_is_paged_and_counted(
    browser: Client, alice: User, few: None
) -> None:
    make(alice, 5)
    make_task(alice, title="Invoice of low priority")
    trash(make_task(alice, title="Invoice", priority=Priority.URGENT))

    pages = [titles(browser, f"{URL}&p={number}") for number in (1, 2, 3)]
    assert pages == [["4", "3"], ["2", "1"], ["0"]]
    assert titles(browser, f"{URL}&o=6") == ["0", "1"]
    assert titles(browser, f"{URL}&o=6&p=3") == ["4"]
    assert browser.get(URL).context["cl"].result_count == 5


def test_search_with_filters_ends_at_the_bound(
    browser: Client, alice: User, few: None
) -> None:
    make(alice, 7)

    assert "more than 5 tasks" in browser.get(URL).content.decode()
    assert titles(browser, URL) == ["6", "5"]
    assert titles(browser, f"{URL}&p=3") == ["2", "1"]
    assert browser.get(f"{URL}&p=4").status_code == 302


@pytest.mark.parametrize("number", [0, 1, 5])
def test_matches_are_looked_for_once(
    browser: Client, alice: User, few: None, number: int
) -> None:
    make(alice, number)
    asked = [sql for sql in statements(browser, URL) if "invoice" in sql]

    # The rows of the page, by their ids.
    looking = [sql for sql in asked if '"tasks_task"."id" IN (' not in sql]
    assert len(looking) == 1
    assert len(asked) == 1 + bool(number)


def test_oldest_of_the_newest_tasks_is_found_by_its_index(
    browser: Client, alice: User, few: None
) -> None:
    make(alice, 3)
    asked = statements(browser, f"{TASKS}?q=x")

    [bound] = [sql for sql in asked if "OFFSET 1" in sql]
    assert '"tasks_task"."version" > 0' in bound
