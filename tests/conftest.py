import shutil
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from django.core.cache import cache
from hypothesis import HealthCheck, settings
from rest_framework.test import APIClient
from xdist.scheduler import LoadScopeScheduling

from accounts import rate_limits
from accounts.models import User
from taskapi.http import health
from taskapi.http.redis import circuit_breaker
from tasks.models import Task
from tests.factories import api_of, make_task, make_user


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """A file at a time, which costs far less than a test at a time; and live tests one
    after the other: each wants both cores, and they share servers.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "live" if nodeid.startswith("tests/live/") else nodeid.split("::")[0]


# No example has a time limit: it would fail on a machine that is busy.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# By default the same few examples each time: a failure comes from a change.
settings.register_profile("quick", UNTIMED, max_examples=20, derandomize=True)
settings.register_profile("full", UNTIMED, max_examples=100)


def pytest_configure(config: pytest.Config) -> None:
    usual = "full" if config.option.full else "quick"
    settings.load_profile(config.getoption("--hypothesis-profile") or usual)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def _clean_slate() -> None:
    """Nothing cached, no counted request and no open breaker from another test."""
    health.recent = None
    circuit_breaker.close()
    rate_limits.local.windows.clear()
    cache.clear()


@pytest.fixture
def api() -> APIClient:
    """A client that is not signed in."""
    return APIClient()


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice")


@pytest.fixture
def bob(db: None) -> User:
    return make_user("bob")


@pytest.fixture
def alice_api(alice: User) -> APIClient:
    return api_of(alice)


@pytest.fixture
def bob_api(bob: User) -> APIClient:
    return api_of(bob)


@pytest.fixture
def task(alice: User) -> Task:
    return make_task(alice)


@pytest.fixture(scope="session")
def lacking(request: pytest.FixtureRequest) -> Callable[[str], NoReturn]:
    """Skip a test for want of what it runs with, or fail with `--require-services`."""
    is_required = request.config.option.require_services
    return pytest.fail if is_required else pytest.skip


@pytest.fixture(scope="session")
def program(lacking: Callable[[str], NoReturn]) -> Callable[..., str]:
    """Find a program that a test is run with, by its name."""

    def find(name: str, path: str | None = None) -> str:
        return shutil.which(name, path=path) or lacking(f"{name} is not installed")

    return find
