"""Passwords: the policy, the verification and the reset by mail."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.tokens import (
    PasswordResetTokenGenerator,
    default_token_generator,
)
from django.core.mail import EmailMessage

from accounts import rate_limits
from accounts.auth.sessions import InvalidCredentials, replace_password
from accounts.models import User, normalise
from accounts.throttles import hashed_account
from taskapi.api import mail
from taskapi.outbox.models import OutboxMessage

MAX_BYTES = 1024

MAIL = """Somebody asked to reset the password of your account.

{instruction}

It works once, within the next hour. If it was not you, ignore this message.
"""


def verify(email: str, password: str) -> User | None:
    """Return the active user with this e-mail and password, or None. It takes the same
    time for an unknown e-mail, a wrong password and an inactive user.
    """
    try:
        user = User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        # Hashing takes as long as checking the password of a user.
        User().set_password(password)
        return None
    return user if user.check_password(password) and user.is_active else None


def check_policy(password: str, user: User) -> None:
    """Raise Django's ValidationError with every rule that the password breaks."""
    password_validation.validate_password(normalise(password), user)


def make_reset_token(user: User) -> str:
    return f"{user.pk.hex}.{default_token_generator.make_token(user)}"


class RequestedTokenGenerator(PasswordResetTokenGenerator):
    """Makes tokens that are valid from the moment of the request on."""

    def make_token_of(self, user: User, requested_at: datetime) -> str:
        moment = requested_at.astimezone(UTC).replace(tzinfo=None)
        # The same as make_token, which reads the clock.
        return str(
            self._make_token_with_timestamp(
                user,
                self._num_seconds(moment),
                self.secret,
            )
        )


def request_reset(email: str) -> None:
    """Mail a reset token to the user of this address, if the account is active.

    Only the worker looks for the account, so that the time of the response does not
    reveal which addresses exist.
    """
    mail.send_as("password_reset", email=email)


def compose_reset(message: OutboxMessage) -> EmailMessage | None:
    """The token, or a link if PASSWORD_RESET_URL is set; the same at each attempt."""
    try:
        user = User.objects.get_by_natural_key(message.payload["email"])
    except User.DoesNotExist:
        return None
    if not user.is_active:
        return None
    secret = RequestedTokenGenerator().make_token_of(user, message.created_at)
    token, url = f"{user.pk.hex}.{secret}", settings.PASSWORD_RESET_URL
    link = f"To choose a new one, open {url}{token}"
    text = MAIL.format(instruction=link if url else f"The token is: {token}")
    return EmailMessage("Reset your password", text, None, [user.email])


RESET_MAIL = mail.MailHandler(
    compose_reset, timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)
)


def get_user_by_reset_token(token: str) -> User:
    """Return the active user of a reset token; Refused if it is spent or invalid."""
    pk, _, secret = token.partition(".")
    try:
        user = User.objects.get(pk=UUID(hex=pk), is_active=True)
    except (ValueError, User.DoesNotExist) as error:
        raise InvalidCredentials from error
    if not default_token_generator.check_token(user, secret):
        raise InvalidCredentials
    return user


def reset(user: User, new_password: str) -> None:
    """Replace a forgotten password and end every session; Refused if a concurrent reset
    came first.
    """
    replace_password(user, new_password, keep=None)
    # Access to the mail proves ownership, so failed logins no longer count.
    rate_limits.reset("login", hashed_account(user.email))
