#!/usr/bin/env python3
"""Serve a fresh clone with the one documented command, and use it as a newcomer would.

Standard library only. Ends with status 0 when everything printed and promised is true.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 300  # the first start installs, on whatever network there is
OURS = re.compile(r"(SECRET_KEY|JWT_|DATABASE_|REDIS_|WEB_|HTTPS|HOST$|PORT$|DJANGO_)")
PASSWORD = "correct horse battery"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="taskapi-smoke-") as folder:
        checkout = Path(folder) / "taskapi"
        clone = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(checkout)]
        subprocess.run(clone, check=True)
        with serving(checkout) as said:
            login = paste(said)
            use(said["url"])
            look_around(said)
        with serving(checkout) as said:
            find_again(said["url"], login)
    print("smoke: all is as promised")


@contextmanager
def serving(checkout: Path) -> Iterator[dict[str, str]]:
    """Run `serve`; give what it printed; stop it, which must end it with status 0."""
    log = checkout.parent / "serve.log"
    port = free_port()
    environment = {n: v for n, v in os.environ.items() if not OURS.match(n)}
    started = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "taskapi", "serve"],
            cwd=checkout,
            env=environment | {"PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        said = wait_for_banner(process, log)
        print(
            f"smoke: served after {time.monotonic() - started:.1f} s at {said['url']}"
        )
        yield said
        process.send_signal(signal.SIGTERM)
        check("exit status", process.wait(60), 0)
    except BaseException:
        print(log.read_text(), file=sys.stderr)
        raise
    finally:
        process.kill()
        process.wait()


def wait_for_banner(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        said = dict(
            re.findall(r"^ *(docs|admin|login|try)  (.+)$", log.read_text(), re.M)
        )
        if "try" in said:
            said["url"] = said["docs"].removesuffix("/api/docs")
            return said
        time.sleep(0.02)
    raise AssertionError("serve printed no banner")


def paste(said: dict[str, str]) -> dict[str, str]:
    """Run the printed curl line in a shell; return the login it printed."""
    email, password = re.split(r"  (?:password  )?", said["login"])[:2]
    if shutil.which("curl"):
        answer = subprocess.check_output(said["try"], shell=True)
        check("login by the curl line", json.loads(answer)["user"]["email"], email)
    else:
        print("smoke: no curl here, so the curl line was not tried", file=sys.stderr)
    return {"email": email, "password": password}


def use(url: str) -> None:
    """One task's life, by somebody who has just registered."""
    person = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    send("POST", f"{url}/api/auth/register", person, expect=201)
    del person["name"]
    token = send("POST", f"{url}/api/auth/login", person)["accessToken"]
    tasks = f"{url}/api/tasks"
    made = send("POST", tasks, {"title": "Smoke"}, token, expect=201)
    check("listed tasks", send("GET", tasks, token=token)["items"], [made])
    one = f"{tasks}/{made['id']}"
    check("status", send("PATCH", one, {"status": "DONE"}, token)["status"], "DONE")
    send("DELETE", one, token=token, expect=204)
    check("tasks left", send("GET", tasks, token=token)["total"], 0)


def look_around(said: dict[str, str]) -> None:
    for page in (said["docs"], said["admin"]):
        with urlopen(page, timeout=30) as response:
            check(page, response.headers.get_content_type(), "text/html")


def find_again(url: str, login: dict[str, str]) -> None:
    """The second start knows the first one's people and tasks."""
    token = send("POST", f"{url}/api/auth/login", login)["accessToken"]
    if not send("GET", f"{url}/api/tasks", token=token)["items"]:
        raise AssertionError("the demo's tasks are gone")
    ada = {"email": "ada@example.com", "password": PASSWORD}
    send("POST", f"{url}/api/auth/login", ada)


def send(
    method: str, url: str, body: Any = None, token: str = "", *, expect: int = 200
) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    if data:
        headers["Content-Type"] = "application/json"
    request = Request(url, data, headers, method=method)
    with urlopen(request, timeout=30) as response:
        check(f"{method} {url}", response.status, expect)
        return json.loads(response.read() or "null")


def check(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"{what}: {found!r}, not {expected!r}")


def free_port() -> int:
    """One below 32768, which no outgoing connection takes in the meantime."""
    while True:
        with suppress(OSError):
            port = random.randrange(15000, 32000)
            socket.create_server(("127.0.0.1", port)).close()
            return port


main()
