"""Chromium on the live server, and what it must never do there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ["chromium", "chromium-browser", "google-chrome"]
PATH = next(filter(None, map(shutil.which, PROGRAMS)), None)


def missing() -> str:
    """Why there is no browser, if there is none."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed; requirements-contract.txt has it"
    return "" if PATH else "there is no chromium; Debian's package chromium has it"


class Visit:
    """One person's browser: all requests that it sends and all that it complains of."""

    def __init__(self, context: Any, origin: str, pictures: Path) -> None:
        self.page = context.new_page()
        self.origin, self.pictures = origin, pictures
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.answers: list[Any] = []
        context.on("request", lambda request: self.requests.append(request.url))
        # A builtin method would be refused.
        context.on("response", lambda answer: self.answers.append(answer))
        context.on("console", self.hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on(
            "requestfailed",
            # A download is a navigation that leads nowhere.
            lambda request: (
                request.failure == "net::ERR_ABORTED"
                or self.complaints.append(f"{request.url}: {request.failure}")
            ),
        )

    def hear(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def open(self, path: str) -> Any:
        return self.page.goto(f"{self.origin}{path}", wait_until="networkidle")

    def picture(self, name: str) -> None:
        self.page.screenshot(path=self.pictures / f"{name}.png")

    def strangers(self) -> list[str]:
        """Requests to anybody but the server."""
        ours = f"{self.origin}/", "data:", f"blob:{self.origin}/"
        return [url for url in self.requests if not url.startswith(ours)]

    def refusals(self) -> list[str]:
        return [f"{a.status} {a.url}" for a in self.answers if a.status >= 400]


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Its sandbox cannot be had as root, nor in many containers.
        browser = playwright.chromium.launch(
            executable_path=PATH, args=["--no-sandbox"]
        )
        yield browser
        browser.close()
