"""The examples of the pages for consumers, typed into a shell as they stand."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import TRUE_LIMITS, environment
from tests.live.server import ROOT, Server
from tests.live.transcript import Example, examples, run

pytestmark = pytest.mark.live
Typed = Callable[[str], list[tuple[Example, str]]]
ADDRESS = "http://127.0.0.1:8000"
MAILED = [
    *(r"The confirmation token is: (\S+)", r"The token is: (\S+)"),
    r"The invitation's token is: (\S+)",
]


@pytest.fixture
def server(database: str, sql: Any, folder: Path) -> Iterator[Server]:
    """One with the limits, passwords and mails of `python3 -m taskapi serve`."""
    # The schema's examples name the same people, and the fuzzer takes them from there.
    # Mails of other tests would be taken for what the examples wait for.
    sql("TRUNCATE accounts_user, outbox_outboxmessage CASCADE")
    about = environment(database, **TRUE_LIMITS, user="600/1m")
    about["PASSWORD_BLOCKLIST"] = "false"
    with closing(Server(folder, about)) as server:
        yield server
        assert server.failures() == []


@pytest.fixture
def mails(database: str, tmp_path: Path) -> Iterator[Path]:
    """The file in which a worker prints the mails."""
    console = "django.core.mail.backends.console.EmailBackend"
    about = environment(database) | {"LIVE_EMAIL_BACKEND": console}
    command = [sys.executable, "-u", "manage.py", "worker"]
    with (tmp_path / "mails").open("wb") as file:
        worker = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | about, stdout=file
        )
    yield tmp_path / "mails"
    worker.terminate()
    assert worker.wait(30) == 0


@pytest.fixture
def typed(
    server: Server, mails: Path, tmp_path: Path, program: Callable[[str], str]
) -> Typed:
    """Type the examples of a page; each with what it printed."""
    program("curl")

    def type_page(name: str) -> list[tuple[Example, str]]:
        page = (ROOT / name).read_text()
        assert ADDRESS in page
        found = examples(page.replace(ADDRESS, f"http://127.0.0.1:{server.port}"))
        printed = run(found, tmp_path, answers=dict.fromkeys(MAILED, mails))
        return list(zip(found, printed, strict=True))

    return type_page


@pytest.mark.parametrize("page", ["README.md", "docs/guide.md"])
def test_every_example_prints_what_the_page_shows(typed: Typed, page: str) -> None:
    wrong = [
        f"{page}:{example.line}: {example.expected}\n--- printed:\n{printed}"
        for example, printed in typed(page)
        if not example.fits(printed)
    ]

    assert not wrong, "\n".join(wrong)
