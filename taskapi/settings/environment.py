"""Parses and validates the variables of the environment."""

import re
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from email.utils import parseaddr
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, cast

import dj_database_url
import dj_email_url
from django.core.exceptions import ImproperlyConfigured
from environs import EnvValidationError, FileAwareEnv, ValidationError
from redis.connection import parse_url as parse_redis_url

from taskapi.api.rate_limit import RateLimit
from taskapi.settings.host_names import explain

# Those that gunicorn.conf.py reads.
SERVER_VARIABLES = {
    *("HOST", "PORT", "WEB_CONCURRENCY", "WORKER_CPU_PINNING", "DRAIN_SECONDS"),
    "KEEPALIVE_SECONDS",
}
MIN_SIMILARITY = 0.8  # of a misspelt name to the right one, by difflib's measure

APP_SCHEMES = (
    "app|capacitor|ionic|tauri|chrome-extension|moz-extension|safari-web-extension"
    "|vscode-webview"
)
ORIGIN = rf"(https?|{APP_SCHEMES})://[^/*\s@?#A-Z]+"


def secret(minimum: int, value: str) -> None:
    """Reject a key that is short or has few distinct characters (RFC 7518, 3.2)."""
    if len(value.encode()) < minimum or len(set(value)) < 10:
        raise ValidationError(
            f"Needs at least {minimum} random bytes; make one with: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )


def origins(values: list[str]) -> None:
    """Reject what no browser sends as Origin (RFC 6454 section 6.2).

    That is scheme://host[:port] in lower case, without a default port. Apps and
    extensions have schemes of their own.
    """
    for value in values:
        is_default_port = re.fullmatch(r"(http://.*:80|https://.*:443)", value)
        if not re.fullmatch(ORIGIN, value) or is_default_port:
            hint = (
                "is not an origin such as https://app.example.com, as browsers send "
                "it: lower case, no path, no default port. Apps have capacitor://, "
                "ionic://, tauri:// and the like, extensions chrome-extension://<id>."
            )
            raise ValidationError(f"{value!r} {hint}")


def hosts(values: list[str]) -> None:
    """Reject what is no host name by itself: it would match no Host header."""
    if errors := [error for value in values if (error := explain(value))]:
        raise ValidationError(" ".join(errors))


def mail_sender(value: str) -> None:
    if "@" not in parseaddr(value)[1]:
        raise ValidationError("Use tasks@example.com or: Task API <tasks@example.com>.")


def link(value: str) -> None:
    if value and not re.match(r"https?://[^/\s]", value):
        raise ValidationError(
            "Use a whole URL, such as https://app.example.com/reset?token="
        )


def redis_url(value: str) -> None:
    """Reject what redis-py would reject when it connects, after the start."""
    if not re.match(r"(rediss?|unix)://", value):
        raise ValidationError("Use redis://, rediss:// or unix://.")
    try:
        parse_redis_url(value)  # type: ignore[no-untyped-call]
    except ValueError:
        raise ValidationError("Not a valid Redis URL.") from None


def otlp_url(url: str) -> None:
    if not re.match(r"https?://[^/\s]", url):
        raise ValidationError("Use http:// or https://.")
    if not find_spec("opentelemetry"):
        install = f"{sys.executable} -m pip install -r requirements-tracing.txt"
        raise ValidationError(f"Tracing needs: {install}")


def limit(text: str) -> RateLimit:
    try:
        return RateLimit.parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def networks(text: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(each.strip()) for each in text.split(",") if each.strip()]
    except ValueError as error:
        raise ValidationError(f"{error}. Use 10.1.0.0/16,fd00::/8.") from None


def database(text: str) -> Any:
    if not re.match(r"(postgres(ql)?|sqlite)://", text):
        raise ValidationError("Use postgres:// (production) or sqlite:// (for trials).")
    try:
        found = dj_database_url.parse(text)
    except ValueError:
        raise ValidationError("Not a valid database URL.") from None
    if found["ENGINE"].endswith(".postgresql"):
        found["ENGINE"] = "taskapi.db.postgresql"
    return found


def email(text: str) -> Any:
    try:
        found = dj_email_url.parse(text) | {"EMAIL_TIMEOUT": 10}
    except ValueError:
        raise ValidationError("Not a valid e-mail URL.") from None
    if "EMAIL_BACKEND" not in found:
        raise ValidationError("Use smtp://, submission:// or console://.")
    return found


class Environment(FileAwareEnv):
    """Collects all errors; an empty variable counts as unset."""

    def __init__(self) -> None:
        super().__init__(eager=False, strip_whitespace=True)
        self.known = set(SERVER_VARIABLES)
        for parser in (limit, database, email, networks):
            self.add_parser(parser.__name__, parser)

    def _get_value(self, env_key: str, default: Any) -> Any:
        self.known.add(env_key)
        try:
            value = super()._get_value(env_key, default)
        except (OSError, ValueError):
            self.reject(env_key, f"{env_key}_FILE is not a readable text file.")
            return default
        return default if value == "" else value

    def reject(self, name: str, reason: str) -> None:
        self._errors[name].append(reason)

    def reject_misspelt(self, names: Iterable[str]) -> None:
        for name, meant in self.misspelt(names):
            self.reject(name, f"There is no such variable. Is {meant} meant?")

    def misspelt(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The names that are almost those of variables, and what they almost are."""
        known = self.known | {f"{name}_FILE" for name in self.known}
        for name in sorted(set(names) - known):
            near = get_close_matches(name.upper(), known, 1, MIN_SIMILARITY)
            yield from ((name, meant) for meant in near)

    def raise_if_invalid(self) -> None:
        """Raise ImproperlyConfigured, which lists all errors."""
        try:
            self.seal()
        except EnvValidationError as error:
            lines = [
                f"  {name}: {' '.join(map(str, messages))}"
                for name, messages in cast(
                    dict[str, list[str]], error.error_messages
                ).items()
            ]
            raise ImproperlyConfigured(
                "Bad settings in the environment:\n" + "\n".join(lines)
            ) from None
