"""Passwords: the policy, the verification and the reset by mail."""

from contextlib import suppress
from uuid import UUID

from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail

from accounts import rate_limits
from accounts.auth.sessions import InvalidCredentials, replace_password
from accounts.models import User, normalise
from accounts.throttles import hashed_account
from taskapi.api import mail

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


def request_reset(email: str) -> None:
    """Mail a reset token to the user of this address, if the account is active.

    The mail is sent in the background, so that the time of the response does not reveal
    which addresses exist.
    """
    mail.send_in_background("A password reset", mail_reset_token, email)


def mail_reset_token(email: str) -> None:
    with suppress(User.DoesNotExist):
        user = User.objects.get_by_natural_key(email)
        if user.is_active:
            send_reset_token(user)


def send_reset_token(user: User) -> None:
    """Mail the token, or a link if PASSWORD_RESET_URL is set."""
    token = make_reset_token(user)
    url = settings.PASSWORD_RESET_URL
    link = f"To choose a new one, open {url}{token}"
    text = MAIL.format(instruction=link if url else f"The token is: {token}")
    send_mail("Reset your password", text, None, [user.email])


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
