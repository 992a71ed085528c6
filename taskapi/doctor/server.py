"""The settings as the server will see them."""

import os
from collections.abc import Iterator

from django.conf import settings
from django.core.checks import ERROR, run_checks

from taskapi import env_file
from taskapi.doctor.findings import Finding

REMEDY = (
    "Set NUM_PROXIES to the number of proxies in front; the last one must send"
    " X-Forwarded-For and X-Forwarded-Proto."
)


def check_server() -> Iterator[Finding]:
    host = os.environ.get("HOST") or "127.0.0.1"
    port = os.environ.get("PORT") or "8000"
    hosts = ", ".join(settings.ALLOWED_HOSTS)
    yield Finding("server", "ok", f"listens on {host}:{port}, serves {hosts}")
    names = ", ".join(sorted(env_file.names))
    source = f"{env_file.PATH} sets {names}" if names else "no .env is read"
    yield Finding("variables", "ok", source)


def check_proxies() -> Iterator[Finding]:
    count = settings.NUM_PROXIES
    if not settings.HTTPS:
        message = f"HTTPS is off, NUM_PROXIES is {count}"
        hint = f"Set HTTPS=true where a proxy terminates TLS. {REMEDY}" if count else ""
        yield Finding("proxies", "warning" if count else "ok", message, hint)
    elif not count:
        message = (
            "HTTPS is on and NUM_PROXIES is 0: X-Forwarded-For and -Proto are ignored"
        )
        reason = "All clients share one address, and the admin rejects its forms."
        yield Finding("proxies", "warning", message, f"{reason} {REMEDY}")
    else:
        entry = "last entry" if count == 1 else f"entry number {count} from the right"
        message = f"the client is the {entry} of X-Forwarded-For"
        yield Finding("proxies", "ok", message)


def check_settings() -> Iterator[Finding]:
    """What `check --deploy` finds."""
    for message in run_checks(include_deployment_checks=True):
        if not message.is_silenced():
            status = "failed" if message.level >= ERROR else "warning"
            text = f"{message.id}: {message.msg}"
            yield Finding("settings", status, text, message.hint or "")  # type: ignore[arg-type]
