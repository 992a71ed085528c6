"""What holds for everything there is, so that nothing new escapes it."""

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from tests.project.wire import MISSING, assert_error

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
PUBLIC = {
    "",
    "admin",
    "api/auth/register",
    "api/auth/login",
    "api/auth/refresh",
    "api/auth/logout",
    "api/auth/password/forgot",
    "api/auth/password/reset",
    "api/invitations/decline",
    "api/schema",
    "api/docs",
    "health",
    "livez",
    "readyz",
    "favicon.ico",
}
# About the API, not of it.
UNDESCRIBED = {"", "admin", "api/schema", "api/docs", "metrics", "favicon.ico"}
SKIPPED = ("admin/", "static/")
ID = "00000000-0000-4000-8000-000000000000"
SCHEMA = settings.BASE_DIR / "docs" / "openapi.yaml"
REFRESH = "write it with: manage.py spectacular --file docs/openapi.yaml"


def routes(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if not route.startswith(SKIPPED):
                yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


ROUTES = sorted(routes(get_resolver().url_patterns))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The schema as it would be written now; a warning is an error."""
    file = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", file=str(file), validate=True, fail_on_warn=True)
    return file.read_text()


@pytest.fixture(scope="module")
def paths(fresh: str) -> dict[str, Any]:
    return yaml.load(fresh, yaml.CSafeLoader)["paths"]


def test_walk_finds_the_routes() -> None:
    assert len(ROUTES) > 20
    assert {"api/tasks/<id:id>", "api/auth/me", "health"} < set(ROUTES)
    assert set(ROUTES) > PUBLIC


def test_every_id_of_a_route_may_be_in_capitals() -> None:
    """Django's own converter takes lower case only."""
    assert [route for route in ROUTES if "<uuid:" in route] == []
    assert len([route for route in ROUTES if "<id:" in route]) > 4


@pytest.mark.django_db
@pytest.mark.parametrize("route", [r for r in ROUTES if r not in PUBLIC])
def test_anonymous_is_401(api: APIClient, route: str) -> None:
    path = "/" + re.sub(r"<id:\w+>", ID, route)
    for method in METHODS:
        response = api.generic(method, path)
        assert response.status_code == 401, method
        assert response["WWW-Authenticate"] == "Bearer"
        if method != "HEAD":
            assert_error(response, 401, "AUTHENTICATION_ERROR", MISSING)


@pytest.mark.django_db
@pytest.mark.parametrize("route", sorted(PUBLIC))
def test_public_route_asks_for_no_token(api: APIClient, route: str) -> None:
    for method in METHODS:
        response = api.generic(method, f"/{route}")
        assert response.status_code in {200, 204, 302, 400, 405}, method


@pytest.mark.django_db
def test_format_suffix_finds_nothing(api: APIClient) -> None:
    for route in ROUTES:
        path = "/" + re.sub(r"<id:\w+>", ID, route)
        assert api.get(f"{path}.json").status_code == 404


def test_every_route_is_described(paths: dict[str, Any]) -> None:
    described = {re.sub(r"{\w+}", "{}", path) for path in paths}

    assert described == {
        "/" + re.sub(r"<id:\w+>", "{}", route)
        for route in ROUTES
        if route not in UNDESCRIBED
    }


def test_every_operation_has_a_name_and_a_summary(paths: dict[str, Any]) -> None:
    operations = [o for item in paths.values() for o in item.values()]
    names = {operation["operationId"] for operation in operations}

    assert len(names) == len(operations)
    assert all(re.fullmatch("[a-z][A-Za-z]+", name) for name in names)
    assert all(operation["summary"] for operation in operations)


def test_schema_file_is_up_to_date(fresh: str) -> None:
    assert SCHEMA.exists(), REFRESH
    assert SCHEMA.read_text() == fresh, f"docs/openapi.yaml is stale; {REFRESH}"


@pytest.mark.django_db
def test_served_schema_is_the_file(api: APIClient) -> None:
    response = api.get("/api/schema", HTTP_ACCEPT="application/vnd.oai.openapi")

    assert response.status_code == 200
    assert response.content.decode() == SCHEMA.read_text()


@pytest.mark.django_db
def test_schema_comes_as_json_too(api: APIClient, paths: dict[str, Any]) -> None:
    media_type = "application/vnd.oai.openapi+json"
    response = api.get("/api/schema", HTTP_ACCEPT=media_type)

    assert response["Content-Type"].partition(";")[0] == media_type
    assert response.json()["paths"] == paths


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def imports(app: str) -> Iterator[tuple[str, str]]:
    """File and imported module of each import in an app, at any depth."""
    for path in sorted((settings.BASE_DIR / app).rglob("*.py")):
        name = str(path.relative_to(settings.BASE_DIR))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{name}: relative import"
                yield name, f"{node.module}"
                yield from ((name, f"{node.module}.{a.name}") for a in node.names)


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("taskapi", ("taskapi",)),
        ("accounts", ("accounts", "taskapi.api", "taskapi.db", "taskapi.outbox")),
        ("tasks", ("tasks", "taskapi.api", "taskapi.db", "taskapi.outbox")),
    ],
)
def test_package_imports_only_what_it_may(
    package: str, allowed: tuple[str, ...]
) -> None:
    found = list(imports(package))
    ours = [i for i in found if i[1].split(".")[0] in {"taskapi", "accounts", "tasks"}]

    assert len(ours) > 50
    assert [
        (file, module)
        for file, module in ours
        if not any(f"{module}.".startswith(f"{name}.") for name in allowed)
    ] == []
