"""Changes an e-mail address once a token that was mailed to the new one comes back.

The pending address and the token's hash are in the user's row, so there is one pending
change per user, and the lock on that row decides every race.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.utils.crypto import constant_time_compare

from accounts.auth.sessions import InvalidCredentials
from accounts.errors import EmailTaken
from accounts.models import User
from taskapi.api import mail
from taskapi.db import clock
from taskapi.outbox.models import OutboxMessage

NONCE_BYTES = 32
LIFETIME = timedelta(hours=1)

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


def request(
    user: User, new_email: str, *, now: datetime, mails_token: bool = True
) -> str | None:
    """Make the change the user's pending one, in place of any earlier one.

    The mails commit with it: a notice to the old address, and with `mails_token` the
    token to the new one. If that belongs to another account, it is told so instead, and
    the user has nothing pending. Returns the token, if there is one.

    Raises InvalidCredentials when the password changed since `user` was read: a proof
    of the old one no longer counts.
    """
    nonce = secrets.token_urlsafe(NONCE_BYTES)
    token = mail.derive_token("email_change", nonce)
    with transaction.atomic():
        locked = User.objects.get_for_update(user.pk)
        if locked.password != user.password:
            raise InvalidCredentials
        send(locked.email, NOTICE, new_email)
        others = User.objects.exclude(pk=user.pk)
        if others.filter(email__lower=new_email.lower()).exists():
            locked.cancel_email_change()
            if mails_token:
                mail.send("Your e-mail address", TAKEN, new_email)
            return None
        User.objects.filter(pk=user.pk).update(
            pending_email=new_email,
            email_token_hash=hashed(token),
            email_token_expires_at=now + LIFETIME,
        )
        if mails_token:
            mail.send_as("email_change", nonce=nonce)
    return token


def confirm(user_id: UUID, token: str, *, now: datetime) -> User:
    """Give the user the pending address, and mail a notice to the old one.

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
            send(old_email, CHANGED, user.email)
    except IntegrityError as error:
        raise EmailTaken from error
    return user


def is_valid(user: User, token: str, now: datetime) -> bool:
    expires_at = user.email_token_expires_at
    if not (user.pending_email and user.email_token_hash and expires_at):
        return False
    is_same = constant_time_compare(hashed(token), user.email_token_hash)
    return is_same and now <= expires_at


def hashed(token: str) -> str:
    # The token is random, so a fast hash without a salt is enough.
    return hashlib.sha256(token.encode()).hexdigest()


def compose_token(message: OutboxMessage) -> EmailMessage | None:
    """The token, or a link if EMAIL_CHANGE_URL is set; None if the change is cancelled,
    confirmed, expired or replaced by a later one.
    """
    token = mail.derive_token("email_change", message.payload["nonce"])
    pending = User.objects.filter(
        email_token_hash=hashed(token), email_token_expires_at__gte=clock.now()
    )
    new_email = pending.values_list("pending_email", flat=True).first()
    if not new_email:
        return None
    url = settings.EMAIL_CHANGE_URL
    link = f"To confirm that, open {url}{token}"
    text = CONFIRM.format(
        instruction=link if url else f"The confirmation token is: {token}"
    )
    return EmailMessage("Confirm your e-mail address", text, None, [new_email])


def send(old_email: str, text: str, new_email: str) -> None:
    subject = "Change of your e-mail address"
    mail.send(subject, text.format(new_email=new_email), old_email)


TOKEN_MAIL = mail.MailHandler(compose_token, LIFETIME)
