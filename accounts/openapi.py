"""What this app adds to the OpenAPI document (see taskapi.api.openapi)."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from taskapi.api.openapi import (
    COUNT,
    EXAMPLE_CREATED,
    EXAMPLE_UPDATED,
    EXAMPLE_USER_ID,
    NULLABLE_UTC,
    RATE_LIMIT,
    UTC,
    UUID,
    ErrorResponse,
    Operation,
    array_of,
    link,
    object_of,
    ref,
    text,
)
from taskapi.api.preconditions import CHANGED

NAME, EMAIL, PASSWORD = "Ada Lovelace", "ada@example.com", "correct horse battery"
ACCESS = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJhY2Nlc3MifQ.c2lnbmF0dXJl"
REFRESH = "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAiOiJyZWZyZXNoIn0.c2lnbmF0dXJl"
RESET = "0b6f3a527c1e4d5a9f3b2a8d6c4e1f07.d1x2y3-9f8e7d6c5b4a39281706f5e4d3c2b1a0"
USER = {
    "id": EXAMPLE_USER_ID,
    "name": NAME,
    "email": EMAIL,
    "role": "USER",
    "createdAt": EXAMPLE_CREATED,
    "updatedAt": EXAMPLE_CREATED,
}
RENAMED = {"name": "Ada King"}
TOKENS = {"user": USER, "accessToken": ACCESS, "refreshToken": REFRESH}
SESSION = {
    "id": "c4b1f7e8-2d6a-4e93-b5f0-7a8c9d1e2f36",
    "userAgent": "curl/8.14.1",
    "ip": "192.0.2.7",
    "createdAt": EXAMPLE_CREATED,
    "lastUsedAt": EXAMPLE_UPDATED,
}
SESSION_END = {"expiresAt": "2026-12-31T09:00:00Z"}
EXPORTED_SESSION = {
    **SESSION,
    "rotatedAt": EXAMPLE_CREATED,
    "idleUntil": "2026-12-08T09:00:00Z",
    **SESSION_END,
    "endedAt": None,
    "endReason": "",
}

TAGS = {"Accounts": "Signing in and out, sessions, passwords and your personal data."}
COMPONENT_NAMES = {
    "Profile": "UpdateMe",
    "DeleteAccount": "EraseMe",
    "PasswordChange": "ChangePassword",
    "PasswordResetRequest": "ForgotPassword",
    "PasswordResetConfirm": "ResetPassword",
    "TokenPair": "Tokens",
}
CONDITIONAL: dict[int, str | None] = {412: "AccountPreconditionFailed"}
TOKEN_LINKS = ["Refresh", "Logout"]
OPERATIONS = {
    "register": Operation(
        request={"name": NAME, "email": EMAIL, "password": PASSWORD},
        response=TOKENS,
        links=["Login", *TOKEN_LINKS],
        errors={409: "EmailTaken"},
    ),
    "login": Operation(
        request={"email": EMAIL, "password": PASSWORD},
        response=TOKENS,
        links=TOKEN_LINKS,
    ),
    "refresh": Operation(
        request={"refreshToken": REFRESH}, response=TOKENS, links=TOKEN_LINKS
    ),
    "logout": Operation(request={"refreshToken": REFRESH}),
    "listSessions": Operation(
        response={"items": [SESSION | SESSION_END | {"current": True}]}
    ),
    "getMe": Operation(response=USER, headers=["Content-ETag"], errors=CONDITIONAL),
    "updateMe": Operation(
        request=RENAMED,
        response=USER | RENAMED | {"updatedAt": EXAMPLE_UPDATED},
        headers=["Content-ETag"],
        errors=CONDITIONAL,
    ),
    "endSession": Operation(errors=CONDITIONAL),
    "exportMe": Operation(
        response={
            "user": [USER | {"revision": 3, "isActive": True}],
            "sessions": [EXPORTED_SESSION],
        },
        headers=["Content-Disposition"],
    ),
    "eraseMe": Operation(request={"password": PASSWORD}),
    "changePassword": Operation(
        request={
            "currentPassword": PASSWORD,
            "newPassword": "another battery, a new staple",
        }
    ),
    # It queries the database only after the response.
    "forgotPassword": Operation(request={"email": EMAIL}, errors={503: None}),
    "resetPassword": Operation(request={"token": RESET, "newPassword": PASSWORD}),
}
ERRORS = {
    "AccountPreconditionFailed": ErrorResponse(
        412,
        "If-Match or If-None-Match does not allow it; `error.current` is what it is "
        "now.",
        CHANGED,
        ("Content-ETag", *RATE_LIMIT),
        {"current": USER},
    ),
    "EmailTaken": ErrorResponse(
        409,
        "The e-mail address is already registered.",
        "This e-mail address is already registered.",
        RATE_LIMIT,
    ),
}
CREDENTIALS = {
    "email": "$request.body#/email",
    "password": "$request.body#/password",
}
TOKEN = {"refreshToken": "$response.body#/refreshToken"}
LINKS = {
    "Login": link("login", CREDENTIALS),
    "Refresh": link("refresh", TOKEN),
    "Logout": link("logout", TOKEN),
}
EXPORT = object_of(
    user=array_of(
        object_of(
            id=UUID,
            name=text(),
            email=text(),
            role=ref("schemas", "Role"),
            revision=COUNT,
            isActive={"type": "boolean"},
            createdAt=UTC,
            updatedAt=UTC,
        )
    ),
    sessions=array_of(
        object_of(
            id=UUID,
            userAgent=text(),
            ip={"type": ["string", "null"]},
            createdAt=UTC,
            lastUsedAt=UTC,
            rotatedAt=UTC,
            idleUntil=UTC,
            expiresAt=UTC,
            endedAt=NULLABLE_UTC,
            endReason=text(),
        )
    ),
)


def schemas(known: dict[str, Any]) -> dict[str, Any]:
    return {"Export": EXPORT}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.auth.authentication.SessionTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class NoScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.auth.authentication.NoAuthentication"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: Any) -> list[Any]:
        return []

    def get_security_definition(self, auto_schema: Any) -> list[Any]:
        return []
