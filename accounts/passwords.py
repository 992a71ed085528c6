"""Passwords: the policy, and the ways to prove or replace one."""

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from uuid import UUID

from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.db import connection

from accounts import rate_limits
from accounts.auth.sessions import InvalidCredentials, replace_password
from accounts.models import User, normalise
from accounts.throttles import hashed_account

MAX_BYTES = 1024

logger = logging.getLogger(__name__)
mailer = ThreadPoolExecutor(1, thread_name_prefix="mailer")
pending = BoundedSemaphore(100)

MAIL = """Somebody asked to reset the password of your account.

{how}

It works once, within the next hour. If it was not you, ignore this message.
"""


def verify(email: str, password: str) -> User | None:
    """The active user with this e-mail and password, or None, in the same time for
    unknown e-mail, wrong password and inactive user.
    """
    try:
        user = User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        # Hashing for nobody takes as long as checking for somebody.
        User().set_password(password)
        return None
    return user if user.check_password(password) and user.is_active else None


def check_policy(password: str, user: User) -> None:
    """Raise Django's ValidationError naming every rule that the password breaks."""
    password_validation.validate_password(normalise(password), user)


def reset_token(user: User) -> str:
    return f"{user.pk.hex}.{default_token_generator.make_token(user)}"


def forgot(email: str) -> None:
    """Mail a reset token to the account's owner, if there is an active account.

    In the background: how long the answer takes must not tell which addresses exist.
    """
    if not pending.acquire(blocking=False):
        logger.error("A password reset was not mailed: too many are waiting.")
        return
    mailer.submit(mail_reset_token, email)


def mail_reset_token(email: str) -> None:
    try:
        user = User.objects.get_by_natural_key(email)
        if user.is_active:
            send_reset_token(user)
    except User.DoesNotExist:
        return
    except Exception:
        logger.exception("A password reset could not be mailed.")
    finally:
        pending.release()
        connection.close()


def send_reset_token(user: User) -> None:
    """The token, or a link when PASSWORD_RESET_URL is set."""
    token = reset_token(user)
    url = settings.PASSWORD_RESET_URL
    how = f"To choose a new one, open {url}{token}" if url else f"The token is: {token}"
    send_mail("Reset your password", MAIL.format(how=how), None, [user.email])


def user_of_reset_token(token: str) -> User:
    """The active user of a reset token; InvalidCredentials if it is spent or false."""
    pk, _, secret = token.partition(".")
    try:
        user = User.objects.get(pk=UUID(hex=pk), is_active=True)
    except (ValueError, User.DoesNotExist) as error:
        raise InvalidCredentials from error
    if not default_token_generator.check_token(user, secret):
        raise InvalidCredentials
    return user


def reset(user: User, new_password: str) -> None:
    """Replace a forgotten password and end every session; InvalidCredentials when a
    concurrent reset came first.
    """
    replace_password(user, new_password, keep=None)
    # Whoever reads the account's mail is its owner: strangers' failures stop counting.
    rate_limits.reset("login", hashed_account(user.email))
