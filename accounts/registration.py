"""Creates accounts for strangers, as far as settings.REGISTRATION lets them in.

Invitations belong to another app, which names a function in
settings.REGISTRATION_INVITATIONS. It is called in the transaction that creates the
account, before that, with the token and the e-mail address that register got. It locks
the invitation, so that of two registrations with one token the second waits, and
returns None if the invitation does not exist or is spent, expired or not for this
address; otherwise a function that accepts it for the user who was created. If that
fails, there is no account, and the invitation is as before.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.utils.module_loading import import_string

from accounts.errors import (
    EmailTaken,
    InvitationInvalid,
    InvitationRequired,
    RegistrationClosed,
)
from accounts.models import User

Accept = Callable[[User], None]
Find = Callable[[str, str], Accept | None]


def require_open() -> None:
    """RegistrationClosed, whatever was sent."""
    if settings.REGISTRATION == "closed":
        raise RegistrationClosed


def register(*, invitation_token: str | None = None, **fields: Any) -> User:
    """Create an account, and accept the invitation if there is one.

    Call in a transaction that also does what belongs to it. Raises EmailTaken, or why
    the invitation is not good enough: before an address is looked up, so that nobody
    without an invitation learns which are taken.
    """
    require_open()
    if not invitation_token and settings.REGISTRATION == "invited":
        raise InvitationRequired
    accept = find(invitation_token, fields["email"])
    try:
        user = User.objects.create_user(**fields)
    except IntegrityError as error:
        raise EmailTaken from error
    if accept:
        accept(user)
    return user


def find(token: str | None, email: str) -> Accept | None:
    """What accepts the invitation; None without a token. Raises InvitationInvalid."""
    if not token:
        return None
    path = settings.REGISTRATION_INVITATIONS
    finder: Find | None = import_string(path) if path else None
    accept = finder(token, email) if finder else None
    if accept is None:
        raise InvitationInvalid
    return accept
