"""The integration tests that the reference article gives its own API."""

import pytest
from rest_framework.test import APIClient

from tests.factories import PASSWORD

USER = {"name": "Test User", "email": "test@example.com", "password": PASSWORD}


@pytest.mark.django_db
def test_registering_gives_an_access_token(api: APIClient) -> None:
    response = api.post("/api/auth/register", USER, format="json")

    assert response.status_code == 201
    assert response.json()["accessToken"]


@pytest.mark.django_db
def test_registered_user_creates_a_task(api: APIClient) -> None:
    registered = api.post("/api/auth/register", USER, format="json").json()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {registered['accessToken']}")

    task = {"title": "Build API", "priority": "HIGH"}
    response = api.post("/api/tasks", task, format="json")

    assert response.status_code == 201
    body = response.json()
    assert body["title"] == "Build API"
    assert body["priority"] == "HIGH"
    assert body["status"] == "TODO"


def test_list_without_a_token_is_unauthorized(api: APIClient) -> None:
    response = api.get("/api/tasks")

    assert response.status_code == 401


def test_list_has_items_and_total(alice_api: APIClient) -> None:
    response = alice_api.get("/api/tasks")

    assert response.status_code == 200
    assert isinstance(response.json()["items"], list)
    assert response.json()["total"] == 0
