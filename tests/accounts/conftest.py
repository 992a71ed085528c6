from collections.abc import Iterator
from typing import Any

import pytest

from tests.accounts.clock import Clock
from tests.mailbox import Mailbox


@pytest.fixture
def clock() -> Iterator[Clock]:
    with Clock().running() as clock:
        yield clock


@pytest.fixture
def mail(mailoutbox: list[Any]) -> Mailbox:
    return Mailbox()
