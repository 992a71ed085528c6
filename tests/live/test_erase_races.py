"""An account that goes away while its owner is still busy with it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.factories import PASSWORD
from tests.live.people import Tokens, make_task, patch_request, register
from tests.live.race import STAGGER_SECONDS, rounds
from tests.live.server import Server
from tests.live.wire import request

pytestmark = pytest.mark.live


def post(path: str, data: Any, **headers: str) -> Callable[[Tokens, str], bytes]:
    return lambda owner, task: request(
        "POST", path, data, token=owner.access, **headers
    )


# What the account could still act with.
LEFT = """
SELECT 'session' FROM accounts_user u JOIN accounts_session s ON s.user_id = u.id
WHERE u.id = %s AND (u.erased_at IS NULL OR s.ended_at IS NULL)
"""
NEW = {"title": "Too late"}
CALLS: dict[str, Callable[[Tokens, str], bytes]] = {
    "create": post("/api/tasks", NEW),
    "create with key": post("/api/tasks", NEW, Idempotency_Key="erase"),
    "patch": lambda owner, task: patch_request(owner, task, NEW),
    "list": lambda owner, task: request("GET", "/api/tasks", token=owner.access),
    "erase": post("/api/auth/me/erase", {"password": PASSWORD}),
    "log out": post("/api/auth/logout-all", None),
    "rename": lambda owner, task: request(
        "PATCH", "/api/auth/me", {"name": "Bob"}, token=owner.access
    ),
    "password": post(
        "/api/auth/password",
        {"currentPassword": PASSWORD, "newPassword": "another horse 2"},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_call_while_the_account_is_erased_fails_cleanly(
    live: Server, record: Callable[[str], None], sql: Any, name: str
) -> None:
    outcomes = Counter[int]()
    for _ in rounds():
        owner = register(live)
        task = make_task(live, owner)["id"]
        erase, call = CALLS["erase"](owner, task), CALLS[name](owner, task)

        erased, *others = live.race(erase, call, call, stagger=STAGGER_SECONDS)

        outcomes.update(a.status for a in others)
        assert {a.status for a in others} <= {200, 201, 204, 401, 404}
        refused = [a for a in others if a.status == 401]
        assert all("Bearer" in a.headers["WWW-Authenticate"] for a in refused)
        # 401 where a call came first that ends the session or changes the password.
        assert erased.status in {204, 401}
        if erased.status == 204:
            assert sql(LEFT, owner.user_id) == []
    record(f"answers {dict(outcomes)}")
