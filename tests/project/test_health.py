import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from taskapi.http import health
from taskapi.http.redis import circuit_breaker
from tests.project.wire import assert_error

ANSWERS = ["/health", "/readyz"]


DOWN = {"status": "down", "database": "down"}


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Replace the question that the database is asked."""
    return lambda question: monkeypatch.setattr(health, "ask_database", question)


def refuse() -> None:
    raise OperationalError("connection refused at 10.0.0.5")


def up(settings: LazySettings) -> dict[str, str]:
    memory = "ok" if settings.REDIS_URL else "local"
    return {"status": "ok", "database": "ok", "cache": memory}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ANSWERS)
def test_all_is_well(api: APIClient, settings: LazySettings, path: str) -> None:
    response = api.get(path)

    assert response.status_code == 200
    assert response.json() == up(settings)
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ANSWERS)
def test_database_that_refuses_is_503(
    api: APIClient,
    ask: Callable[[Callable[[], None]], None],
    settings: LazySettings,
    path: str,
) -> None:
    ask(refuse)
    response = api.get(path)

    assert response.status_code == 503
    assert response.json() == up(settings) | DOWN
    assert response["Retry-After"] == "1"


@pytest.fixture
def mute(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A question that is answered only when the test is over."""
    over = Event()
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)
    with ThreadPoolExecutor(1) as prober:
        monkeypatch.setattr(health, "prober", prober)
        yield lambda: bool(over.wait(10)) and None
        over.set()


@pytest.mark.parametrize("path", ANSWERS)
def test_database_that_does_not_answer_in_time_is_503(
    api: APIClient,
    ask: Callable[[Callable[[], None]], None],
    mute: Callable[[], None],
    path: str,
) -> None:
    ask(mute)
    started = time.monotonic()
    response = api.get(path)

    assert response.status_code == 503
    assert time.monotonic() - started < 5


@pytest.mark.django_db
@pytest.mark.parametrize("path", ANSWERS)
def test_absent_cache_is_told_and_not_fatal(
    api: APIClient, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    settings.REDIS_URL = settings.REDIS_URL or "redis://localhost"
    # What django-redis answers with IGNORE_EXCEPTIONS while Redis is away.
    monkeypatch.setattr(cache, "get", lambda *args: None, raising=False)
    monkeypatch.setattr(cache, "set", lambda *args: None, raising=False)
    response = api.get(path)

    assert response.status_code == 200
    assert response.json() == up(settings) | {"cache": "down"}


@pytest.mark.django_db
def test_open_breaker_is_an_absent_cache(
    api: APIClient, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not settings.REDIS_URL:
        pytest.skip("needs Redis")
    monkeypatch.setattr("taskapi.http.redis.OPEN_SECONDS", 60)
    circuit_breaker.open()
    response = api.get("/readyz")

    assert response.status_code == 200
    assert response.json() == up(settings) | {"cache": "down"}


def test_health_is_asked_about_once_a_second(
    api: APIClient,
    ask: Callable[[Callable[[], None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[None] = []
    ask(lambda: asked.append(None))
    now = time.monotonic()
    for seconds in [0, 0.5, 0.9, 1.1, 1.5]:
        monkeypatch.setattr(
            "taskapi.http.health.time.monotonic", lambda s=seconds: now + s
        )
        assert api.get("/health").status_code == 200
    monkeypatch.undo()

    assert len(asked) == 2


def test_probes_at_once_share_one_check(
    ask: Callable[[Callable[[], None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that come while the database is asked wait for its answer."""
    for name in ("PROBE_SECONDS", "MOST_SECONDS_OLD"):
        monkeypatch.setattr(health, name, 60)
    asked: list[None] = []

    def question() -> None:
        asked.append(None)
        time.sleep(0.2)

    ask(question)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(lambda n: Client().get(ANSWERS[n % 2]).status_code, range(8))
        )

    assert statuses == [200] * 8
    assert len(asked) == 1


def test_probes_at_once_do_not_disturb_each_other(settings: LazySettings) -> None:
    settings.REDIS_URL = settings.REDIS_URL or "redis://localhost"
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda _: health.cache_state(), range(400)))

    assert states == ["ok"] * 400


def test_livez_touches_nothing(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # The database is out of bounds too: this test has no mark for it.
    def touched(*args: Any) -> None:
        raise AssertionError("the cache was asked")

    monkeypatch.setattr(cache, "get", touched, raising=False)
    monkeypatch.setattr(cache, "set", touched, raising=False)
    response = api.get("/livez")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*ANSWERS, "/livez"])
def test_head_is_answered_like_get_without_a_body(api: APIClient, path: str) -> None:
    response = api.head(path)

    assert response.status_code == 200
    assert response.content == b""
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", [*ANSWERS, "/livez"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_405(method: str, path: str) -> None:
    response = Client(enforce_csrf_checks=True).generic(method, path)

    message = f'Method "{method}" not allowed.'
    assert_error(response, 405, "METHOD_NOT_ALLOWED", message)
    assert response["Allow"] == "GET, HEAD"
