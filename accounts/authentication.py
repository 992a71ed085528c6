from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, connections
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import throttles
from accounts.models import Session, User
from accounts.reading import Prepared, Reading, along
from accounts.tokens import AccessToken

SESSION = [field.attname for field in Session._meta.concrete_fields]
USER = [field.attname for field in User._meta.concrete_fields]
SOME_ID = UUID(int=1)


class SessionTokenAuthentication(BaseAuthentication):
    """Bearer access tokens (RFC 6750), good only while their session lives.

    The session and its user are read on every request, so a logout, a deactivation or
    a change of role or password takes effect with the next request, whatever the state
    of Redis. What the view reads is read along (`accounts.reading`).
    """

    def authenticate(self, request: Request) -> tuple[User, Session] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, raw = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            token = AccessToken.read(raw.strip())
        except TokenError as error:
            raise InvalidToken from error
        session = self.live_session(request, token)
        session.touch(timezone.now())
        # For the request's log line.
        request._request.user_id = session.user_id  # type: ignore[attr-defined]
        return session.user, session

    def live_session(self, request: Request, token: AccessToken) -> Session:
        view: Any = request.parser_context["view"]
        reading = view.reading(token.user_id)
        usage = throttles.count_caller(request, view, token.user_id, reading)
        wanted = None if usage and usage.is_over else reading
        session = read_session(token.session_id, wanted)
        if session is None or not is_good(session, token):
            throttles.forgive(token.user_id, usage)
            raise InvalidToken
        return session

    def authenticate_header(self, request: Request) -> str:
        # RFC 6750 section 3: no error code for a request that sent no token.
        sent = "HTTP_AUTHORIZATION" in request.META
        return 'Bearer error="invalid_token"' if sent else "Bearer"


@cache
def session_query() -> Prepared:
    users = [f"user__{name}" for name in USER]
    sessions = Session.objects.filter(pk=SOME_ID).values_list(*SESSION, *users)
    return Prepared(sessions, session=SOME_ID)


def read_session(session_id: UUID, reading: Reading | None) -> Session | None:
    """The session with its user, and the rows of `reading`, in one statement."""
    query = session_query()
    fragment = query({"session": session_id})
    sql, params = along(fragment, reading) if reading else fragment
    with planned_anew(reading), connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows = cursor.fetchall()
    if not rows:
        return None
    width = len(SESSION) + len(USER)
    if reading:
        reading.rows = [row[width:] for row in rows]
    known = query.row(rows[0][:width])
    session = Session.from_db("default", SESSION, known[: len(SESSION)])
    session.user = User.from_db("default", USER, known[len(SESSION) :])
    return session


@contextmanager
def planned_anew(reading: Reading | None) -> Iterator[None]:
    """Have the statement planned for its values, not as it was for others' values."""
    if reading is None or not reading.is_planned_anew:
        yield
        return
    database: Any = connections["default"]
    database.is_preparing = False
    try:
        yield
    finally:
        database.is_preparing = True


def is_good(session: Session, token: AccessToken) -> bool:
    standing = (session.user_id, session.user.role)
    return (
        session.is_live(timezone.now())
        and session.user.is_active
        and standing == (token.user_id, token["role"])
    )


class NoAuthentication(BaseAuthentication):
    """For calls that need no token: whatever token comes along is not looked at."""

    def authenticate(self, request: Request) -> None:
        return None

    def authenticate_header(self, request: Request) -> str:
        # Without a challenge DRF would turn every 401 of the view into 403.
        return "Bearer"


class InvalidToken(AuthenticationFailed):
    default_detail = "The access token is invalid, expired or revoked."
