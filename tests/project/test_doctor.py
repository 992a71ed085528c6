"""`manage.py doctor`: what it connects to, what it says, and its exit status."""

import io
import json
import socket
import threading
from contextlib import closing
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from taskapi.doctor import database, services
from taskapi.doctor.findings import Finding, worst

pytestmark = pytest.mark.django_db
Report = dict[str, Any]


def doctor(*arguments: str) -> tuple[int, str]:
    output, status = io.StringIO(), 0
    try:
        call_command("doctor", *arguments, stdout=output)
    except SystemExit as end:
        status = int(str(end.code))
    return status, output.getvalue()


def report(*arguments: str) -> tuple[int, dict[str, list[Report]]]:
    """The exit status, and the findings by the name of their check."""
    status, output = doctor("--json", *arguments)
    found: dict[str, list[Report]] = {}
    for each in json.loads(output)["checks"]:
        found.setdefault(each["check"], []).append(each)
    return status, found


def test_sound_server_has_nothing_that_failed() -> None:
    status, found = report()

    assert status == 0, found
    assert {each["status"] for every in found.values() for each in every} <= {
        "ok",
        "warning",
    }
    expected = {"server", "variables", "proxies", "database", "migrations", "mail"}
    assert expected < found.keys()
    if connection.vendor == "postgresql":
        on_postgresql = {"locale", "extensions", "timeouts", "connections", "clock"}
        assert on_postgresql < found.keys()


def test_text_has_a_line_for_each_finding_and_a_verdict() -> None:
    status, output = doctor()

    assert status == 0
    assert "the client" in output or "NUM_PROXIES" in output
    assert output.splitlines()[-1] in {"doctor: ok", "doctor: warning"}


def test_pending_migration_fails_and_is_named() -> None:
    MigrationRecorder.Migration.objects.filter(app="tasks").order_by("-id")[0].delete()
    status, found = report()

    [migrations] = found["migrations"]
    assert status == 1
    assert migrations["status"] == "failed"
    assert "tasks.0" in migrations["message"]
    assert "manage.py migrate" in migrations["hint"]


def test_migration_of_a_newer_release_is_told() -> None:
    MigrationRecorder.Migration.objects.create(app="tasks", name="9999_later")

    status, found = report()
    assert (status, found["migrations"][0]["status"]) == (0, "warning")
    assert found["migrations"][0]["message"] == "tasks.9999_later"


def test_redis_that_is_away_fails_without_its_password(settings: Any) -> None:
    settings.REDIS_URL = "redis://:hunter2@127.0.0.1:1/0"
    status, output = doctor("--json")

    assert status == 1
    assert "Connection refused" in output
    assert "hunter2" not in output


@pytest.mark.parametrize(
    ("policy", "max_bytes", "status"),
    [
        ("volatile-ttl", 10**6, "ok"),
        ("volatile-lru", 10**6, "ok"),
        ("allkeys-lru", 10**6, "warning"),
        ("noeviction", 10**6, "warning"),
        ("volatile-ttl", 0, "warning"),
    ],
)
def test_eviction_must_spare_the_counters(
    policy: str, max_bytes: int, status: str
) -> None:
    finding = services.judge_eviction(policy, max_bytes)

    assert finding.status == status
    assert bool(finding.hint) == (status != "ok")


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(0.2, "ok"), (-0.9, "ok"), (1.5, "warning"), (-29, "warning"), (31, "failed")],
)
def test_clock_is_compared_with_the_database(seconds: float, status: str) -> None:
    assert database.judge_clock(seconds).status == status


def test_mail_is_sent_to_whom_it_is_asked() -> None:
    status, found = report("--to", "ops@example.com")

    [sent] = mail.outbox
    assert (status, sent.to) == (0, ["ops@example.com"])
    assert "to ops@example.com" in found["mail"][0]["message"]


def test_no_mail_is_sent_without_to() -> None:
    assert report()[0] == 0
    assert mail.outbox == []


def test_mail_server_that_is_away_fails(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    status, found = report()

    assert (status, found["mail"][0]["status"]) == (1, "failed")


def test_mail_server_is_connected_to(settings: Any) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = listener.getsockname()
        thread = threading.Thread(target=greet, args=[listener])
        thread.start()
        _, found = report()
        thread.join(10)

    assert found["mail"][0]["status"] == "ok"


def greet(listener: socket.socket) -> None:
    """Answer as a mail server that is asked for nothing but a greeting."""
    client, _ = listener.accept()
    with client, client.makefile("rwb", buffering=0) as lines:
        lines.write(b"220 mail\r\n")
        for line in lines:
            lines.write(b"250 ok\r\n")
            if line.upper().startswith(b"QUIT"):
                return


def test_proxies_are_compared_with_https(settings: Any) -> None:
    settings.HTTPS, settings.NUM_PROXIES = True, 0
    assert report()[1]["proxies"][0]["status"] == "warning"
    settings.NUM_PROXIES = 2
    proxies = report()[1]["proxies"][0]
    assert proxies["status"] == "ok"
    assert "entry number 2 from the right" in proxies["message"]


def test_what_check_deploy_finds_is_a_warning(settings: Any) -> None:
    settings.PASSWORD_BLOCKLIST = False
    messages = [each["message"] for each in report()[1]["settings"]]

    assert any(message.startswith("taskapi.W007: ") for message in messages)


def test_worst_status_decides() -> None:
    findings = [Finding("a", "ok", ""), Finding("b", "warning", "")]

    assert worst([]) == "ok"
    assert worst(findings) == "warning"
    assert worst([Finding("c", "failed", ""), *findings]) == "failed"
