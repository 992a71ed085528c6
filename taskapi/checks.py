"""Asked by `manage.py check --deploy`: settings that suit a trial and no deployment.

What suits neither is refused by settings, and never gets here.
"""

import os
from ipaddress import ip_address
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.checks.security.base import W004

BLACKLIST = "rest_framework_simplejwt.token_blacklist"
MAIL_BACKENDS = {
    "console": "writes mail to the log, and with it tokens that set a new password",
    "filebased": "writes mail to files, and with it tokens that set a new password",
    "dummy": "drops mail, so nobody can reset a password",
    "locmem": "drops mail, so nobody can reset a password",
}


def warn_if(wrong: bool, number: int, message: str, hint: str) -> list[CheckMessage]:
    # W002 was about a pool that is gone: no other finding may be taken for it.
    return [Warning(message, hint=hint, id=f"taskapi.W{number:03}")] if wrong else []


def whole(name: str, default: int) -> int:
    """As gunicorn.conf.py reads it, which refuses what is no number."""
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@register(Tags.security)
def blacklist_is_installed(**options: Any) -> list[CheckMessage]:
    if apps.is_installed(BLACKLIST):
        return []
    message = "No record is kept of refresh tokens that are spent or revoked."
    return [
        Error(message, hint=f"Add {BLACKLIST!r} to INSTALLED_APPS.", id="taskapi.E001")
    ]


@register(Tags.security, deploy=True)
def browsers_are_told_to_use_https(**options: Any) -> list[CheckMessage]:
    # Django would say so itself, if its middleware, not a subclass, were in use.
    return [] if settings.SECURE_HSTS_SECONDS else [W004]


@register(Tags.security, deploy=True)
def proxies_are_counted(**options: Any) -> list[CheckMessage]:
    # Gunicorn is given no certificate: with HTTPS on, somebody else holds it.
    behind = settings.HTTPS and not is_loopback(os.environ.get("HOST") or "127.0.0.1")
    return warn_if(
        behind and not settings.NUM_PROXIES,
        1,
        "HTTPS is on, so a proxy is in front, but NUM_PROXIES is 0: all clients would"
        " share the rate limits of the proxy's address.",
        "Set NUM_PROXIES to the number of your proxies that a request passes.",
    )


@register(Tags.security, deploy=True)
def workers_share_memory(**options: Any) -> list[CheckMessage]:
    workers = whole("WEB_CONCURRENCY", 1)
    return warn_if(
        workers > 1 and not settings.REDIS_URL,
        3,
        f"{workers} workers without REDIS_URL: each counts rate limits for itself.",
        "Set REDIS_URL, or WEB_CONCURRENCY=1.",
    )


@register(Tags.security, deploy=True)
def previous_keys_are_others(**options: Any) -> list[CheckMessage]:
    kinds = ["JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET"]
    current = {settings.SECRET_KEY, *(getattr(settings, kind) for kind in kinds)}
    same = [f"{kind}_PREVIOUS" for kind in kinds]
    same = [name for name in same if getattr(settings, name) in current]
    return warn_if(
        bool(same),
        4,
        f"{' and '.join(same)}: a key that is in use, so nothing was rotated.",
        "Give each current variable a new key, or leave the previous one empty.",
    )


@register(Tags.security, deploy=True)
def database_is_a_server(**options: Any) -> list[CheckMessage]:
    return warn_if(
        "sqlite" in settings.DATABASE["ENGINE"],
        5,
        "The database is SQLite: one machine, and one writer at a time.",
        "Set DATABASE_URL=postgres://user:password@host:5432/name.",
    )


@register(Tags.security, deploy=True)
def mail_is_sent(**options: Any) -> list[CheckMessage]:
    kind = settings.EMAIL_BACKEND.split(".")[-2]
    return warn_if(
        kind in MAIL_BACKENDS,
        6,
        f"The e-mail backend {kind!r} {MAIL_BACKENDS.get(kind)}.",
        "Set EMAIL_URL=smtp://user:password@host:587/?tls=true.",
    )


@register(Tags.security, deploy=True)
def common_passwords_are_refused(**options: Any) -> list[CheckMessage]:
    return warn_if(
        not settings.PASSWORD_BLOCKLIST,
        7,
        "PASSWORD_BLOCKLIST is off: anybody may choose a password from every list.",
        "Remove PASSWORD_BLOCKLIST=false, which a first `serve` writes to .env.",
    )
