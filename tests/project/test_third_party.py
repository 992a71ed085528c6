"""Views and middleware that know nothing of this project work when they are added."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext
from django.urls import clear_url_caches, include, path
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import DjangoModelPermissions, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from accounts.models import User
from tasks.models import Task
from tests.factories import api_of, make_task, make_token, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class PlainView(APIView):
    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response({"email": user.email, "name": user.name, "id": user.pk})


class AdminView(PlainView):
    permission_classes = [IsAdminUser]


class TaskTitleSerializer(serializers.ModelSerializer[Task]):
    class Meta:
        model = Task
        fields = ["title"]


class OwnTasksView(ListAPIView[Task]):
    """Uses the user as a query's value, as most views do."""

    serializer_class = TaskTitleSerializer
    permission_classes = [DjangoModelPermissions]
    pagination_class = None

    def get_queryset(self) -> Any:
        return Task.objects.filter(user=self.request.user)


urlpatterns = [
    path("api/plain", PlainView.as_view()),
    path("api/staff", AdminView.as_view()),
    path("api/own", OwnTasksView.as_view()),
    path("", include("taskapi.urls")),
]


@pytest.fixture(autouse=True)
def _routes() -> Iterator[None]:
    clear_url_caches()
    yield
    clear_url_caches()


def test_plain_view_serves_the_signed_in_user(
    alice: User, alice_api: APIClient, api: APIClient
) -> None:
    response = alice_api.get("/api/plain")

    assert response.json() == {
        "email": alice.email,
        "name": alice.name,
        "id": str(alice.pk),
    }
    assert response["X-Request-Id"]
    assert "RateLimit" in response
    assert api.get("/api/plain").status_code == 401


def test_permission_of_drf_reads_the_role(alice_api: APIClient) -> None:
    admin = api_of(make_user("root", role="ADMIN"))

    assert alice_api.get("/api/staff").status_code == 403
    assert admin.get("/api/staff").status_code == 200


@pytest.mark.parametrize("path", ["/api/plain", "/api/staff", "/api/own"])
def test_view_that_declares_no_scope_takes_no_personal_token(path: str) -> None:
    root = make_user("root", role="ADMIN")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(root)[1]}")

    response = client.get(path)

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "INSUFFICIENT_SCOPE"


def test_user_is_a_value_for_a_query(
    alice: User, bob: User, alice_api: APIClient
) -> None:
    make_task(alice, title="Mine")
    make_task(bob, title="Not mine")

    assert alice_api.get("/api/own").json() == [{"title": "Mine"}]


def test_what_the_session_told_of_the_user_costs_no_statement(
    alice: User, alice_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(view: Any, request: Request) -> Response:
        user: Any = request.user
        told = [user.pk, user.id, user.role, user.is_active, user.is_staff]
        return Response([*told, user.is_authenticated, user.revision])

    monkeypatch.setattr(PlainView, "get", get)
    with CaptureQueriesContext(connection) as queries:
        body = alice_api.get("/api/plain").json()

    own = str(alice.pk)
    assert body == [own, own, "USER", True, False, True, alice.revision]
    assert sum("accounts_user" in query["sql"] for query in queries) == 1


class ThirdPartyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["X-Third-Party"] = request.path
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse:
        return HttpResponse(status=418)


@pytest.mark.parametrize("index", [0, -1])
def test_middleware_of_others_works_for_the_api(
    alice_api: APIClient, settings: Any, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    middleware = [*settings.MIDDLEWARE]
    middleware.insert(index % (len(middleware) + 1), f"{__name__}.ThirdPartyMiddleware")
    settings.MIDDLEWARE = middleware

    assert alice_api.get("/api/plain")["X-Third-Party"] == "/api/plain"


def test_sessions_and_csrf_stay_away_from_the_api(
    alice_api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(view: Any, request: Request) -> Response:
        names = ("session", "_messages", "user")
        return Response([name for name in names if hasattr(request._request, name)])

    monkeypatch.setattr(PlainView, "get", get)
    response = alice_api.get("/api/plain")

    assert set(response.json()) <= {"user"}  # DRF's own
    assert not response.cookies


def test_check_of_django_knows_the_middleware() -> None:
    from django.core.checks.security.base import (
        check_security_middleware,
        check_xframe_options_middleware,
    )
    from django.core.checks.security.csrf import check_csrf_middleware

    checks = (
        check_security_middleware,
        check_xframe_options_middleware,
        check_csrf_middleware,
    )
    assert [check(None) for check in checks] == [[], [], []]
