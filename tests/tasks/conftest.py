from datetime import datetime, timedelta

import pytest
from django.utils import timezone


class Clock:
    """The time as the code under test sees it; stands still until it is moved."""

    def __init__(self) -> None:
        self.time = timezone.now()

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **by: int) -> None:
        self.time += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    # Also for whoever counts queries: the first request of a minute has one more.
    clock = Clock()
    monkeypatch.setattr(timezone, "now", clock)
    return clock
