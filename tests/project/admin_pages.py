"""Opening, filling in and sending the pages of the admin, as a browser does."""

import re
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

USERS = "/admin/accounts/user/"
TASKS = "/admin/tasks/task/"
PROJECTS = "/admin/tasks/project/"
MEMBERS = "/admin/tasks/membership/"
LABELS = "/admin/tasks/label/"
COMMENTS = "/admin/tasks/comment/"


def boxes(field: Any, name: str) -> dict[str, Any]:
    """The names and values under which a field is sent: a date and time as two."""
    if not getattr(field.field.widget, "widgets", None):
        return {name: field.value()}
    parts = field.field.widget.decompress(field.value())
    return {f"{name}_{n}": part for n, part in enumerate(parts)}


def form(page: Any) -> dict[str, Any]:
    """What a browser would send back from a page, unchanged."""
    context = page.context
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    values: dict[str, Any] = {}
    for field in (field for each in forms for field in each):
        values |= boxes(field, field.html_name)
        if field.field.show_hidden_initial:
            values |= boxes(field, field.html_initial_name)
    # Browsers end lines with CR LF, and leave a box that is not ticked out.
    return {
        name: re.sub("\r?\n", "\r\n", value) if isinstance(value, str) else value
        for name, value in values.items()
        if value is not None and value is not False
    }


def submit(browser: Client, url: str, **changes: Any) -> Any:
    """Open a form, change some fields, and save it."""
    values = form(browser.get(url)) | changes
    sent = {name: value for name, value in values.items() if value is not None}
    response = browser.post(url, sent)
    assert response.status_code == 302, response.context["errors"]
    return response


def act(browser: Client, url: str, action: str, *rows: Any, **extra: str) -> Any:
    chosen = [str(row.pk) for row in rows]
    return browser.post(url, {"action": action, "_selected_action": chosen} | extra)


def rows(page: Any) -> list[Any]:
    """What a list shows."""
    return list(page.context["cl"].result_list)


def told(page: Any) -> list[str]:
    """The messages at the top of a page."""
    return [str(message) for message in page.context["messages"]]


def statements(browser: Client, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        response = browser.get(url)
    assert response.status_code == 200, response.headers
    return [query["sql"] for query in queries]
