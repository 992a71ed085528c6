"""The words that the account tests use on the wire."""

from typing import Any

from django.http import HttpResponse
from rest_framework.test import APIClient

from accounts.models import User
from tests.factories import PASSWORD

ACCESS_REFUSED = "The access token is invalid, expired or revoked."
REFRESH_REFUSED = "The refresh token is invalid, expired or revoked."


# One for all tests: each client of its own would build the middleware anew.
ANONYMOUS = APIClient()


def post(path: str, body: Any = None, /, **extra: Any) -> Any:
    """Post to `/api/auth/` without an access token."""
    return ANONYMOUS.post(f"/api/auth/{path}", body, format="json", **extra)


def sign_in(user: User, password: str = PASSWORD, **extra: Any) -> Any:
    """Log in and return the answer's body: user, accessToken and refreshToken."""
    response = post("login", {"email": user.email, "password": password}, **extra)
    assert response.status_code == 200, response.content
    return response.json()


def refresh(token: str) -> Any:
    return post("refresh", {"refreshToken": token})


def bearer(access_token: str) -> APIClient:
    client = APIClient()
    client.handler = ANONYMOUS.handler
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access_token}")
    return client


def is_welcome(access_token: str) -> bool:
    """Whether an access token opens a door."""
    response = bearer(access_token).get("/api/auth/me")
    assert response.status_code in {200, 401}
    return bool(response.status_code == 200)


def error(response: HttpResponse, code: str, message: str, **more: Any) -> Any:
    """The body of an error answer."""
    return {
        "error": {"code": code, "message": message} | more,
        "requestId": response["X-Request-Id"],
    }


def invalid(response: HttpResponse, field: str, code: str, message: str) -> Any:
    """The body of an answer that refuses one field."""
    details = [{"field": field, "code": code, "message": message}]
    summary = f"{field}: {message}" if field else message
    return error(response, "VALIDATION_ERROR", summary, details=details)


def assert_unauthenticated(
    response: HttpResponse, message: str, challenge: str = "Bearer"
) -> None:
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == challenge
    assert response.json() == error(response, "AUTHENTICATION_ERROR", message)


def assert_token_refused(response: HttpResponse) -> None:
    assert_unauthenticated(response, ACCESS_REFUSED, 'Bearer error="invalid_token"')


def assert_anonymous_refused(response: HttpResponse) -> None:
    message = "Authentication credentials were not provided."
    assert_unauthenticated(response, message)


def assert_gone(response: HttpResponse) -> None:
    """The account went while its request ran."""
    assert response.status_code == 401
    message = "This account was deleted."
    assert response.json() == error(response, "AUTHENTICATION_ERROR", message)
