"""What this app adds to the OpenAPI document (see taskapi.api.openapi)."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from taskapi.api.openapi import (
    COUNT,
    EXAMPLE_CREATED,
    EXAMPLE_ID,
    EXAMPLE_UPDATED,
    EXAMPLE_USER_ID,
    NULLABLE_UTC,
    RATE_LIMIT,
    UTC,
    UUID,
    ErrorResponse,
    Operation,
    array_of,
    header,
    known_values,
    link,
    object_of,
    ref,
    text,
)
from taskapi.api.preconditions import CHANGED
from taskapi.api.scopes import Scope, needed_scope

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
NEW_EMAIL = "ada.king@example.com"
EMAIL_TOKEN = "Zk1vQ0x5dFh3c0pNbjJiVjhjUmE3ZUhwTHU0aUdxNm8"
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

TOKEN_ID = "7e5a1d3c-9b48-4f62-8a0e-3c6b2d1f4e59"
NEW_TOKEN = {
    "name": "Nightly report",
    "scopes": ["tasks:read"],
    "projectIds": [EXAMPLE_ID],
    "expiresAt": "2099-12-01T09:00:00Z",
}
TOKEN = {
    "id": TOKEN_ID,
    **NEW_TOKEN,
    "createdAt": EXAMPLE_CREATED,
    "lastUsedAt": None,
}
SECRET = "tka_mfrggzdfmztwq2lknnwg23tpobyxe43ugcgrw7q"

TAGS = {"Accounts": "Signing in and out, sessions, passwords and your personal data."}
COMPONENT_NAMES = {
    "PersonalTokenCreate": "CreatePersonalToken",
    "Profile": "UpdateMe",
    "DeleteAccount": "EraseMe",
    "EmailChange": "ChangeEmail",
    "EmailConfirm": "ConfirmEmail",
    "PasswordChange": "ChangePassword",
    "PasswordResetRequest": "ForgotPassword",
    "PasswordResetConfirm": "ResetPassword",
    "TokenPair": "Tokens",
}
CONDITIONAL: dict[int, str | None] = {412: "AccountPreconditionFailed"}
TOKEN_CONDITIONAL: dict[int, str | None] = {412: "TokenPreconditionFailed"}
TOKEN_LINKS = ["Refresh", "Logout"]
OPERATIONS = {
    "register": Operation(
        description="Returns the tokens of its first session. 409 if the e-mail "
        "address is taken, 403 if this server lets nobody register, or only who has "
        "an invitation. An `invitationToken` is accepted for the new account.",
        request={"name": NAME, "email": EMAIL, "password": PASSWORD},
        response=TOKENS,
        links=["Login", *TOKEN_LINKS],
        errors={403: "RegistrationClosed", 409: "EmailTaken"},
    ),
    "login": Operation(
        description="One message for an unknown address, a wrong password and a "
        "disabled account.",
        request={"email": EMAIL, "password": PASSWORD},
        response=TOKENS,
        links=TOKEN_LINKS,
    ),
    "refresh": Operation(
        description="The token can be used once: store the new one before anything "
        "else. For 10 seconds the same request gets the same successor, "
        "in case the answer was lost; later use counts as theft, and "
        "ends the session.",
        request={"refreshToken": REFRESH},
        response=TOKENS,
        links=TOKEN_LINKS,
    ),
    "logout": Operation(
        description="Any refresh token of the session will do. Repeating it is 204 "
        "as well.",
        request={"refreshToken": REFRESH},
    ),
    "logoutAll": Operation(description="Their tokens are refused from then on."),
    "listSessions": Operation(
        description="A session begins with each sign-in.",
        response={"items": [SESSION | SESSION_END | {"current": True}]},
    ),
    "listTokens": Operation(
        description="With those that have expired, for 30 days.",
        response={"items": [TOKEN]},
    ),
    "createToken": Operation(
        description="For a program, which sends it as `Authorization: Bearer …`. It "
        "may do what its `scopes` say, in the projects that `projectIds` name or in "
        "all. It ends when it is revoked or expires, when the password is reset, and "
        "with `logout-all`. 403 QUOTA_EXCEEDED for too many tokens. A repetition with "
        "the same Idempotency-Key makes none and is 409: the token is shown once.",
        request=NEW_TOKEN,
        response=TOKEN | {"token": SECRET},
        links=["RevokeToken"],
        headers=["Token-Location"],
        errors={403: "TooManyTokens"},
    ),
    "getCurrentToken": Operation(
        description="For the program that has it, whatever its scopes. 404 for a "
        "request of a session.",
        response=TOKEN,
        headers=["Content-ETag"],
        errors={403: None, 404: "NotFound", **TOKEN_CONDITIONAL},
    ),
    "revokeToken": Operation(
        description="It is refused from then on.", errors=TOKEN_CONDITIONAL
    ),
    "getMe": Operation(
        description="The `ETag` is for `If-Match` and `If-None-Match`.",
        response=USER,
        headers=["Content-ETag"],
        errors=CONDITIONAL,
    ),
    "updateMe": Operation(
        description="An absent field stays as it is.",
        request=RENAMED,
        response=USER | RENAMED | {"updatedAt": EXAMPLE_UPDATED},
        headers=["Content-ETag"],
        errors=CONDITIONAL,
    ),
    "endSession": Operation(
        description="Its tokens are refused from then on.", errors=CONDITIONAL
    ),
    "exportMe": Operation(
        description="It may be long, so write it to a file.",
        response={
            "user": [USER | {"pendingEmail": None, "revision": 3, "isActive": True}],
            "sessions": [EXPORTED_SESSION],
            "adminSignIns": [],
            "personalTokens": [TOKEN],
        },
        headers=["Content-Disposition"],
    ),
    "eraseMe": Operation(
        description="Requires the password again. It cannot be undone. 409 for the "
        "last active administrator, and for who owns projects with other members: the "
        "message names them.",
        request={"password": PASSWORD},
        errors={409: "NotErasable"},
    ),
    "changeEmail": Operation(
        description="The token comes by mail to the new address and is valid for an "
        "hour; the old address is told. A later request takes the place of this one, "
        "and a new password or `logout-all` cancels it. The answer is the same if the "
        "new address belongs to another account.",
        request={"password": PASSWORD, "newEmail": NEW_EMAIL},
    ),
    "confirmEmail": Operation(
        description="The token is valid once, and only for the account that asked. "
        "Sessions stay; reset tokens that were mailed to the old address do not. 409 "
        "if another account took the address meanwhile.",
        request={"token": EMAIL_TOKEN},
        response=USER | {"email": NEW_EMAIL, "updatedAt": EXAMPLE_UPDATED},
        errors={409: "EmailTaken"},
    ),
    "changePassword": Operation(
        description="Requires the current one. The session of the request stays.",
        request={
            "currentPassword": PASSWORD,
            "newPassword": "another battery, a new staple",
        },
    ),
    # It queries the database only after the response.
    "forgotPassword": Operation(
        description="The token comes by mail and is valid for an hour. The answer "
        "is the same if no account has the address.",
        request={"email": EMAIL},
        errors={503: None},
    ),
    "resetPassword": Operation(
        description="The token is valid once. All sessions end, so sign in afterwards.",
        request={"token": RESET, "newPassword": PASSWORD},
    ),
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
    "TokenPreconditionFailed": ErrorResponse(
        412,
        "If-Match or If-None-Match does not allow it; `error.current` is what it is "
        "now.",
        CHANGED,
        ("Content-ETag", *RATE_LIMIT),
        {"current": TOKEN},
    ),
    "TooManyTokens": ErrorResponse(
        403,
        "QUOTA_EXCEEDED: the account has as many personal tokens as it may; or a "
        "project of `projectIds` belongs to another user.",
        "QUOTA_TOKENS: an account may have 50 personal tokens, with those that have "
        "expired. Revoke some.",
        RATE_LIMIT,
        {"code": "QUOTA_EXCEEDED"},
    ),
    "RegistrationClosed": ErrorResponse(
        403,
        "Registration is closed, or needs a valid invitation.",
        "Registration is closed; ask an administrator for an account.",
        RATE_LIMIT,
    ),
    "NotErasable": ErrorResponse(
        409,
        "The account is the last active administrator, or others are members of its "
        "projects.",
        "This is the last active administrator; make another account one first.",
        RATE_LIMIT,
    ),
    "EmailTaken": ErrorResponse(
        409,
        "The e-mail address is already registered.",
        "This e-mail address is already registered.",
        RATE_LIMIT,
    ),
}
HEADERS = {
    "Token-Location": header(
        "The path that the token is revoked under.",
        text("^/api/auth/tokens/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
    )
}
LINKS = {
    "RevokeToken": link("revokeToken", "The token.", id="$response.body#/id"),
    "Login": link("login", "With the e-mail address and the password of the request."),
    "Refresh": link("refresh", "With `refreshToken` of this response."),
    "Logout": link("logout", "With `refreshToken` of this response."),
}
FIELDS = {
    "name": "The name that is shown.",
    "email": "The e-mail address, which is unique whatever its case of letters.",
    "role": "`ADMIN` may use the admin pages; the API treats both alike.",
    "user": "The account.",
    "password": "The password of the account.",
    "RegisterRequest.password": "At least 8 characters, at most 1024 bytes, not only "
    "digits, and not similar to the name or the e-mail address.",
    "newEmail": "The address to use from then on, once it is confirmed.",
    "pendingEmail": "The address that a mailed token would confirm; `null` if there is "
    "none.",
    "invitationToken": "The token of a mailed invitation; wanted if this server lets "
    "only invited people register.",
    "currentPassword": "The password until now.",
    "newPassword": "At least 8 characters, at most 1024 bytes, not only digits, and "
    "not similar to the name or the e-mail address.",
    "token": "The mailed token, which is valid once and for an hour.",
    "accessToken": "Proves who calls, as `Authorization: Bearer …`, for 15 minutes.",
    "refreshToken": "Exchanged once for new tokens; valid for 7 days.",
    "userAgent": "What the client called itself when it signed in.",
    "ip": "The address that it signed in from; `null` if that is unknown.",
    "Session.createdAt": "When it signed in.",
    "ExportedSession.createdAt": "When it signed in.",
    "lastUsedAt": "When it last exchanged a refresh token, or signed in.",
    "expiresAt": "When it ends, however much it is used.",
    "current": "Whether this is the session of the request.",
    "SessionList.items": "All of them, the last used first.",
    "rotatedAt": "When its refresh token was last exchanged.",
    "idleUntil": "When it ends if it is not used.",
    "endedAt": "When it ended; `null` if it has not.",
    "endReason": "Why it ended; empty if it has not.",
    "revision": "Grows with each change of the account's tasks.",
    "isActive": "Whether the account may sign in.",
    "Export.user": "The account itself.",
    "Export.sessions": "Live and ended sessions.",
    "Export.personalTokens": "The personal tokens, without what signs in.",
    "PersonalTokenList.items": "All of them, the oldest first.",
    "CreatePersonalTokenRequest.name": "What it is for.",
    "CreatePersonalTokenRequest.scopes": "What it may do; `write` includes `read`.",
    "CreatePersonalTokenRequest.projectIds": "The projects that it covers, with their "
    "tasks, and no others; `null` for all. A task is then made with a `projectId`.",
    "CreatePersonalTokenRequest.expiresAt": "When it ends; `null` for never.",
    "PersonalToken.name": "What it is for.",
    "PersonalToken.createdAt": "When it was made.",
    "PersonalToken.lastUsedAt": "The minute of its last request; `null` before any.",
    "PersonalToken.expiresAt": "When it ends; `null` for never.",
    "NewPersonalToken.token": "The token itself, which is shown here only.",
    "scopes": f"What it may do. {known_values(Scope)}",
    "projectIds": "The projects that it covers; `null` for all.",
    "Export.adminSignIns": "The addresses that it signed in to the admin from.",
    "ExportedAdminSignIn.ip": "The address.",
    "ExportedAdminSignIn.at": "When it last signed in from there.",
}
EXPORT = object_of(
    user=array_of(ref("schemas", "ExportedUser")),
    sessions=array_of(ref("schemas", "ExportedSession")),
    adminSignIns=array_of(ref("schemas", "ExportedAdminSignIn")),
    personalTokens=array_of(ref("schemas", "PersonalToken")),
)
EXPORTED_USER_SCHEMA = object_of(
    id=UUID,
    name=text(),
    email=text(),
    pendingEmail={"type": ["string", "null"]},
    role=ref("schemas", "Role"),
    revision=COUNT,
    isActive={"type": "boolean"},
    createdAt=UTC,
    updatedAt=UTC,
)
EXPORTED_SESSION_SCHEMA = object_of(
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
EXPORTED_ADMIN_SIGN_IN_SCHEMA = object_of(ip=text(), at=UTC)


def schemas(known: dict[str, Any]) -> dict[str, Any]:
    return {
        "Export": EXPORT,
        "ExportedUser": EXPORTED_USER_SCHEMA,
        "ExportedSession": EXPORTED_SESSION_SCHEMA,
        "ExportedAdminSignIn": EXPORTED_ADMIN_SIGN_IN_SCHEMA,
    }


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.auth.authentication.SessionTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class PersonalTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.auth.authentication.PersonalTokenAuthentication"
    name = "personalToken"

    def get_security_requirement(self, auto_schema: Any) -> Any:
        needed = needed_scope(auto_schema.view, auto_schema.method.lower())
        if needed is None:
            return None
        return {self.name: needed.split()}

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of `createToken`. Each operation that takes one "
            "names its scope; `write` includes `read`.",
        }


class NoScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.auth.authentication.NoAuthentication"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: Any) -> list[Any]:
        return []

    def get_security_definition(self, auto_schema: Any) -> list[Any]:
        return []
