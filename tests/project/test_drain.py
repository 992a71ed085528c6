"""The parts of a graceful stop; tests/live has the whole."""

import runpy
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from rest_framework.test import APIClient

from taskapi.http import graceful_shutdown

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def handlers() -> Iterator[None]:
    numbers = signal.SIGTERM, signal.SIGALRM
    before = [signal.getsignal(number) for number in numbers]
    yield
    signal.alarm(0)
    graceful_shutdown.draining[0] = 0
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def stops(handlers: None) -> list[int]:
    """The signals that reached gunicorn."""
    reached: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: reached.append(number))
    return reached


def test_first_signal_starts_the_drain_and_the_second_stops(stops: list[int]) -> None:
    graceful_shutdown.drain_before_stop(60)

    signal.raise_signal(signal.SIGTERM)
    assert graceful_shutdown.is_draining()
    assert stops == []

    signal.raise_signal(signal.SIGTERM)
    assert stops == [signal.SIGTERM]


def test_alarm_ends_the_drain(stops: list[int]) -> None:
    graceful_shutdown.drain_before_stop(60)

    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGALRM)

    assert stops == [signal.SIGTERM]


def test_nothing_waits_without_drain_seconds(stops: list[int]) -> None:
    graceful_shutdown.drain_before_stop(0)

    signal.raise_signal(signal.SIGTERM)

    assert graceful_shutdown.is_draining()
    assert stops == [signal.SIGTERM]


def test_worker_that_is_told_to_stop_says_nothing_of_its_master(
    stops: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    graceful_shutdown.drain_before_stop(60)
    monkeypatch.setattr(graceful_shutdown.os, "getpid", lambda: 0)

    signal.raise_signal(signal.SIGTERM)

    assert not graceful_shutdown.is_draining()
    assert stops == [signal.SIGTERM]


def test_only_readiness_ends(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graceful_shutdown, "is_draining", lambda: True)

    response = api.get("/readyz")

    assert (response.status_code, response.json()) == (503, {"status": "draining"})
    assert response["Retry-After"] == "1"
    assert api.get("/livez").status_code == 200


@pytest.mark.parametrize("seconds", ["-1", "601", "1.5", "ten"])
def test_drain_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv("DRAIN_SECONDS", seconds)

    with pytest.raises(SystemExit) as refused:
        runpy.run_path(str(ROOT / "gunicorn.conf.py"))

    needs = "DRAIN_SECONDS must be a whole number from 0 to 600"
    assert str(refused.value) == f"taskapi: {needs}, not {seconds!r}"
