"""Lists of the admin cost no more because there is more: what they ask the database.

How long that takes with a million tasks is measured by `benchmarks/admin.py`.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import (
    BlacklistedToken,
    OutstandingToken,
)

import taskapi.admin
from accounts.models import RevocationReason, Session, User
from taskapi.admin import BoundedModelAdmin
from tasks.admin import history, search
from tasks.imports.parsers import READERS
from tasks.models import Comment, Label, Priority, Project, Status, Task, TaskChange
from tasks.operations import Update, comments, perform
from tasks.serializers import TaskSerializer
from tests.factories import make_session, make_task, make_user
from tests.project.admin_pages import (
    COMMENTS,
    LABELS,
    MEMBERS,
    PROJECTS,
    TASKS,
    USERS,
    rows,
    statements,
)
from tests.tasks import sharing
from tests.tasks.wire import author, make_tasks, trash

pytestmark = pytest.mark.django_db

SESSIONS = "/admin/accounts/session/"
ISSUED = "/admin/token_blacklist/outstandingtoken/"
SPENT = "/admin/token_blacklist/blacklistedtoken/"
OF_TASKS = [TASKS, PROJECTS, MEMBERS, LABELS, COMMENTS]
LISTS = [USERS, SESSIONS, *OF_TASKS, ISSUED, SPENT]
NOBODY = "00000000-0000-4000-8000-000000000000"
FEW = 3


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bounds that are reached by a handful of rows."""
    monkeypatch.setattr(taskapi.admin, "MAX_PAGED_ROWS", FEW)
    monkeypatch.setattr(taskapi.admin, "MAX_ACTION_ROWS", FEW)
    monkeypatch.setattr(search, "MAX_UNINDEXED", FEW)
    monkeypatch.setattr(BoundedModelAdmin, "list_per_page", 2)
    return FEW


@pytest.fixture
def titles(alice: User) -> list[str]:
    """More than a few, oldest first."""
    titles = ["Answer the mail", "Book a flight", "Call the bank", "Draw a map", "Eat"]
    for title in titles:
        make_task(alice, title=title)
    return titles


def make_row_of_each_kind(person: User) -> None:
    session = make_session(person)
    token = OutstandingToken.objects.get(jti=session.current_jti)
    BlacklistedToken.objects.create(token=token)
    project = sharing.make_project(person)
    sharing.share(project, make_user(f"friend{uuid4()}"))
    task = sharing.task_in(project, labels=[f"label {uuid4()}"])
    comments.create_comment(task.pk, "Done?", author(person))


def shown(page: Any) -> list[str]:
    return [task.title for task in rows(page)]


def everything() -> Iterator[str]:
    """Each list, with each filter, each sort and a search."""
    for model, registered in admin.site._registry.items():
        url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        yield from (url, f"{url}?q=abc", f"{url}?q=x", f"{url}?q=x@example.com")
        yield f"{url}?_facets=True"
        for name in registered.sortable_by or ():
            yield f"{url}?o={[*registered.list_display].index(name) + 1}"
    yield f"{TASKS}?status__exact=DONE&priority__exact=4&trash=yes"
    yield f"{TASKS}?due_at__isnull=True"
    yield f"{SESSIONS}?end_reason=logout"
    yield f"{USERS}?role__exact=ADMIN"
    yield from (f"{url}?user__id__exact={NOBODY}" for url in (TASKS, SESSIONS))


def test_every_page_is_tried() -> None:
    urls = set(everything())
    assert set(LISTS) <= urls
    assert {f"{TASKS}?o=6", f"{SESSIONS}?o=5", f"{USERS}?o=5"} <= urls


@pytest.mark.parametrize("url", [*everything()])
def test_nothing_is_counted_to_its_end(browser: Client, url: str, few: int) -> None:
    asked = statements(browser, url)

    counts = [sql for sql in asked if "COUNT(" in sql.upper()]
    assert counts or "q=" in url
    for sql in counts:
        assert sql.endswith(f"LIMIT {FEW + 1}) subquery"), sql


@pytest.mark.parametrize("url", LISTS)
def test_no_list_is_read_to_its_end(
    browser: Client, url: str, few: int, titles: list[str], alice: User, bob: User
) -> None:
    for _ in titles:
        make_row_of_each_kind(alice)
    table = "_".join(url.split("/")[2:4])
    asked = [sql for sql in statements(browser, url) if f'FROM "{table}"' in sql]

    # Who asks, and what the rows are shown with, is read by its key.
    by_key = (" IN (", f'"{table}"."id" = ')
    asked = [sql for sql in asked if not any(each in sql for each in by_key)]
    read = [sql for sql in asked if "COUNT(" not in sql]
    assert [sql[-8:] for sql in read] == [" LIMIT 2"]


