"""The page at `/`, and the redirect from `/admin`."""

import re
from typing import Any

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from taskapi.http.middleware import HTML_CSP
from tests.project.wire import JSON, assert_error

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
LINKS = {
    "docs": "/api/docs",
    "schema": "/api/schema",
    "admin": "/admin/",
    "health": "/health",
}
OTHER_METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def get(api: APIClient, accept: str) -> Any:
    return api.get("/", HTTP_ACCEPT=accept)


@pytest.mark.parametrize(
    "accept", [CHROME, "text/html", "text/*", "*/*;q=0.1,text/html"]
)
def test_browser_gets_a_page(api: APIClient, accept: str) -> None:
    response = get(api, accept)

    assert response.status_code == 200
    assert response["Content-Type"] == "text/html; charset=utf-8"
    page = response.content.decode()
    for link in LINKS.values():
        assert f'href="{link}"' in page


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        JSON,
        "image/png",
        f"{JSON}, text/html;q=0.5",
        "text/html;q=0",
        "text/html; a*=nonsense''b",
        ";",
    ],
)
def test_other_clients_get_json(api: APIClient, accept: str) -> None:
    response = get(api, accept)

    assert response.status_code == 200
    assert response["Content-Type"] == JSON
    about = response.json()
    assert about["name"] == settings.SPECTACULAR_SETTINGS["TITLE"]
    assert about["version"] == settings.SPECTACULAR_SETTINGS["VERSION"]
    assert about["links"] == LINKS


def test_client_without_accept_gets_json(api: APIClient) -> None:
    assert api.get("/")["Content-Type"] == JSON


def test_caches_keep_the_two_apart(api: APIClient) -> None:
    for accept in (CHROME, JSON):
        assert "Accept" in get(api, accept)["Vary"].split(", ")


def test_page_needs_no_script_and_nothing_from_elsewhere(api: APIClient) -> None:
    response = get(api, CHROME)
    page = response.content.decode()

    assert response["Content-Security-Policy"] == HTML_CSP
    assert "<script" not in page
    assert not re.findall(r"(?:https?:)?//[a-z]", page)


@pytest.mark.django_db
def test_every_link_leads_somewhere(api: APIClient) -> None:
    for link in LINKS.values():
        assert api.get(link, follow=True).status_code == 200, link


def test_head_has_the_headers_of_get(api: APIClient) -> None:
    response = api.head("/", HTTP_ACCEPT=CHROME)

    assert response.status_code == 200
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response.content == b""


@pytest.mark.parametrize("path", ["/", "/admin"])
@pytest.mark.parametrize("method", OTHER_METHODS)
def test_other_methods_are_405(api: APIClient, path: str, method: str) -> None:
    response = api.generic(method, path)

    assert_error(response, 405, "METHOD_NOT_ALLOWED", f'Method "{method}" not allowed.')
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("query", ["", "?next=/admin/tasks/task/%3Fq%3Da"])
def test_admin_without_its_slash_is_redirected(api: APIClient, query: str) -> None:
    response = api.get(f"/admin{query}")

    assert response.status_code == 302
    assert response["Location"] == f"/admin/{query}"
