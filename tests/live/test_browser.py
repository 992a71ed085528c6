"""What is made for a browser, in one: the home page, the documentation, the admin.

TASKAPI_PICTURES=FOLDER keeps a picture of each page. TASKAPI_README_PICTURES=1 writes
those of the README again, in docs/images.
"""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.factories import PASSWORD
from tests.live import browser
from tests.live.browser import Visit
from tests.live.conftest import Sql
from tests.live.people import Tokens, login, make_task, me_request, register
from tests.live.server import ROOT, Server

pytestmark = [pytest.mark.live, pytest.mark.full]

ROOT_EMAIL = "root@example.com"
USERS, TASKS = "/admin/accounts/user/", "/admin/tasks/task/"
PROJECTS = "/admin/tasks/project/"
SESSIONS = "/admin/accounts/session/"
IMAGES = ROOT / "docs" / "images"
MAX_IMAGE_BYTES = 200_000
ONE_LINE_PIXELS = 25
README_TASKS = [
    {"title": "Book the train to Vienna", "dueDate": "2030-03-01T09:00:00Z"},
    {"title": "Renew the certificate", "priority": "URGENT"},
    {"title": "Write the release notes", "status": "IN_PROGRESS", "priority": "HIGH"},
    {"title": "Restore last night's backup", "status": "DONE", "priority": "HIGH"},
    {"title": "Order two more disks", "priority": "LOW"},
    {"title": "Plan the team's offsite", "dueDate": "2030-04-15T12:30:00Z"},
    {"title": "Review the open pull requests", "status": "IN_PROGRESS"},
]


@pytest.fixture(scope="module")
def chromium(request: pytest.FixtureRequest) -> Iterator[Any]:
    if why := browser.missing():
        if request.config.option.require_services:
            pytest.fail(why)
        pytest.skip(why)
    with browser.chromium() as found:
        yield found


@pytest.fixture
def visit(chromium: Any, live: Server, tmp_path: Path) -> Iterator[Visit]:
    """A browser that, afterwards, is found to have had nothing to complain of."""
    pictures = Path(os.environ.get("TASKAPI_PICTURES") or tmp_path)
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    visit = Visit(context, f"http://127.0.0.1:{live.port}", pictures)
    yield visit
    context.close()
    assert visit.requests
    assert visit.strangers() == []
    assert visit.complaints == []
    assert visit.refusals() == []


def readme_picture(visit: Visit, name: str) -> None:
    if os.environ.get("TASKAPI_README_PICTURES"):
        visit.pictures = IMAGES
    visit.picture(name)
    assert (visit.pictures / f"{name}.png").stat().st_size < MAX_IMAGE_BYTES


def scripts_from(response: Any) -> set[str]:
    """The sources of scripts that the page's policy allows."""
    policy = dict(
        part.strip().split(" ", 1)
        for part in response.headers["content-security-policy"].split(";")
    )
    return set(policy.get("script-src", policy["default-src"]).split())


# Home page


def test_home_page_leads_to_the_documentation(visit: Visit) -> None:
    assert scripts_from(visit.open("/")) == {"'self'"}
    visit.picture("home")
    visit.page.get_by_role("link", name="Documentation").click()

    visit.page.get_by_role("heading", name="Task API").wait_for()


# Documentation


def described(visit: Visit, method: str, path: str) -> Any:
    block = visit.page.locator(
        f".opblock-{method}", has=visit.page.locator(f'[data-path="{path}"]')
    )
    block.locator(".opblock-summary-control").click()
    return block


def operation(visit: Visit, method: str, path: str) -> Any:
    block = described(visit, method, path)
    block.get_by_role("button", name="Try it out").click()
    return block


def execute(block: Any) -> str:
    """The status of the answer, as the page shows it."""
    block.get_by_role("button", name="Execute").click()
    status = block.locator(".live-responses-table tbody .response-col_status").first
    return str(status.inner_text()).strip()


def shown_body(block: Any) -> str:
    return str(block.locator(".live-responses-table code").last.inner_text())


def authorize(visit: Visit, token: str) -> None:
    visit.page.locator(".auth-wrapper .btn.authorize").first.click()
    form = visit.page.locator(".modal-ux form").filter(has_text="accessToken")
    form.locator("input").fill(token)
    visit.picture("docs-authorize")
    form.locator(".btn.authorize").click()
    form.locator(".btn-done").click()