@pytest.mark.parametrize("url", LISTS)
def test_more_rows_cost_no_more_statements(browser: Client, url: str) -> None:
    asked = []
    for count in (1, 5):
        for n in range(count):
            make_row_of_each_kind(make_user(f"user{count}{n}"))
        asked.append(len(statements(browser, url)))

    assert asked[0] == asked[1]


@pytest.mark.parametrize("url", LISTS)
def test_only_columns_with_an_index_can_be_sorted_by(
    browser: Client, url: str, task: Task
) -> None:
    make_row_of_each_kind(task.user)
    page = browser.get(url).content.decode()
    columns = re.findall(r'<th scope="col" class="([^"]+)">', page)

    assert len(columns) > 3
    sortable = {name.split("column-")[1] for name in columns if "sortable" in name}
    assert {name.split()[0] for name in sortable} <= {"created_at", "expires_at"}


def prepared() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall()]


def test_no_plan_is_kept_for_other_searches(
    browser: Client, titles: list[str], alice_api: APIClient
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite plans for the text of a statement")
    before = set(prepared())
    for _ in range(8):
        browser.get(f"{TASKS}?q=answer")
    assert not [sql for sql in prepared() if sql not in before]

    # The API's are kept, by the same thread.
    for _ in range(8):
        alice_api.get("/api/auth/me")
    assert [sql for sql in prepared() if sql not in before]


# How many there are


def test_small_numbers_are_exact(browser: Client, titles: list[str]) -> None:
    page = browser.get(TASKS)

    assert page.context["cl"].result_count == 5
    assert "5 tasks" in page.content.decode()


def test_of_many_that_are_filtered_only_the_bound_is_told(
    browser: Client, titles: list[str], few: int
) -> None:
    page = browser.get(f"{TASKS}?status__exact=TODO").content.decode()

    assert "more than 3 tasks" in page


def test_of_many_the_planner_is_asked(
    browser: Client, titles: list[str], few: int
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no estimate")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_task")

    assert "about 5 tasks" in browser.get(TASKS).content.decode()


def test_estimate_that_is_out_of_date_is_not_told(
    browser: Client, titles: list[str], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taskapi.admin, "ESTIMATE", "SELECT -1 WHERE %s <> ''")

    assert "more than 3 tasks" in browser.get(TASKS).content.decode()


def test_pages_end_at_the_bound(browser: Client, titles: list[str], few: int) -> None:
    assert shown(browser.get(TASKS)) == ["Eat", "Draw a map"]
    assert shown(browser.get(f"{TASKS}?p=2")) == ["Call the bank", "Book a flight"]
    beyond = browser.get(f"{TASKS}?p=3")
    assert (beyond.status_code, beyond["Location"]) == (302, f"{TASKS}?e=1")


def test_what_lies_beyond_is_at_the_other_end_of_the_sort(
    browser: Client, titles: list[str], few: int
) -> None:
    assert shown(browser.get(f"{TASKS}?o=6")) == ["Answer the mail", "Book a flight"]


# Searching tasks


def test_every_word_counts(browser: Client, titles: list[str]) -> None:
    assert shown(browser.get(f"{TASKS}?q=THE+ans")) == ["Answer the mail"]
    assert shown(browser.get(f"{TASKS}?q=the+map")) == []


def test_quoted_words_count_together(browser: Client, titles: list[str]) -> None:
    assert shown(browser.get(f'{TASKS}?q="the bank"')) == ["Call the bank"]
    assert shown(browser.get(f'{TASKS}?q="bank the"')) == []


def test_trash_is_searched_too(browser: Client, titles: list[str]) -> None:
    trash(Task.objects.get(title="Draw a map"))

    assert shown(browser.get(f"{TASKS}?q=draw")) == ["Draw a map"]


def test_address_is_the_owners(browser: Client, titles: list[str], bob: User) -> None:
    make_task(bob, title="Bank")

    assert shown(browser.get(f"{TASKS}?q=BOB@example.com")) == ["Bank"]
    assert shown(browser.get(f"{TASKS}?q=bank+bob@example.com")) == ["Bank"]
    assert shown(browser.get(f"{TASKS}?q=bob@example")) == []


@pytest.mark.parametrize("word", ["a", "t", "%"])
def test_short_words_are_searched_among_the_newest(
    browser: Client, titles: list[str], few: int, word: str
) -> None:
    page = browser.get(f"{TASKS}?q={word}")
    newest = [title for title in titles[-FEW:] if word in title.lower()]

    assert page.context["cl"].result_count == len(newest)
    assert "only the newest 3 tasks are searched" in page.content.decode()


def test_long_words_are_searched_everywhere(
    browser: Client, titles: list[str], few: int
) -> None:
    page = browser.get(f"{TASKS}?q=answer")

    assert shown(page) == ["Answer the mail"]
    assert "only the newest" not in page.content.decode()


# Searching people, sessions and tokens


@pytest.mark.parametrize(
    ("query", "found"), [("alice@example.com", 1), ("ALICE@Example.com", 1), ("ali", 0)]
)
@pytest.mark.parametrize("url", [SESSIONS, ISSUED, SPENT])
def test_sessions_and_tokens_are_found_by_the_whole_address(
    browser: Client, alice: User, bob: User, url: str, query: str, found: int
) -> None:
    for user in (alice, bob):
        make_session(user)
    tokens = OutstandingToken.objects.all()
    BlacklistedToken.objects.bulk_create(
        BlacklistedToken(token=each) for each in tokens
    )

    assert len(rows(browser.get(f"{url}?q={query}"))) == found


def test_sessions_are_found_by_ip_address(browser: Client, alice: User) -> None:
    near = make_session(alice, address="10.0.0.1")
    far = make_session(alice, address="2001:db8::1")

    assert rows(browser.get(f"{SESSIONS}?q=10.0.0.1")) == [near]
    assert rows(browser.get(f"{SESSIONS}?q=2001:DB8:0::1")) == [far]
    assert rows(browser.get(f"{SESSIONS}?q=10.0.0")) == []


def test_tokens_are_found_by_jti(browser: Client, alice: User) -> None:
    session, _ = make_session(alice), make_session(alice)
    [token] = rows(browser.get(f"{ISSUED}?q={session.current_jti}"))

    assert token.jti == session.current_jti


def test_sessions_are_filtered_by_why_they_ended(browser: Client, alice: User) -> None:
    live, ended = make_session(alice), make_session(alice)
    Session.objects.filter(pk=ended.pk).update(end_reason=RevocationReason.REPLAY)

    assert rows(browser.get(f"{SESSIONS}?end_reason=replay")) == [ended]
    assert rows(browser.get(f"{SESSIONS}?end_reason=none")) == [live]
    assert rows(browser.get(f"{SESSIONS}?end_reason=logout")) == []


# Forms


@pytest.mark.parametrize("url", [f"{TASKS}add/", f"{SPENT}add/"])
def test_forms_do_not_offer_every_row(browser: Client, url: str) -> None:
    for n in range(5):
        make_session(make_user(f"user{n}"))
    page = browser.get(url).content.decode()

    assert "admin-autocomplete" in page
    assert "user3@example.com" not in page


def test_token_is_found_for_the_blacklist(browser: Client, alice: User) -> None:
    session = make_session(alice)
    about = {"app_label": "token_blacklist", "model_name": "blacklistedtoken"}
    term = {"field_name": "token", "term": session.current_jti}
    found = browser.get("/admin/autocomplete/", about | term).json()["results"]
    browser.post(f"{SPENT}add/", {"token": found[0]["id"]})

    assert BlacklistedToken.objects.get().token.jti == session.current_jti


def test_form_of_a_user_shows_the_last_sessions_only(
    browser: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accounts.admin import sessions

    monkeypatch.setattr(sessions, "MAX_SESSIONS", FEW)
    for n in range(FEW + 2):
        make_session(alice, user_agent=f"Agent/{n}")
    page = browser.get(f"{USERS}{alice.pk}/change/")
    [inline] = page.context["inline_admin_formsets"]

    assert len(inline.formset.forms) == FEW


def test_form_of_a_task_shows_the_last_changes_only(
    browser: Client, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MAX_CHANGES", FEW)
    TaskChange.objects.bulk_create(
        TaskChange(task=task, version=n, changed_at=task.updated_at, fields=[])
        for n in range(2, 9)
    )
    page = browser.get(f"{TASKS}{task.pk}/change/")
    [inline] = page.context["inline_admin_formsets"]

    assert [form.instance.version for form in inline.formset.forms] == [8, 7, 6]


@pytest.mark.parametrize(
    "model", [OutstandingToken, BlacklistedToken, User, Task, Project, Label, Comment]
)
def test_every_list_is_bounded(model: Any) -> None:
    assert isinstance(admin.site._registry[model], BoundedModelAdmin)
    assert not admin.site._registry[model].show_full_result_count
    assert admin.site._registry[model].paginator is taskapi.admin.BoundedPaginator


def test_confirmation_does_not_list_the_history(browser: Client, task: Task) -> None:
    asked = statements(browser, f"{TASKS}{task.pk}/delete/")

    assert not [sql for sql in asked if "tasks_change" in sql]


# Actions on everything that the list holds


def act(browser: Client, url: str, action: str, chosen: Any, **extra: str) -> Any:
    pks = [str(row.pk) for row in chosen]
    body = {"action": action, "_selected_action": pks, "select_across": "1"}
    return browser.post(url, body | extra, follow=action != "export_csv")


@pytest.mark.parametrize("action", ["mark_done", "trash"])
def test_too_many_tasks_at_once_are_refused(
    browser: Client, titles: list[str], few: int, action: str
) -> None:
    page = act(browser, TASKS, action, Task.objects.all())

    assert "Nothing was changed: more than 3 rows were chosen." in page.content.decode()
    assert not Task.objects.filter(version__gt=1).exists()


@pytest.mark.parametrize("action", ["end_sessions", "deactivate", "delete_selected"])
def test_too_many_users_at_once_are_refused(
    browser: Client, few: int, action: str
) -> None:
    for n in range(4):
        make_session(make_user(f"user{n}"))
    act(browser, USERS, action, User.objects.all(), post="yes")

    assert User.objects.filter(is_active=True, session_epoch=0).count() == 5


def test_as_many_as_are_allowed_are_done(
    browser: Client, titles: list[str], few: int
) -> None:
    chosen = Task.objects.filter(title__contains="a")[:1]
    page = act(browser, f"{TASKS}?q=the", "mark_done", chosen)

    assert "Marked 2 task(s) as done." in page.content.decode()
    done = Task.objects.filter(status=Status.DONE).values_list("title", flat=True)
    assert set(done) == {"Answer the mail", "Call the bank"}


def test_task_that_went_meanwhile_is_passed_by(
    browser: Client, titles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.admin import actions

    perform_one = actions.perform_one

    def after_the_owner(operation: Any, author: Any) -> Task:
        task = Task.objects.get(pk=operation.id)
        if task.title == "Eat" and task.deleted_at is None:
            trash(task)
        return perform_one(operation, author)

    monkeypatch.setattr(actions, "perform_one", after_the_owner)
    page = act(browser, TASKS, "mark_done", Task.objects.all())

    assert "Marked 4 task(s) as done." in page.content.decode()


# Export


def exported(response: Any) -> list[dict[str, str]]:
    text = response.getvalue().decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_chosen_tasks_are_exported(browser: Client, alice: User, bob: User) -> None:
    mine = make_task(alice, title='Say "hi",\nthen go', priority=Priority.URGENT)
    make_task(bob)
    response = act(browser, TASKS, "export_csv", [mine], select_across="0")

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="tasks.csv"'
    [row] = exported(response)
    assert row["title"] == 'Say "hi",\nthen go'
    assert (row["id"], row["priority"]) == (str(mine.pk), "URGENT")
    assert (row["userId"], row["email"]) == (str(alice.pk), "alice@example.com")


def test_any_number_is_exported_as_filtered(
    browser: Client, titles: list[str], few: int
) -> None:
    response = act(browser, TASKS, "export_csv", Task.objects.all()[:1])
    assert sorted(row["title"] for row in exported(response)) == titles

    url = f"{TASKS}?q=the"
    response = act(browser, url, "export_csv", Task.objects.all()[:1])
    assert sorted(row["title"] for row in exported(response)) == titles[0:3:2]


def test_export_is_what_an_import_reads(
    browser: Client, alice: User, bob: User
) -> None:
    make_task(alice, title="=1+1", description="@SUM(A1)")
    make_task(alice, title="'=1+1", description="")
    make_task(bob, description=None)
    response = act(browser, TASKS, "export_csv", Task.objects.all())
    text = response.getvalue()
    assert b'"\'=1+1","\'@SUM(A1)"' in text

    rows = [record.row for record in READERS["csv"](io.BytesIO(text))]
    show = TaskSerializer().to_representation
    newest_first = Task.objects.select_related("user").order_by("-created_at", "-id")
    assert rows == [
        {name: value for name, value in show(task).items() if name != "completedAt"}
        | {"email": task.user.email}
        for task in newest_first
    ]


def test_export_is_streamed_in_chunks(
    browser: Client, alice: User, django_assert_num_queries: Callable[..., Any]
) -> None:
    make_tasks(alice, [{"title": f"Task {n}"} for n in range(1200)])
    response = act(browser, TASKS, "export_csv", Task.objects.all()[:1])

    assert response.streaming
    stream = iter(response.streaming_content)
    # The first has the names of the columns. For each page the sizes are read first.
    for count in (501, 500, 200):
        with django_assert_num_queries(2):
            assert next(stream).count(b"\n") == count
    assert next(stream, None) is None


def test_export_is_of_one_moment_and_in_the_order_of_the_list(
    browser: Client, alice: User
) -> None:
    tasks = [make_task(alice, title=title) for title in "bac"]
    url = f"{TASKS}?o=6&status__exact=TODO"
    response = act(browser, url, "export_csv", tasks[:1])
    perform([Update({"status": Status.DONE}, tasks[1].pk)], author(alice))

    rows = [(row["title"], row["status"]) for row in exported(response)]
    assert rows == [("b", "TODO"), ("a", "TODO"), ("c", "TODO")]
