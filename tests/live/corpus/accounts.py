"""Fields of accounts that take text, each with what is none or cannot be kept."""

import json
from typing import Any

from tests.live.corpus import SECRET, Case, case, http

# More than the body of an account's call may have.
TOO_LONG = f'"{"a" * 100_000}"'
VALUES: dict[str, str] = {
    "NUL": r'"a\u0000@example.com"',
    "half a character": r'"a\ud800@example.com"',
    "a huge number": "1e400",
    "4000 digits": "9" * 4000,
    "null": "null",
    "true": "true",
    "an array": '["a@example.com"]',
    "an object": '{"$gt": ""}',
    "nothing": '""',
    "100 KB": TOO_LONG,
}
# Method, path, the whole body, and whether a token is wanted.
FORMS: dict[str, tuple[str, str, dict[str, Any], bool]] = {
    "register": (
        "POST",
        "/api/auth/register",
        {
            "name": "Eve",
            "email": "eve@example.com",
            "password": SECRET,
            "invitationToken": "a",
        },
        False,
    ),
    "email": (
        "POST",
        "/api/auth/email",
        {"password": SECRET, "newEmail": "eve@example.com"},
        True,
    ),
    "confirm": ("POST", "/api/auth/email/confirm", {"token": "a"}, True),
    "rename": ("PATCH", "/api/auth/me", {"name": "Eve"}, True),
    "password": (
        "POST",
        "/api/auth/password",
        {"currentPassword": SECRET, "newPassword": SECRET + "2"},
        True,
    ),
    "forgot": ("POST", "/api/auth/password/forgot", {"email": "a@example.com"}, False),
    "reset": (
        "POST",
        "/api/auth/password/reset",
        {"token": "a", "newPassword": SECRET},
        False,
    ),
    "erase": ("POST", "/api/auth/me/erase", {"password": SECRET}, True),
    "refresh": ("POST", "/api/auth/refresh", {"refreshToken": "a"}, False),
    "logout": ("POST", "/api/auth/logout", {"refreshToken": "a"}, False),
}


def fields() -> list[Case]:
    cases = []
    for form, (method, path, whole, wants_token) in FORMS.items():
        for field in whole:
            for name, value in VALUES.items():
                body = {k: json.dumps(v) for k, v in whole.items()} | {field: value}
                text = ", ".join(f'"{k}": {v}' for k, v in body.items())
                message = http(method, path, f"{{{text}}}".encode())
                status = 413 if value == TOO_LONG else 400
                anonymous = {401, status} - {400} if wants_token else status
                told = f"{form}, {field} {name}"
                cases.append(case(told, message, status, anonymous))
    return cases


def bodies() -> list[Case]:
    """Where none is taken: what one says would be ignored."""
    nothing = {
        "logout-all": http("POST", "/api/auth/logout-all", b'{"a": 1}'),
        "session": http(
            "DELETE",
            "/api/auth/sessions/00000000-0000-4000-8000-000000000000",
            b'{"a": 1}',
        ),
        "logout-all of a list": http("POST", "/api/auth/logout-all", b"[]"),
        "role": http("PATCH", "/api/auth/me", b'{"role": "ADMIN", "isAdmin": true}'),
        "owner": http("PATCH", "/api/auth/me", b'{"email": "eve@example.com"}'),
    }
    return [case(f"body of {n}", message, 400, 401) for n, message in nothing.items()]


CASES = [*fields(), *bodies()]