def test_documentation_is_tried_out_with_a_token(visit: Visit) -> None:
    assert scripts_from(visit.open("/api/docs")) == {"'self'"}
    visit.page.get_by_role("heading", name="Task API").wait_for()
    visit.picture("docs")
    block = operation(visit, "post", "/api/auth/register")
    about = {"name": "Dora", "email": "dora@example.com", "password": PASSWORD}
    block.locator("textarea").fill(json.dumps(about))
    assert execute(block) == "201"
    [token] = re.findall(r'"accessToken": "([\w.-]+)"', shown_body(block))
    visit.picture("docs-registered")

    authorize(visit, token)
    tasks = operation(visit, "get", "/api/tasks")

    assert execute(tasks) == "200"
    assert '"total": 0' in shown_body(tasks)
    visit.picture("docs-tried")


def test_documentation_shows_the_examples_of_parameters(visit: Visit) -> None:
    visit.open("/api/docs")
    block = described(visit, "get", "/api/tasks")

    for name in ("q", "cursor", "limit", "status"):
        row = block.locator(f"[data-param-name={name}]")
        assert "Example" in row.inner_text(), name
    visit.picture("docs-described")


# Found with a personal token only.
PERSONAL_TOKEN = "/api/auth/tokens/current"


def test_documentation_sends_no_optional_parameter_by_itself(
    visit: Visit, owner: Tokens
) -> None:
    visit.open("/api/docs")
    authorize(visit, owner.access)
    rows = visit.page.locator(".opblock-get:not(:has([data-path*='{']))")
    paths = rows.locator("[data-path]").evaluate_all(
        "spans => spans.map(span => span.dataset.path)"
    )
    assert {"/api/tasks", PERSONAL_TOKEN} <= {*paths}
    paths.remove(PERSONAL_TOKEN)
    for path in paths:
        block = operation(visit, "get", path)
        assert execute(block) == "200", path
        if path == "/api/tasks":
            visit.picture("docs-parameters")
        block.locator(".opblock-summary-control").click()  # else the page gets slow
    queries = {urlsplit(url).query for url in visit.requests if "/api/tasks" in url}
    assert queries == {"", "format=csv"}


def test_documentation_sends_the_parameters_that_are_filled_in(
    visit: Visit, owner: Tokens
) -> None:
    visit.open("/api/docs")
    authorize(visit, owner.access)
    block = operation(visit, "get", "/api/tasks")
    block.locator("[data-param-name=limit] input").fill("2")
    block.locator("[data-param-name=q] input").fill("order")
    block.get_by_role("button", name="Cancel").click()
    block.get_by_role("button", name="Try it out").click()

    assert execute(block) == "200"
    assert '"total": 2' in shown_body(block)
    assert visit.requests[-1].endswith("/api/tasks?limit=2&q=order")


def test_readme_shows_the_documentation(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 1200, "height": 700})
    visit.open("/api/docs")
    tasks = visit.page.locator("#operations-tag-Tasks")
    tasks.wait_for()
    tasks.evaluate("element => element.scrollIntoView()")
    readme_picture(visit, "api-docs")


# Admin


@pytest.fixture(scope="module")
def root(database: str) -> str:
    """An administrator, made as docs/operations.md says."""
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database,
        "DJANGO_SUPERUSER_EMAIL": ROOT_EMAIL,
        "DJANGO_SUPERUSER_NAME": "Root",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    command = [sys.executable, "manage.py", "createsuperuser", "--noinput"]
    subprocess.run(command, cwd=ROOT, env=os.environ | variables, check=True)
    return ROOT_EMAIL


@pytest.fixture
def admin(visit: Visit, root: str) -> Visit:
    """Signed in through the form."""
    page = visit.page
    assert scripts_from(visit.open("/admin/")) == {"'self'"}
    visit.picture("admin-login")
    page.get_by_label("Email").fill(root)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Log out").or_(
        page.get_by_role("button", name="Log out")
    ).wait_for()
    return visit


@pytest.fixture
def owner(live: Server) -> Tokens:
    owner = register(live)
    make_task(live, owner, title="Order the quarterly ladder", priority="HIGH")
    make_task(live, owner, title="Water the plants")
    make_task(live, owner, title="Order the wardrobe", status="DONE")
    return owner


