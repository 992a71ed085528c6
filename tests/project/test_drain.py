"""The parts of a graceful stop and of a patient worker; tests/live has the whole."""

import runpy
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework.test import APIClient

from taskapi import drain
from taskapi.worker import LONGEST_BYTES, Worker, is_whole

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def handlers() -> Iterator[None]:
    numbers = signal.SIGTERM, signal.SIGALRM
    before = [signal.getsignal(number) for number in numbers]
    yield
    signal.alarm(0)
    drain.draining[0] = 0
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def stops(handlers: None) -> list[int]:
    """The signals that reached gunicorn."""
    reached: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: reached.append(number))
    return reached


def test_first_signal_starts_the_drain_and_the_second_stops(stops: list[int]) -> None:
    drain.drain_before_stop(60)

    signal.raise_signal(signal.SIGTERM)
    assert drain.is_draining()
    assert stops == []

    signal.raise_signal(signal.SIGTERM)
    assert stops == [signal.SIGTERM]


def test_alarm_ends_the_drain(stops: list[int]) -> None:
    drain.drain_before_stop(60)

    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGALRM)

    assert stops == [signal.SIGTERM]


def test_nothing_waits_without_drain_seconds(stops: list[int]) -> None:
    drain.drain_before_stop(0)

    signal.raise_signal(signal.SIGTERM)

    assert drain.is_draining()
    assert stops == [signal.SIGTERM]


def test_worker_that_is_told_to_stop_says_nothing_of_its_master(
    stops: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    drain.drain_before_stop(60)
    monkeypatch.setattr(drain.os, "getpid", lambda: 0)

    signal.raise_signal(signal.SIGTERM)

    assert not drain.is_draining()
    assert stops == [signal.SIGTERM]


def test_only_readiness_ends(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "is_draining", lambda: True)

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


def test_quick_stop_waits_for_no_lock() -> None:
    def wait(**how: Any) -> None:
        raise AssertionError("the threads' lock, which may be held, was wanted")

    worker: Any = Worker.__new__(Worker)
    worker.tpool = SimpleNamespace(shutdown=wait)
    worker.cfg = SimpleNamespace(worker_int=lambda worker: None)

    with pytest.raises(SystemExit):
        worker.handle_quit(signal.SIGQUIT, None)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\ncontent-length:3\r\n\r\n12", False),
        (b"POST / HTTP/1.1\r\ncontent-length:3\r\n\r\n123", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nContent-Length: three\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n", True),
        (b"GET /" + bytes(LONGEST_BYTES), True),
    ],
)
def test_what_counts_as_whole(data: bytes, expected: bool) -> None:
    assert is_whole(data) is expected
