"""Warns about settings that suit a trial but no deployment (`check --deploy`).

Invalid settings stop the process before these checks run.
"""

import os
from ipaddress import ip_address
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.module_loading import import_string

from taskapi.outbox.handlers import Handler

BLACKLIST = "rest_framework_simplejwt.token_blacklist"
MAIL_BACKENDS = {
    "console": "writes mail to the log, and with it tokens that set a new password",
    "filebased": "writes mail to files, and with it tokens that set a new password",
    "dummy": "drops mail, so nobody can reset a password",
    "locmem": "drops mail, so nobody can reset a password",
}
MAX_GUESSES_PER_SECOND = 100 / (15 * 60)


def warn_if(is_bad: bool, number: int, message: str, hint: str) -> list[CheckMessage]:
    # W002 was a check that was removed; its number is not reused.
    return [Warning(message, hint=hint, id=f"taskapi.W{number:03}")] if is_bad else []


def env_int(name: str, default: int) -> int:
    """A variable that gunicorn.conf.py validates."""
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
    message = "Spent and revoked refresh tokens are not recorded."
    return [
        Error(message, hint=f"Add {BLACKLIST!r} to INSTALLED_APPS.", id="taskapi.E001")
    ]


@register
def hooks_are_functions(**options: Any) -> list[CheckMessage]:
    """Otherwise nobody could register, and only a request would show it."""
    hooks = [("ACCOUNT_CREATED", path) for path in settings.ACCOUNT_CREATED]
    if path := settings.REGISTRATION_INVITATIONS:
        hooks.append(("REGISTRATION_INVITATIONS", path))
    return [
        Error(
            f"{setting} names {path!r}, which is no function: {reason}",
            hint="Write the dotted path of a function.",
            id="taskapi.E002",
        )
        for setting, path in hooks
        if (reason := why_not_callable(path))
    ]


@register
def outbox_has_handlers(**options: Any) -> list[CheckMessage]:
    """Otherwise a mail would wait, and only a log would show it."""
    return [
        Error(
            f"OUTBOX_HANDLERS names {path!r}, which is no handler: {reason}",
            hint="Write the dotted path of a taskapi.outbox.handlers.Handler.",
            id="taskapi.E004",
        )
        for path in settings.OUTBOX_HANDLERS.values()
        if (reason := why_no_handler(path))
    ]


def why_no_handler(path: str) -> str:
    try:
        is_one = isinstance(import_string(path), Handler)
    except ImportError as error:
        return str(error)
    return "" if is_one else "it is something else."


@register
def invitations_exist(**options: Any) -> list[CheckMessage]:
    if settings.REGISTRATION != "invited" or settings.REGISTRATION_INVITATIONS:
        return []
    message = "REGISTRATION=invited, but no app has invitations: nobody can register."
    hint = "Set REGISTRATION_INVITATIONS, or REGISTRATION=closed."
    return [Error(message, hint=hint, id="taskapi.E003")]


def why_not_callable(path: str) -> str:
    """Why the dotted path leads to no callable; empty if it does."""
    try:
        return "" if callable(import_string(path)) else "it is not callable."
    except ImportError as error:
        return str(error)


@register(Tags.security, deploy=True)
def num_proxies_is_set(**options: Any) -> list[CheckMessage]:
    # Gunicorn has no certificate: with HTTPS on, a proxy terminates TLS.
    host = os.environ.get("HOST") or "127.0.0.1"
    has_proxy = settings.HTTPS and not is_loopback(host)
    return warn_if(
        has_proxy and not settings.NUM_PROXIES,
        1,
        "HTTPS is on, so there is a proxy, but NUM_PROXIES is 0: all clients would"
        " share the rate limits of the proxy's address.",
        "Set NUM_PROXIES to the number of your proxies that a request passes.",
    )


@register(Tags.security, deploy=True)
def workers_share_memory(**options: Any) -> list[CheckMessage]:
    workers = env_int("WEB_CONCURRENCY", 1)
    return warn_if(
        workers > 1 and not settings.REDIS_URL,
        3,
        f"{workers} workers without REDIS_URL: each counts rate limits for itself.",
        "Set REDIS_URL, or WEB_CONCURRENCY=1.",
    )


@register(Tags.security, deploy=True)
def previous_keys_differ(**options: Any) -> list[CheckMessage]:
    kinds = ["JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET"]
    current = {settings.SECRET_KEY, *(getattr(settings, kind) for kind in kinds)}
    same = [f"{kind}_PREVIOUS" for kind in kinds]
    same = [name for name in same if getattr(settings, name) in current]
    return warn_if(
        bool(same),
        4,
        f"{' and '.join(same)} equals a current key, so no key was rotated.",
        "Give each current variable a new key, or leave the previous one empty.",
    )


@register(Tags.security, deploy=True)
def database_is_not_sqlite(**options: Any) -> list[CheckMessage]:
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
def common_passwords_are_rejected(**options: Any) -> list[CheckMessage]:
    return warn_if(
        not settings.PASSWORD_BLOCKLIST,
        7,
        "PASSWORD_BLOCKLIST is off, so users may choose common passwords.",
        "Remove PASSWORD_BLOCKLIST=false, which the first `serve` writes to .env.",
    )


@register(Tags.security, deploy=True)
def guesses_are_limited(**options: Any) -> list[CheckMessage]:
    limits = {name: settings.RATE_LIMITS[name.lower()] for name in ("AUTH", "LOGIN")}
    lax = [
        f"RATE_LIMIT_{name}"
        for name, limit in limits.items()
        if limit.requests / limit.seconds > MAX_GUESSES_PER_SECOND
    ]
    return warn_if(
        bool(lax),
        9,
        f"{' and '.join(lax)} allow more than 100 guesses of a password in 15 minutes.",
        "Remove the limits, which the first `serve` writes to .env, or lower them.",
    )


@register(Tags.security, deploy=True)
def variables_are_spelt_right(**options: Any) -> list[CheckMessage]:
    misspelt = settings.MISSPELT_VARIABLES.items()
    return warn_if(
        bool(misspelt),
        8,
        "There are no such variables: " + ", ".join(name for name, _ in misspelt),
        "Use " + ", ".join(meant for _, meant in misspelt) + ", or remove them.",
    )
