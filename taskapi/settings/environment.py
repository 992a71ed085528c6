"""Parses and validates the variables of the environment."""

import re
from importlib.util import find_spec
from typing import Any, cast

import dj_database_url
import dj_email_url
from django.core.exceptions import ImproperlyConfigured
from environs import EnvValidationError, FileAwareEnv, ValidationError

from taskapi.api.rate_limit import RateLimit

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
    if "*" in values:
        raise ValidationError("List the hosts; * would accept any Host header.")


def otlp_url(url: str) -> None:
    if not re.match(r"https?://[^/\s]", url):
        raise ValidationError("Use http:// or https://.")
    if not find_spec("opentelemetry"):
        raise ValidationError("Tracing needs: pip install -r requirements-tracing.txt")


def limit(text: str) -> RateLimit:
    try:
        return RateLimit.parse(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


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
        for parser in (limit, database, email):
            self.add_parser(parser.__name__, parser)

    def _get_value(self, env_key: str, default: Any) -> Any:
        try:
            value = super()._get_value(env_key, default)
        except (OSError, ValueError):
            self.reject(env_key, f"{env_key}_FILE is not a readable text file.")
            return default
        return default if value == "" else value

    def reject(self, name: str, reason: str) -> None:
        self._errors[name].append(reason)

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
