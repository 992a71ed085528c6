"""What the worker does with the events of webhooks, against a receiver on loopback."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core.management import call_command
from django.utils import timezone
from standardwebhooks import Webhook as Verifier

from accounts import personal_data
from accounts.models import User
from taskapi.api.preconditions import NO_PRECONDITION
from taskapi.outbox.models import OutboxMessage
from tasks.models import Delivery, Role, Webhook
from tasks.operations import projects, webhooks
from tasks.webhooks.events import EVENTS, to_bits
from tests.factories import api_of
from tests.mailbox import deliver
from tests.outbox.test_messages import Clock
from tests.tasks.sharing import author, leave, make_project, share
from tests.webhooks.receiver import Receiver, answers, resets

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("taskapi.db.clock.now", clock.now)
    monkeypatch.setattr(timezone, "now", clock.now)
    monkeypatch.setattr("tasks.webhooks.delivery.JITTER", 0)
    return clock


def make_webhook(user: User, receiver: Receiver, **values: Any) -> tuple[Webhook, str]:
    values = {"url": receiver.url, "events": to_bits(EVENTS)} | values
    return webhooks.create_webhook(values, author(user))


def create(user: User, title: str = "x", **body: Any) -> Any:
    api = api_of(User.objects.get(pk=user.pk))
    body = {"title": title} | body
    return api.post("/api/tasks", body, format="json").json()


def states() -> list[tuple[str, int, int | None]]:
    rows = Delivery.objects.order_by("created_at", "pk")
    return list(rows.values_list("status", "attempts", "response_status"))


def test_event_arrives_signed(alice: User, receiver: Receiver) -> None:
    _, secret = make_webhook(alice, receiver)
    task = create(alice, "Äpfel")
    deliver()

    [(headers, body)] = receiver.received
    found = Verifier(secret).verify(body, headers)
    assert found["type"] == "task.created"
    assert found["data"] == task
    assert found.keys() == {"type", "timestamp", "data"}
    delivery = Delivery.objects.get()
    assert headers["webhook-id"] == str(delivery.pk)
    assert headers["content-type"] == "application/json"
    assert states() == [("DELIVERED", 1, 204)]


def test_attempts_have_one_id_and_the_schedule_of_the_contract(
    alice: User, receiver: Receiver, clock: Clock
) -> None:
    make_webhook(alice, receiver)
    create(alice)
    receiver.behaviour = answers(500, b"broken")
    for seconds in [5, 10, 30, 120, 600, 3600, 3600]:
        deliver()
        before = len(receiver.received)
        clock.advance(seconds=seconds - 0.1)
        deliver()
        assert len(receiver.received) == before
        clock.advance(seconds=0.1)
    assert states() == [("PENDING", 7, 500)]
    assert Delivery.objects.get().response_excerpt == "broken"
    receiver.behaviour = answers(200)
    deliver()

    assert states() == [("DELIVERED", 8, 200)]
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert len({*receiver.bodies()}) == 1


@pytest.mark.parametrize(
    ("asked", "waited"), [("60", 60), ("1", 5), ("9999999", 24 * 3600)]
)
def test_receiver_may_ask_for_a_longer_wait(
    alice: User, receiver: Receiver, clock: Clock, asked: str, waited: int
) -> None:
    make_webhook(alice, receiver)
    create(alice)
    receiver.behaviour = answers(429, Retry_After=asked)
    deliver()

    [message] = OutboxMessage.objects.all()
    assert message.next_attempt_at == clock.time + timedelta(seconds=waited)


def test_webhook_that_fails_for_three_days_is_disabled_and_its_owner_told(
    alice: User, receiver: Receiver, clock: Clock
) -> None:
    webhook, _ = make_webhook(alice, receiver)
    create(alice)
    receiver.behaviour = resets
    for _ in range(71):
        deliver()
        clock.advance(hours=1)
    deliver()
    webhook.refresh_from_db()
    assert webhook.disabled_at is None
    create(alice, "later")
    clock.advance(hours=1)
    deliver()

    webhook.refresh_from_db()
    assert webhook.disabled_reason == "FAILING"
    deliver()
    [message] = django_mail.outbox
    assert message.to == ["alice@example.com"]
    assert receiver.url in message.body
    assert f"/api/webhooks/{webhook.pk}" in message.body
    received = len(receiver.received)
    clock.advance(hours=2)
    deliver()
    assert len(receiver.received) == received
    assert [status for status, *_ in states()] == ["FAILED", "FAILED"]
    assert len(django_mail.outbox) == 1


def test_events_of_one_task_keep_their_order_and_hold_up_no_other(
    alice: User, receiver: Receiver, clock: Clock
) -> None:
    make_webhook(alice, receiver)
    task = create(alice)
    api = api_of(User.objects.get(pk=alice.pk))
    api.patch(f"/api/tasks/{task['id']}", {"title": "second"}, format="json")
    receiver.behaviour = answers(500)
    deliver()
    create(alice, "other")
    receiver.behaviour = answers(200)
    deliver()
    clock.advance(seconds=5)
    deliver()

    titles = [json.loads(body)["data"]["title"] for body in receiver.bodies()]
    assert titles == ["x", "other", "x", "second"]


def test_access_that_ended_is_asked_again_at_the_delivery(
    alice: User, bob: User, receiver: Receiver
) -> None:
    project = make_project(alice)
    member = share(project, bob, Role.VIEWER)
    webhook, _ = make_webhook(bob, receiver, project_id=project.pk)
    create(alice, projectId=str(project.pk))
    leave(member)
    deliver()

    assert receiver.received == []
    webhook.refresh_from_db()
    assert webhook.disabled_reason == "ACCESS_ENDED"
    assert Delivery.objects.filter(status="FAILED", attempts=0).exists()
    assert django_mail.outbox == []


def test_reader_gets_its_own_role_in_a_project(
    alice: User, bob: User, receiver: Receiver
) -> None:
    project = make_project(alice)
    share(project, bob, Role.VIEWER)
    make_webhook(bob, receiver, project_id=project.pk)
    projects.update_project(project.pk, {"name": "y"}, author(alice))
    deliver()

    [body] = map(json.loads, receiver.bodies())
    assert (body["type"], body["data"]["role"]) == ("project.updated", "VIEWER")


@pytest.mark.parametrize("how", ["deleted", "disabled", "inactive"])
def test_nothing_is_sent_any_more(alice: User, receiver: Receiver, how: str) -> None:
    webhook, _ = make_webhook(alice, receiver)
    create(alice)
    if how == "deleted":
        webhooks.delete_webhook(webhook.pk, author(alice), NO_PRECONDITION)
    elif how == "disabled":
        webhooks.update_webhook(
            webhook.pk, {"is_enabled": False}, author(alice), NO_PRECONDITION
        )
    else:
        User.objects.update(is_active=False)
    deliver()

    assert receiver.received == []
    assert not OutboxMessage.objects.filter(finished_at=None).exists()


def test_both_secrets_are_good_for_a_day(
    alice: User, receiver: Receiver, clock: Clock
) -> None:
    webhook, old = make_webhook(alice, receiver)
    _, new = webhooks.rotate_secret(webhook.pk, author(alice))
    for _ in range(2):
        webhooks.send_test(webhook.pk, author(alice))
        deliver()
        clock.advance(hours=24, seconds=1)

    (first, _), (second, _) = receiver.received
    assert old != new
    assert len(first["webhook-signature"].split()) == 2
    assert len(second["webhook-signature"].split()) == 1
    for (headers, body), secret in zip(receiver.received, (old, new), strict=True):
        headers = headers | {"webhook-timestamp": headers["webhook-timestamp"]}
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}."
        key = Verifier(secret)._whsecret
        assert signature(key, signed.encode() + body) in headers["webhook-signature"]


def signature(key: bytes, signed: bytes) -> str:
    import base64
    import hmac

    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def test_secret_is_not_stored(alice: User, receiver: Receiver) -> None:
    _, secret = make_webhook(alice, receiver)
    create(alice)

    rows = f"{Webhook.objects.values()}{OutboxMessage.objects.values()}"
    assert secret not in rows
    assert secret.removeprefix("whsec_") not in rows


def test_delivery_is_made_again_with_its_id(alice: User, receiver: Receiver) -> None:
    webhook, _ = make_webhook(alice, receiver)
    create(alice)
    deliver()
    delivery = Delivery.objects.get()
    webhooks.redeliver(webhook.pk, delivery.pk, author(alice))
    deliver()

    assert [headers["webhook-id"] for headers, _ in receiver.received] == [
        str(delivery.pk)
    ] * 2
    assert states() == [("DELIVERED", 2, 204)]


def test_answer_tells_nothing_of_our_network(
    alice: User, receiver: Receiver, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    make_webhook(alice, receiver)
    create(alice)
    deliver()

    assert receiver.received == []
    delivery = Delivery.objects.get()
    assert delivery.response_excerpt == "No answer: AddressRefused."


def test_old_deliveries_are_removed(alice: User, receiver: Receiver) -> None:
    make_webhook(alice, receiver)
    create(alice)
    create(alice)
    deliver()
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=8))
    waiting = Delivery.objects.all()[0]
    waiting.status = "PENDING"
    waiting.save()
    call_command("housekeeping")

    assert list(Delivery.objects.all()) == [waiting]


def test_webhooks_of_an_erased_account_are_removed(
    alice: User, receiver: Receiver
) -> None:
    make_webhook(alice, receiver)
    create(alice)
    personal_data.erase(alice)
    deliver()
    assert receiver.received == []
    call_command("housekeeping")

    assert not Webhook.objects.exists()
    assert not Delivery.objects.exists()
    assert not User._base_manager.exists()


def test_webhooks_of_a_removed_project_are_removed(
    alice: User, bob: User, receiver: Receiver
) -> None:
    project = make_project(alice)
    share(project, bob, Role.VIEWER)
    make_webhook(bob, receiver, project_id=project.pk)
    create(alice, projectId=str(project.pk))
    personal_data.erase(alice, delete_shared=True)
    call_command("housekeeping")

    assert not Webhook.objects.exists()
    assert list(User._base_manager.all()) == [bob]
