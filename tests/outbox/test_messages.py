"""Messages of the outbox: who claims which of them, and what becomes of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.mail import EmailMessage
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from taskapi.api import mail
from taskapi.outbox import messages
from taskapi.outbox import worker as worker_module
from taskapi.outbox.handlers import Result, Undeliverable
from taskapi.outbox.models import OutboxCount, OutboxMessage
from taskapi.outbox.settle import settle
from taskapi.outbox.worker import Worker
from tests.mailbox import deliver

pytestmark = pytest.mark.django_db
Claimed = list[OutboxMessage]


@pytest.fixture(autouse=True)
def probe(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the handler of this name does is written here."""
    handlers = settings.OUTBOX_HANDLERS
    settings.OUTBOX_HANDLERS = handlers | {"probe": "tests.outbox.probe.PROBE"}
    file = tmp_path / "probe"
    file.touch()
    monkeypatch.setenv("PROBE_FILE", str(file))
    return file


class Clock:
    def __init__(self) -> None:
        self.time = timezone.now()

    def now(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("taskapi.db.clock.now", clock.now)
    return clock


def send(name: str, channel: str = "a", key: str | None = None, **more: Any) -> None:
    payload = {"name": name} | more
    messages.send("probe", payload, channel=channel, ordering_key=key)


def claim(most: int = 100, worker: str = "one", **busy: int) -> Claimed:
    return messages.claim(worker, most, busy)


def names(claimed: Claimed) -> list[str]:
    return [each.payload["name"] for each in claimed]


def done(claimed: Claimed, worker: str = "one", **result: Any) -> None:
    settle(worker, [(message, Result(**result)) for message in claimed])


def outcomes() -> list[tuple[str | None, int]]:
    rows = OutboxMessage.objects.order_by("pk")
    return list(rows.values_list("outcome", "attempts"))


def noted(probe: Path) -> list[str]:
    lines = (line.split() for line in probe.read_text().splitlines())
    return [f"{what} {name} {attempt}" for what, name, _, attempt in lines]


def test_message_of_a_transaction_that_fails_is_not_delivered(probe: Path) -> None:
    with transaction.atomic():
        send("x")
        transaction.set_rollback(True)
    deliver()

    assert noted(probe) == []


def test_message_is_delivered_once_and_forgotten(probe: Path) -> None:
    send("x")
    deliver()
    deliver()

    assert noted(probe) == ["begin x 1", "end x 1"]
    [row] = OutboxMessage.objects.all()
    assert (row.outcome, row.payload, row.claimed_by) == ("delivered", {}, None)


def test_claims_are_bounded_by_receiver_and_in_all(settings: Any) -> None:
    settings.DELIVERIES_PER_RECEIVER = 3
    for channel in "ab":
        for number in range(5):
            send(f"{channel}{number}", channel)

    assert names(claim(a=2)) == ["a0", "b0", "b1", "b2"]
    assert names(claim(most=2, b=3)) == ["a1", "a2"]


def test_receiver_with_many_messages_holds_up_no_other() -> None:
    for number in range(20):
        send(f"a{number}", "a")
    send("b", "b")

    assert names(claim(most=2)) == ["a0", "b"]


def test_messages_with_one_key_are_delivered_in_order(clock: Clock) -> None:
    for name in ["first", "second", "third"]:
        send(name, key="k")
    send("other", key="l")
    send("elsewhere", "b", key="k")
    first, *others = claim()

    assert names([first, *others]) == ["first", "other", "elsewhere"]
    done([first], error=OSError())
    assert claim() == []
    clock.advance(seconds=1)
    again = claim()
    assert names(again) == ["first"]
    done(again)
    second = claim()
    assert names(second) == ["second"]
    done(second, error=Undeliverable())
    assert names(claim()) == ["third"]


def test_claim_lasts_for_a_lease(clock: Clock) -> None:
    send("x")
    claim()

    clock.advance(seconds=59.9)
    assert claim(worker="two") == []
    clock.advance(seconds=0.2)
    [again] = claim(worker="two")
    assert again.attempts == 2


def test_lease_is_extended_by_its_holder_only(clock: Clock) -> None:
    send("x")
    [message] = claim()
    clock.advance(seconds=50)
    messages.renew("two", [message.pk])
    messages.renew("one", [message.pk])
    clock.advance(seconds=50)

    assert claim(worker="two") == []
    messages.renew("two", [message.pk])
    clock.advance(seconds=11)
    assert names(claim(worker="two")) == ["x"]


def test_outcome_of_a_lease_that_another_took_is_left_to_that_one(
    clock: Clock,
) -> None:
    send("x")
    late = claim()
    clock.advance(seconds=61)
    current = claim(worker="two")
    done(late, error=Undeliverable())

    assert outcomes() == [(None, 2)]
    done(current, "two")
    done(late)
    assert outcomes() == [("delivered", 2)]


def test_outcome_of_an_earlier_attempt_of_the_same_worker_is_left(
    clock: Clock,
) -> None:
    send("x")
    late = claim()
    clock.advance(seconds=61)
    claim()
    done(late, error=Undeliverable())

    assert outcomes() == [(None, 2)]


def test_attempts_are_repeated_until_one_succeeds(probe: Path, clock: Clock) -> None:
    send("x", fails=2)
    for _ in range(4):
        deliver()
        clock.advance(seconds=0.2)

    assert noted(probe) == ["begin x 1", "begin x 2", "begin x 3", "end x 3"]
    counts = OutboxCount.objects.values_list("handler", "outcome", "attempts")
    assert set(counts) == {("probe", "retried", 2), ("probe", "delivered", 1)}


def test_message_is_dropped_after_its_lifetime(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    send("x", fails=100)
    clock.advance(hours=23, minutes=59)
    deliver()
    assert outcomes() == [(None, 1)]
    clock.advance(minutes=1)
    deliver()

    assert outcomes() == [("dropped", 2)]
    [row] = OutboxMessage.objects.all()
    assert row.payload == {}
    [line] = [r for r in caplog.records if r.levelname == "ERROR"]
    assert line.getMessage() == f"probe {row.pk} was not delivered, and is dropped."


def test_message_for_a_handler_of_a_newer_release_waits(
    settings: Any, probe: Path, clock: Clock
) -> None:
    handlers = settings.OUTBOX_HANDLERS
    send("x")
    settings.OUTBOX_HANDLERS = {}
    deliver()
    assert outcomes() == [(None, 1)]
    settings.OUTBOX_HANDLERS = handlers
    clock.advance(minutes=1)
    deliver()

    assert noted(probe) == ["begin x 2", "end x 2"]


@pytest.mark.parametrize(
    ("statuses", "outcome"), [([550], "dropped"), ([550, 450], None), ([421], None)]
)
def test_recipient_that_the_mail_server_refuses_for_good_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, statuses: list[int], outcome: str | None
) -> None:
    refused = {f"{number}@x.example": (number, b"") for number in statuses}

    def refuse(self: Any) -> None:
        raise SMTPRecipientsRefused(refused)

    monkeypatch.setattr(EmailMessage, "send", refuse)
    mail.send("Subject", "Text", "x@x.example")
    deliver()

    assert outcomes() == [(outcome, 1)]
    assert django_mail.outbox == []


def test_worker_goes_on_when_the_database_is_back(
    monkeypatch: pytest.MonkeyPatch, probe: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(1, lambda: None)
    waits: list[float] = []

    def fail(*args: Any) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(connection, "close", lambda: None)  # of this test
    with monkeypatch.context() as broken:
        broken.setattr(messages, "claim", fail)
        broken.setattr(worker, "wait", waits.append)
        for _ in range(7):
            worker.turn(claims=True)
    send("x")
    worker.run_until_empty()

    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert noted(probe) == ["begin x 1", "end x 1"]
    assert "The outbox cannot be read; trying again in 30 s." in caplog.messages


def test_message_that_the_database_failed_to_prepare_is_not_in_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else its lease would be extended for ever."""
    worker = Worker(1, lambda: None)
    send("x")

    def fail(name: str) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(worker_module, "get_handler", fail)
    with pytest.raises(OperationalError):
        worker.claim()

    assert worker.in_hand == {}


def test_what_could_not_be_stored_is_stored_later(
    monkeypatch: pytest.MonkeyPatch, probe: Path
) -> None:
    worker = Worker(1, lambda: None)
    send("x")

    def fail(*args: Any) -> Any:
        raise OperationalError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(worker_module, "settle", fail)
        with pytest.raises(OperationalError):
            worker.run_until_empty()
    assert worker.in_hand
    worker.settle()

    assert outcomes() == [("delivered", 1)]
    assert noted(probe) == ["begin x 1", "end x 1"]
    assert worker.in_hand == {}
    assert worker.settled_not == []


@pytest.mark.django_db(transaction=True)
def test_claim_passes_by_what_another_is_claiming() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    send("x")
    send("y")

    def elsewhere() -> list[str]:
        try:
            return names(claim(worker="two"))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert names(claim(most=1)) == ["x"]
        assert pool.submit(elsewhere).result(30) == ["y"]


def test_tokens_follow_from_nonce_purpose_and_key(settings: Any) -> None:
    token = mail.derive_token("invitation", "nonce")

    assert mail.derive_token("invitation", "nonce") == token
    assert len(token) == 43
    assert mail.derive_token("email_change", "nonce") != token
    assert mail.derive_token("invitation", "another") != token
    settings.SECRET_KEY = "another key of the same length, as long as it has to be"
    assert mail.derive_token("invitation", "nonce") != token
