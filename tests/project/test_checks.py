"""`check --deploy`: what it finds, with what advice, and that a deployment passes."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as project
from django.core.checks import run_checks

from taskapi import checks
from taskapi.api.rate_limit import RateLimit

PRODUCTION = {
    "SECRET_KEY": "one-abcdefghijklmnopqrstuvwxyz0123456789-ABCDEFGHIJK",
    "JWT_ACCESS_SECRET": "two-abcdefghijklmnopqrstuvwxyz0123456789",
    "JWT_REFRESH_SECRET": "three-abcdefghijklmnopqrstuvwxyz0123456789",
    "DATABASE_URL": "postgres://taskapi:secret@127.0.0.1:1/taskapi",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "EMAIL_URL": "smtp://user:password@127.0.0.1:1/?tls=true",
    "ALLOWED_HOSTS": "api.example.com",
    "HOST": "0.0.0.0",
    "NUM_PROXIES": "1",
    "WEB_CONCURRENCY": "4",
    "HTTPS": "true",
    "PASSWORD_BLOCKLIST": "true",
}
SMTP = "django.core.mail.backends.smtp.EmailBackend"
Ids = Callable[[], set[str]]


@pytest.fixture
def ids(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Ids:
    """The ids of what our own checks find, in what is else a sound deployment."""
    for name in ("HOST", "WEB_CONCURRENCY"):
        monkeypatch.delenv(name, raising=False)
    settings.HTTPS, settings.NUM_PROXIES, settings.PASSWORD_BLOCKLIST = True, 1, True
    settings.DATABASE = {"ENGINE": "taskapi.db.postgresql"}
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.EMAIL_BACKEND = SMTP
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, RateLimit(10, 900))

    def found() -> set[str]:
        messages = run_checks(include_deployment_checks=True)
        ours = [m for m in messages if str(m.id).startswith("taskapi.")]
        assert all(m.hint and m.msg for m in ours)
        return {str(m.id) for m in ours}

    return found


def test_sound_deployment_has_no_findings(ids: Ids) -> None:
    assert ids() == set()


BEHIND = {
    "0.0.0.0": True,
    "::": True,
    "10.0.0.7": True,
    "api": True,
    "127.0.0.1": False,
    "::1": False,
    "localhost": False,
    "": False,
}


@pytest.mark.parametrize("host", BEHIND)
def test_w001_a_proxy_that_is_not_counted(
    ids: Ids, settings: Any, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("HOST", host)
    assert ids() == set()
    settings.NUM_PROXIES = 0

    assert ids() == ({"taskapi.W001"} if BEHIND[host] else set())
    # Without TLS nothing tells that there is a proxy.
    settings.HTTPS = False
    assert ids() == set()


def test_w003_workers_that_count_for_themselves(
    ids: Ids, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = None
    assert ids() == set()

    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    assert ids() == {"taskapi.W003"}


@pytest.mark.parametrize("kind", ["JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET"])
@pytest.mark.parametrize(
    "same", ["SECRET_KEY", "JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET"]
)
def test_w004_a_previous_key_that_is_in_use(
    ids: Ids, settings: Any, kind: str, same: str
) -> None:
    setattr(settings, f"{kind}_PREVIOUS", "another-abcdefghijklmnopqrstuvwxyz")
    assert ids() == set()

    setattr(settings, f"{kind}_PREVIOUS", getattr(settings, same))
    assert ids() == {"taskapi.W004"}


def test_w005_sqlite(ids: Ids, settings: Any) -> None:
    settings.DATABASE = {"ENGINE": "django.db.backends.sqlite3"}

    assert ids() == {"taskapi.W005"}


@pytest.mark.parametrize("kind", checks.MAIL_BACKENDS)
def test_w006_mail_that_reaches_nobody_or_too_many(
    ids: Ids, settings: Any, kind: str
) -> None:
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{kind}.EmailBackend"

    assert ids() == {"taskapi.W006"}


def test_w007_common_passwords(ids: Ids, settings: Any) -> None:
    settings.PASSWORD_BLOCKLIST = False

    assert ids() == {"taskapi.W007"}


def test_w008_misspelt_variables(ids: Ids, settings: Any) -> None:
    settings.MISSPELT_VARIABLES = {"REDIS_ULR": "REDIS_URL"}

    assert ids() == {"taskapi.W008"}


@pytest.mark.parametrize("name", ["auth", "login"])
def test_w009_many_guesses(ids: Ids, settings: Any, name: str) -> None:
    settings.RATE_LIMITS |= {name: RateLimit(100, 900)}
    assert ids() == set()

    settings.RATE_LIMITS |= {name: RateLimit(1000, 900)}
    assert ids() == {"taskapi.W009"}


def test_e001_no_token_blacklist_even_without_deploy(
    ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "BLACKLIST", "not.installed")

    assert ids() == {"taskapi.E001"}
    assert "taskapi.E001" in {message.id for message in run_checks()}


def check(**variables: str) -> tuple[int, set[str], str]:
    """Status, ids and output of the command, in an environment like production's."""
    command = [sys.executable, "manage.py", "check", "--deploy"]
    done = subprocess.run(
        [*command, "--fail-level", "WARNING"],
        cwd=project.BASE_DIR,
        env={"PATH": os.defpath} | PRODUCTION | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    output = done.stdout + done.stderr
    return done.returncode, set(re.findall(r"\((\w+\.[EW]\d+)\)", output)), output


@pytest.mark.full
def test_command_passes_without_reaching_any_server() -> None:
    status, found, output = check()

    assert (status, found) == (0, set()), output


@pytest.mark.full
def test_command_says_that_https_is_off() -> None:
    _, found, output = check(HTTPS="false")

    assert found == {"security.W004", "security.W012", "security.W016"}, output


@pytest.mark.full
def test_command_fails_and_names_everything_that_is_wrong() -> None:
    status, found, output = check(
        DATABASE_URL="sqlite:///nowhere.sqlite3",
        DEBUG="true",
        EMAIL_URL="console://",
        JWT_ACCESS_SECRET_PREVIOUS=PRODUCTION["JWT_ACCESS_SECRET"],
        NUM_PROXIES="0",
        PASSWORD_BLOCKLIST="false",
        REDIS_URL="",
    )

    assert status == 1
    ours = {f"taskapi.W{number:03}" for number in (1, 3, 4, 5, 6, 7)}
    assert found == ours | {"security.W018"}, output  # W018 is Django's, for DEBUG
    assert output.count("HINT: ") == len(ours)
    # A finding names variables, never what is in them.
    assert not any(
        PRODUCTION[name] in output for name in PRODUCTION if "SECRET" in name
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("taskapi.api.mail.PLAIN", None),
        ("taskapi.api.mail.send", "it is something else."),
        ("taskapi.api.mail.NONE", 'does not define a "NONE"'),
        ("nowhere.HANDLER", "No module named 'nowhere'"),
    ],
)
def test_handler_that_is_none_is_found(
    settings: Any, path: str, reason: str | None
) -> None:
    settings.OUTBOX_HANDLERS = {"mail": path}
    found = [e for e in run_checks() if e.id == "taskapi.E004"]

    assert len(found) == (1 if reason else 0)
    assert all(str(reason) in error.msg for error in found)
