"""The one error shape, and asking without a token."""

from typing import Any

from django.test import Client

MISSING = "Authentication credentials were not provided."
AWAY = "The database does not answer; try again."
JSON = "application/json"


def anyone() -> Client:
    """A client that gets the answer of a crash instead of the exception."""
    return Client(raise_request_exception=False)


def error(response: Any, code: str, message: str, **more: Any) -> dict[str, Any]:
    """The body of an error answer."""
    return {
        "error": {"code": code, "message": message} | more,
        "requestId": response["X-Request-Id"],
    }


def assert_error(
    response: Any, status: int, code: str, message: str, **more: Any
) -> None:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == JSON
    assert response.json() == error(response, code, message, **more)