def found(visit: Visit, column: str) -> list[str]:
    cells = visit.page.locator(f"#result_list .field-{column}")
    return [text.strip() for text in cells.all_inner_texts()]


def search(visit: Visit, url: str, words: str) -> None:
    visit.open(url)
    visit.page.locator("#searchbar").fill(words)
    visit.page.get_by_role("button", name="Search").click()
    visit.page.wait_for_load_state("networkidle")


def act(visit: Visit, action: str) -> None:
    """Choose all rows that are shown, and do that with them."""
    visit.page.locator("#action-toggle").check()
    visit.page.locator("select[name=action]").select_option(label=action)
    visit.page.get_by_role("button", name="Go", exact=True).click()


def told(visit: Visit) -> str:
    return str(visit.page.locator(".messagelist").inner_text())


def test_tasks_are_searched_and_filtered(admin: Visit, owner: Tokens) -> None:
    admin.picture("admin-index")
    search(admin, TASKS, f"order {owner.email}")
    assert found(admin, "title") == ["Order the wardrobe", "Order the quarterly ladder"]

    admin.picture("admin-search")
    filters = admin.page.locator("#changelist-filter")
    filters.get_by_role("link", name="Todo", exact=True).click()
    admin.page.wait_for_load_state("networkidle")

    assert found(admin, "title") == ["Order the quarterly ladder"]
    assert "1 task" in admin.page.locator(".paginator").inner_text()
    admin.picture("admin-filtered")


def test_lists_fit_a_usual_screen(admin: Visit, owner: Tokens) -> None:
    """Ordinary titles stay on one line, and no column is cut off."""
    admin.page.set_viewport_size({"width": 1360, "height": 900})
    # Only the owner's: other tests leave names and agents that are as long as can be.
    tasks, users, sessions, projects = (
        f"{url}?q={owner.email}" for url in (TASKS, USERS, SESSIONS, PROJECTS)
    )
    for url in (tasks, users, sessions, f"{projects}&state=inbox"):
        admin.open(url)
        admin.picture(f"admin-1360-{url.split('/')[-2]}")
        table = admin.page.locator("#changelist-form .results")
        assert table.evaluate("e => e.scrollWidth <= e.clientWidth"), url
    admin.open(tasks)
    titles = admin.page.locator("#result_list .field-title a").all()
    assert max(title.bounding_box()["height"] for title in titles) < ONE_LINE_PIXELS


def test_readme_shows_the_admin(admin: Visit, live: Server) -> None:
    owner = register(live)
    for values in README_TASKS:
        make_task(live, owner, **values)
    admin.page.set_viewport_size({"width": 1600, "height": 760})
    search(admin, TASKS, owner.email)

    assert len(found(admin, "title")) == len(README_TASKS)
    readme_picture(admin, "admin")


def test_short_search_says_what_it_leaves_out(admin: Visit, owner: Tokens) -> None:
    search(admin, TASKS, "zz")

    assert "only the newest 10,000 tasks are searched" in told(admin)
    admin.picture("admin-short-search")


def test_task_is_edited_with_its_history(admin: Visit, owner: Tokens) -> None:
    search(admin, TASKS, f"quarterly {owner.email}")
    page = admin.page
    page.get_by_role("link", name="Order the quarterly ladder").click()
    page.get_by_label("Title").fill("Order the yearly ladder")
    page.get_by_label("Status").select_option("IN_PROGRESS")
    admin.picture("admin-form")
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_load_state("networkidle")

    assert "was changed successfully" in told(admin)
    versions = page.locator(".tabular .field-version").all_inner_texts()
    assert [text.strip() for text in versions] == ["2", "1"]
    assert "Order the yearly ladder" in page.locator(".tabular").inner_text()
    admin.picture("admin-saved")
    page.get_by_role("link", name="History").click()
    assert "Changed Title and Status" in page.locator("#change-history").inner_text()
    admin.picture("admin-history")


def test_task_is_added_for_an_owner_found_by_typing(
    admin: Visit, owner: Tokens, live: Server
) -> None:
    admin.open(f"{TASKS}add/")
    page = admin.page
    page.locator(".select2-selection").click()
    page.locator(".select2-search__field").fill(owner.email[:-4])
    page.locator(".select2-results__option", has_text=owner.email).click()
    page.get_by_label("Title").fill("From the admin")
    admin.picture("admin-add")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_load_state("networkidle")

    assert "was added successfully" in told(admin)
    search(admin, TASKS, f'"from the admin" {owner.email}')
    assert found(admin, "user") == [owner.email]


