from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from taskapi.api import mail as background
from tests.accounts.clock import Clock


@pytest.fixture
def clock() -> Iterator[Clock]:
    with Clock().running() as clock:
        yield clock


@pytest.fixture
def mail(monkeypatch: pytest.MonkeyPatch, mailoutbox: list[Any]) -> list[Any]:
    """The mail sent so far; it is sent at once, on the test's own connection."""

    def submit(job: Callable[..., Any], *args: Any) -> None:
        job(*args)

    monkeypatch.setattr(background, "mailer", SimpleNamespace(submit=submit))
    stays_open = SimpleNamespace(close=lambda: None)
    monkeypatch.setattr(background, "connection", stays_open)
    return mailoutbox
