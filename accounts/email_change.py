"""Changes an e-mail address once a token that was mailed to the new one comes back.

The pending address and the token's hash are in the user's row, so there is one pending
change per user, and the lock on that row decides every race.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.utils.crypto import constant_time_compare

from accounts.auth.sessions import InvalidCredentials
from accounts.errors import EmailTaken
from accounts.models import User
from taskapi.api import mail

TOKEN_BYTES = 32
LIFETIME = timedelta(hours=1)
WHAT = "A change of an e-mail address"

CONFIRM = """Somebody asked to use this address for an account.

{instruction}

It works once, within the next hour, and while signed in to that account. If it was not
you, ignore this message.
"""
TAKEN = """Somebody asked to use this address for an account.

It already belongs to an account, so nothing was changed. If it was you, sign in with
this address, or choose another one.
"""
NOTICE = """Somebody who knows the password of your account asked to change its e-mail
address to {new_email}.

Nothing changes until that is confirmed from the new address. If it was not you, change
your password: that cancels it, and ends all other sessions.
"""
CHANGED = """The e-mail address of your account is now {new_email}.

If you did not change it, contact the operator of this server.
"""


class InvalidToken(Exception):
    """The token is not the one that was mailed last, or it is spent or expired."""


def request(user: User, new_email: str, *, now: datetime) -> str | None:
    """Make the change the user's pending one, in place of any earlier one.

    Returns the token, or None if the address belongs to another account, which then
    has nothing pending. Raises InvalidCredentials when the password changed since
    `user` was read: a proof of the old one no longer counts.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        locked = User.objects.get_for_update(user.pk)
        if locked.password != user.password:
            raise InvalidCredentials
        others = User.objects.exclude(pk=user.pk)
        if others.filter(email__lower=new_email.lower()).exists():
            locked.cancel_email_change()
            return None
        User.objects.filter(pk=user.pk).update(
            pending_email=new_email,
            email_token_hash=hashed(token),
            email_token_expires_at=now + LIFETIME,
        )
    return token


def confirm(user_id: UUID, token: str, *, now: datetime) -> tuple[User, str]:
    """Give the user the pending address; returns the user and the old address.

    Raises InvalidToken, and EmailTaken when another account got the address meanwhile;
    then the token stays valid until it expires.
    """
    try:
        with transaction.atomic():
            user = User.objects.get_for_update(user_id)
            if not is_valid(user, token, now):
                raise InvalidToken
            old_email, user.email = user.email, user.pending_email or user.email
            user.save(update_fields=["email", "updated_at"])
            user.cancel_email_change()
    except IntegrityError as error:
        raise EmailTaken from error
    return user, old_email


def is_valid(user: User, token: str, now: datetime) -> bool:
    expires_at = user.email_token_expires_at
    if not (user.pending_email and user.email_token_hash and expires_at):
        return False
    is_same = constant_time_compare(hashed(token), user.email_token_hash)
    return is_same and now <= expires_at


def hashed(token: str) -> str:
    # The token is random, so a fast hash without a salt is enough.
    return hashlib.sha256(token.encode()).hexdigest()


def mail_token(new_email: str, token: str | None) -> None:
    """Mail the token, a link if EMAIL_CHANGE_URL is set, or that there is none."""
    if token is None:
        send("Your e-mail address", TAKEN, new_email)
        return
    url = settings.EMAIL_CHANGE_URL
    link = f"To confirm that, open {url}{token}"
    instruction = link if url else f"The confirmation token is: {token}"
    send(
        "Confirm your e-mail address",
        CONFIRM.format(instruction=instruction),
        new_email,
    )


def mail_notice(old_email: str, new_email: str) -> None:
    send("Change of your e-mail address", NOTICE.format(new_email=new_email), old_email)


def mail_change(old_email: str, new_email: str) -> None:
    send(
        "Change of your e-mail address", CHANGED.format(new_email=new_email), old_email
    )


def send(subject: str, text: str, to: str) -> None:
    mail.send_in_background(WHAT, send_mail, subject, text, None, [to])
