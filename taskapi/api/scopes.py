"""The scopes of personal tokens, and what each operation asks of one.

A view declares in `token_scopes` for each of its HTTP methods the scope that a personal
token needs, or several with spaces between them (RFC 6750 section 3), ANY_TOKEN if
every token will do, or None if only a signed-in session may.
A method that is not declared takes no personal token.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from rest_framework.exceptions import PermissionDenied


class Scope(StrEnum):
    TASKS_READ = "tasks:read"
    TASKS_WRITE = "tasks:write"
    PROJECTS_READ = "projects:read"
    PROJECTS_WRITE = "projects:write"
    ACCOUNT_READ = "account:read"
    WEBHOOKS_MANAGE = "webhooks:manage"


# Whoever may write may read.
IMPLIED_BY: dict[str, str] = {
    Scope.TASKS_READ: Scope.TASKS_WRITE,
    Scope.PROJECTS_READ: Scope.PROJECTS_WRITE,
}
# No scope has this name.
ANY_TOKEN = ""
TokenScopes = Mapping[str, str | None]
WRITES = ("post", "put", "patch", "delete")
SESSION_ONLY: TokenScopes = dict.fromkeys(("get", *WRITES))


def by_method(*, read: Scope, write: Scope) -> TokenScopes:
    return {"get": read, **dict.fromkeys(WRITES, write)}


TASKS = by_method(read=Scope.TASKS_READ, write=Scope.TASKS_WRITE)
WEBHOOKS: TokenScopes = dict.fromkeys(("get", *WRITES), Scope.WEBHOOKS_MANAGE)
CHANGES: TokenScopes = {"get": f"{Scope.TASKS_READ} {Scope.PROJECTS_READ}"}
PROJECTS = by_method(read=Scope.PROJECTS_READ, write=Scope.PROJECTS_WRITE)


class InsufficientScope(PermissionDenied):
    """403 as RFC 6750 section 3.1 has it; `needed` is None for who has to sign in."""

    error_code = "INSUFFICIENT_SCOPE"

    def __init__(self, needed: str | None) -> None:
        challenge = 'Bearer error="insufficient_scope"'
        if needed is None:
            super().__init__("A personal token cannot do this; sign in.")
        else:
            named = " and ".join(needed.split())
            super().__init__(f"This takes a token with the scope {named}.")
            challenge = f'{challenge}, scope="{needed}"'
        self.headers = {"WWW-Authenticate": challenge}


def needed_scope(view: Any, method: str) -> str | None:
    """What the view asks of a personal token for this HTTP method, in lower case."""
    declared: TokenScopes = getattr(view, "token_scopes", {})
    return declared.get("get" if method == "head" else method)


def is_granted(needed: str | None, scopes: Collection[str]) -> bool:
    if needed is None:
        return False
    return all(
        not {each, IMPLIED_BY.get(each)}.isdisjoint(scopes) for each in needed.split()
    )