def choose(visit: Visit, place: Any, email: str) -> None:
    """Find an account by typing."""
    place.locator(".select2-selection").click()
    visit.page.locator(".select2-search__field").fill(email)
    visit.page.get_by_role("option", name=email).click()


def test_project_is_made_and_shared(admin: Visit, owner: Tokens, live: Server) -> None:
    member, page = register(live), admin.page
    admin.open(f"{PROJECTS}add/")
    choose(admin, page.locator(".field-owner"), owner.email)
    page.get_by_label("Name").fill("House")
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_load_state("networkidle")

    choose(admin, page.locator("#memberships-2-0"), member.email)
    page.locator("#id_memberships-2-0-role").select_option(label="Editor")
    page.locator("#id_invitations-2-0-email").fill("guest@example.com")
    page.locator("#id_invitations-2-0-role").select_option(label="Viewer")
    admin.picture("admin-project-form")
    page.get_by_role("button", name="Save and continue editing").click()
    page.wait_for_load_state("networkidle")

    assert (
        "An invitation for guest@example.com was made. The invitation's token is: "
        in told(admin)
    )
    admin.picture("admin-project-shared")
    members = page.locator("#memberships-group .field-member").all_inner_texts()
    assert member.email in "".join(members)
    page.reload()
    assert page.locator(".messagelist").count() == 0
    assert (
        f"({member.email}) became editor" in page.locator("#changes-group").inner_text()
    )


def test_task_is_restored_by_its_button(admin: Visit, owner: Tokens) -> None:
    search(admin, TASKS, f"plants {owner.email}")
    act(admin, "Move the chosen tasks to the trash")
    admin.page.wait_for_load_state("networkidle")
    admin.page.get_by_role("link", name="Water the plants").click()
    admin.picture("admin-trashed")
    admin.page.get_by_role("button", name="Restore").click()
    admin.page.wait_for_load_state("networkidle")

    assert "was restored" in told(admin)
    admin.page.get_by_label("Title").wait_for()


def test_tasks_are_marked_done(admin: Visit, owner: Tokens) -> None:
    search(admin, TASKS, owner.email)
    act(admin, "Mark the chosen tasks as done")
    admin.page.wait_for_load_state("networkidle")

    assert "Marked 2 task(s) as done." in told(admin)
    assert found(admin, "status") == ["Done"] * 3
    admin.picture("admin-done")


def test_tasks_are_downloaded(admin: Visit, owner: Tokens, tmp_path: Path) -> None:
    search(admin, TASKS, owner.email)
    with admin.page.expect_download() as download:
        act(admin, "Export the chosen tasks as CSV")
    download.value.save_as(tmp_path / "tasks.csv")
    with (tmp_path / "tasks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert download.value.suggested_filename == "tasks.csv"
    assert {row["title"]: row["status"] for row in rows} == {
        "Order the quarterly ladder": "TODO",
        "Water the plants": "TODO",
        "Order the wardrobe": "DONE",
    }
    assert {row["email"] for row in rows} == {owner.email}


def me(live: Server, tokens: Tokens) -> int:
    return live.ask(me_request(tokens.access)).status


def test_sessions_of_a_user_are_ended(
    admin: Visit, owner: Tokens, live: Server
) -> None:
    other = login(live, owner.email)
    assert (me(live, owner), me(live, other)) == (200, 200)
    search(admin, USERS, owner.email)
    act(admin, "End every session of the chosen users")
    admin.page.wait_for_load_state("networkidle")

    assert "Ended 2 session(s)." in told(admin)
    assert (me(live, owner), me(live, other)) == (401, 401)
    admin.picture("admin-users")


def test_user_is_deactivated(
    admin: Visit, owner: Tokens, live: Server, sql: Sql
) -> None:
    search(admin, USERS, owner.email)
    act(admin, "Deactivate the chosen users")
    admin.page.wait_for_load_state("networkidle")

    assert "Deactivated 1 user(s)." in told(admin)
    statement = "SELECT is_active FROM accounts_user WHERE email = %s"
    assert sql(statement, owner.email) == [(False,)]
    assert me(live, owner) == 401
