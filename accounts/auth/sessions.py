"""Signing in, renewing, signing out: flows that span user, session and blacklist.

Each locks the user's row (`UserManager.get_for_update`) first, so that of a refresh and
a logout that run at once one comes first and no token outlives the other.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.auth import blacklist
from accounts.auth.jwt import LogoutToken, RefreshToken
from accounts.models import RevocationReason, Session, User


class InvalidCredentials(Exception):
    """The credentials or the token are not valid, or no longer valid."""


class TokenReused(InvalidCredentials):
    """A spent refresh token was sent again; its session has been revoked."""

    def __init__(self, session: Session) -> None:
        self.session = session


def start(
    user: User, *, user_agent: str, address: str | None, now: datetime
) -> Session:
    """Open a session for a user whose password was just verified.

    Raises InvalidCredentials when the user was deactivated or the password changed
    meanwhile.
    """
    with transaction.atomic():
        try:
            locked = User.objects.get_for_update(user.pk)
        except User.DoesNotExist as error:
            raise InvalidCredentials from error
        if not locked.is_active or locked.password != user.password:
            raise InvalidCredentials
        session = Session.start(locked, user_agent=user_agent, address=address, now=now)
        blacklist.record_outstanding(session)
    return session


def refresh(
    token: RefreshToken, *, now: datetime, limit: Callable[[], None]
) -> Session:
    """Spend a refresh token and return the session whose token is its one successor.

    The previous token, within the grace time, gets the same successor again. Any older
    one ends the session, and that is committed before TokenReused is raised: raising
    inside the transaction would take the revocation back. `limit` counts the request
    against the session, and only once the token is known not to be reused: who spends
    the session's limit must not hide that a token was stolen. `now` is the database's:
    another replica may have written when the session was rotated.
    """
    with transaction.atomic(durable=True):
        session = locked_session(token)
        if not (session.user.is_active and session.is_live(now)):
            raise InvalidCredentials
        replayed = is_reused(session, token["jti"], now)
        if replayed:
            reason = RevocationReason.REPLAY
            session.user.end_sessions(now=now, reason=reason, only=session.pk)
        else:
            limit()
            rotate(session, token["jti"], now)
    if replayed:
        raise TokenReused(session)
    return session


def locked_session(token: RefreshToken) -> Session:
    try:
        user = User.objects.get_for_update(token.user_id)
        session = user.sessions.get(pk=token.session_id)
    except (User.DoesNotExist, Session.DoesNotExist) as error:
        raise InvalidCredentials from error
    session.user = user
    return session


def is_reused(session: Session, jti: str, now: datetime) -> bool:
    """Whether it was spent before, but for the previous one in its grace time."""
    grace = timedelta(seconds=settings.REFRESH_GRACE_SECONDS)
    is_current = jti == session.current_jti
    is_previous = jti == session.token_id(session.generation - 1)
    if is_previous and now - session.rotated_at <= grace:
        return False
    return not is_current or blacklist.is_blacklisted(jti)


def rotate(session: Session, jti: str, now: datetime) -> None:
    """Spend the current token; the previous one gets the same successor again."""
    if jti == session.current_jti:
        blacklist.blacklist([jti], now)
        session.rotate(now=now)
        blacklist.record_outstanding(session)


def revoke(
    user_id: UUID, *, now: datetime, reason: RevocationReason, only: UUID | None = None
) -> int:
    """End all the user's live sessions, or only one. Returns how many."""
    with transaction.atomic():
        user = User.objects.get_for_update(user_id)
        return user.end_sessions(now=now, reason=reason, only=only)


def logout(token: LogoutToken, *, now: datetime) -> None:
    """End the session that any of its refresh tokens names, if it still lives."""
    with suppress(User.DoesNotExist):
        revoke(
            token.user_id,
            now=now,
            reason=RevocationReason.LOGOUT,
            only=token.session_id,
        )


def replace_password(user: User, new_password: str, *, keep: UUID | None) -> None:
    """Store a new password and end every session but `keep`.

    Raises InvalidCredentials when the password changed since `user` was read: a proof
    of the old one no longer counts.
    """
    proved = user.password
    user.set_password(new_password)
    with transaction.atomic():
        if User.objects.get_for_update(user.pk).password != proved:
            raise InvalidCredentials
        user.save(update_fields=["password", "updated_at"], keep_session=keep)
