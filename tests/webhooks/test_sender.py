"""What receivers can do to a worker, and what they cannot."""

import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpcore
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tasks.webhooks import sender, signatures
from tasks.webhooks.connections import AddressRefused
from tasks.webhooks.sender import Failed, post
from tests.webhooks.receiver import (
    Receiver,
    answers,
    drips,
    drips_a_body,
    floods,
    resets,
    stalls,
)

LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


def send(url: str, allowed: Any = LOOPBACK) -> sender.Answer:
    return post(url, {"Host": "receiver.example", "X-Test": "1"}, b"{}", allowed)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Have a name lead to other addresses at each look-up; those looked up so far."""

    def name(*answers: list[str]) -> list[str]:
        asked: list[str] = []

        def look_up(host: str, port: int, **options: Any) -> Any:
            found = answers[min(len(asked), len(answers) - 1)]
            asked.append(host)
            return [(0, 0, 0, "", (address, port)) for address in found]

        monkeypatch.setattr("tasks.webhooks.connections.getaddrinfo", look_up)
        return asked

    return name


def test_delivery_is_one_post(receiver: Receiver) -> None:
    receiver.behaviour = answers(200, b"thank you")

    assert send(receiver.url) == sender.Answer(200, "thank you")
    [(headers, body)] = receiver.received
    assert (headers["x-test"], body) == ("1", b"{}")
    assert headers["content-length"] == "2"


@pytest.mark.parametrize("status", [300, 301, 302, 307, 400, 401, 404, 410, 429, 500])
def test_any_other_answer_is_a_failure_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    receiver.behaviour = answers(status, b"no", Location=receiver.url)

    with pytest.raises(Failed) as failure:
        send(receiver.url)

    assert failure.value.answer == sender.Answer(status, "no")
    assert len(receiver.received) == 1


@pytest.mark.parametrize("behaviour", [stalls, drips, drips_a_body])
def test_receiver_that_is_slow_is_left_however_it_is_slow(
    receiver: Receiver, behaviour: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "SECONDS", 0.4)
    receiver.behaviour = behaviour

    with pytest.raises(httpcore.ReadTimeout):
        send(receiver.url)


def test_only_the_start_of_an_answer_is_read(receiver: Receiver) -> None:
    receiver.behaviour = floods

    assert send(receiver.url) == sender.Answer(200, "x" * 1024)


def test_answer_may_be_anything(receiver: Receiver) -> None:
    receiver.behaviour = answers(200, b"\xff\0<script>")

    assert send(receiver.url).excerpt == "\ufffd\ufffd<script>"


def test_connection_may_be_reset(receiver: Receiver) -> None:
    receiver.behaviour = resets

    with pytest.raises((httpcore.ReadError, httpcore.RemoteProtocolError)):
        send(receiver.url)


def test_connection_may_be_refused(receiver: Receiver) -> None:
    receiver.close()

    with pytest.raises(httpcore.ConnectError):
        send(receiver.url)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "0", "[::]"],
)
def test_loopback_is_refused_however_it_is_written(
    receiver: Receiver, host: str
) -> None:
    with pytest.raises(httpcore.ConnectError):
        send(f"http://{host}:{receiver.port}/", allowed=[])

    assert receiver.received == []


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::1"]]
)
def test_name_that_leads_to_a_private_address_is_refused(
    named: Callable[..., list[str]], addresses: list[str]
) -> None:
    named(addresses)

    with pytest.raises(AddressRefused):
        send("http://receiver.example/", allowed=[])


def test_name_is_resolved_once_and_connected_to_where_it_led(
    receiver: Receiver, named: Callable[..., list[str]], monkeypatch: Any
) -> None:
    """Rebinding: what the name leads to after the check makes no difference."""
    asked = named(["1.0.0.1", "1.1.1.1"], ["127.0.0.1"])
    to: list[Any] = []

    def connect(address: Any, *args: Any, **options: Any) -> Any:
        to.append(address)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(httpcore.ConnectError):
        send(f"http://receiver.example:{receiver.port}/", allowed=[])

    assert asked == ["receiver.example"]
    assert to == [("1.0.0.1", receiver.port), ("1.1.1.1", receiver.port)]


def test_next_address_is_tried_when_nobody_listens_at_one(
    receiver: Receiver, named: Callable[..., list[str]]
) -> None:
    named(["127.0.0.2", "127.0.0.1"])

    assert send(f"http://receiver.example:{receiver.port}/").status == 204


def test_resolver_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "SECONDS", 0.2)
    monkeypatch.setattr(
        "tasks.webhooks.connections.getaddrinfo",
        lambda *args, **options: time.sleep(3) or [],
    )

    with pytest.raises(httpcore.ConnectTimeout):
        send("http://receiver.example/")


def test_host_that_does_not_exist_is_a_failure(
    named: Callable[..., list[str]],
) -> None:
    named([])

    with pytest.raises(httpcore.ConnectError):
        send("http://receiver.example/")


def test_proxies_of_the_environment_are_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert send(receiver.url).status == 204


@pytest.fixture
def certificate(program: Callable[..., str], tmp_path: Path) -> Path:
    """With its key; signed by nobody who is trusted."""
    file = tmp_path / "certificate"
    command = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, *names, "-keyout", file, "-out", f"{file}.pem"],
        check=True,
        capture_output=True,
    )
    with file.open("a") as both:
        both.write(Path(f"{file}.pem").read_text())
    return file


def test_certificate_must_be_one_that_is_trusted(
    receiver: Receiver, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.secure(certificate)
    url = receiver.url.replace("http://", "https://")
    with pytest.raises(httpcore.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        send(url)
    assert receiver.received == []

    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(sender, "tls", lambda: trusting)
    assert send(url).status == 204


@pytest.mark.parametrize(
    ("sent", "seconds"), [("120", 120), ("0", 0), ("soon", None), ("-5", None)]
)
def test_receiver_may_ask_to_wait(
    receiver: Receiver, sent: str, seconds: float | None
) -> None:
    receiver.behaviour = answers(503, Retry_After=sent)

    with pytest.raises(Failed) as failure:
        send(receiver.url)

    assert failure.value.answer.retry_after == seconds


def test_receiver_may_ask_to_wait_until_a_date(receiver: Receiver) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    receiver.behaviour = answers(429, Retry_After=format_datetime(until, usegmt=True))

    with pytest.raises(Failed) as failure:
        send(receiver.url)

    assert 3500 < (failure.value.answer.retry_after or 0) <= 3600


def test_signatures_are_those_of_standard_webhooks() -> None:
    """Proved against its own library: with the old secret, the new one, no other."""
    body = json.dumps({"type": "task.created", "data": {"title": "Ä"}}).encode()
    now = int(time.time())
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": signatures.sign("msg_1", now, body, ["new", "old"]),
    }

    for nonce in ("new", "old"):
        found = Webhook(signatures.secret(nonce)).verify(body, headers)
        assert found == json.loads(body)
    with pytest.raises(WebhookVerificationError):
        Webhook(signatures.secret("other")).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(signatures.secret("new")).verify(body + b" ", headers)
