#!/usr/bin/env python3
"""Use a deployed API as somebody who has just registered would; leave nothing behind.

    smoke.py https://api.example.com

Standard library only. Ends with status 0 when every answer was as it should be.
"""

import json
import secrets
import sys
import time
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

TRIES = 5


def main(url: str) -> None:
    ready(url)
    password = secrets.token_urlsafe(24)
    email = f"smoke-{secrets.token_hex(8)}@example.com"
    person = {"name": "Smoke", "email": email, "password": password}
    send("POST", f"{url}/api/auth/register", person, expect=201)
    login = {"email": email, "password": password}
    token = send("POST", f"{url}/api/auth/login", login)["accessToken"]
    try:
        use(url, token)
    finally:
        erase = f"{url}/api/auth/me/erase"
        send("POST", erase, {"password": password}, token, expect=204)
    print(f"smoke: {url} does what it should")


def ready(url: str) -> None:
    """A name or a connection that has only just come may fail once."""
    for left in reversed(range(TRIES)):
        try:
            state = send("GET", f"{url}/readyz")
        except URLError:
            if not left:
                raise
            time.sleep(1)
        else:
            check("state", state["status"], "ok")
            check("cache is down", state["cache"] == "down", False)
            return


def use(url: str, token: str) -> None:
    tasks = f"{url}/api/tasks"
    made = send("POST", tasks, {"title": "Smoke"}, token, expect=201)
    check("listed tasks", send("GET", tasks, token=token)["items"], [made])
    one = f"{tasks}/{made['id']}"
    check("status", send("PATCH", one, {"status": "DONE"}, token)["status"], "DONE")
    send("DELETE", one, token=token, expect=204)
    check("tasks left", send("GET", tasks, token=token)["total"], 0)


def send(
    method: str, url: str, body: Any = None, token: str = "", *, expect: int = 200
) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    if data:
        headers["Content-Type"] = "application/json"
    request = Request(url, data, headers, method=method)  # noqa: S310
    with urlopen(request, timeout=30) as response:  # noqa: S310
        check(f"{method} {url}", response.status, expect)
        return json.loads(response.read() or "null")


def check(what: str, found: object, expected: object) -> None:
    if found != expected:
        sys.exit(f"{what}: {found!r}, not {expected!r}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1].rstrip("/"))
