from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import throttles
from accounts.auth.jwt import AccessToken
from accounts.models import Session, User
from accounts.reading import Along, Prepared, Reading, Statement, keep_hint

# Stand for the values of a request in a statement made once.
SOME_ID, OTHER_ID, SOME_ROLE = UUID(int=1), UUID(int=2), "role"
SOME_TIME = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Caller:
    """The user whose session lives, as far as every request needs to know it."""

    pk: UUID
    # As it was when the statement began that reads what the request asks for.
    revision: int
    is_authenticated = True


class WholeUser(Reading):
    """Everything about the caller, for the views that show or change it."""

    def __init__(self, pk: UUID) -> None:
        self.pk = pk

    def along(self) -> tuple[Along, Mapping[str, Any]]:
        return along_user(), {"whole": self.pk}

    def user(self) -> User:
        [row] = self.rows
        values = dict(zip(USER, user_query().row(row), strict=True)) | {"id": self.pk}
        return User.from_db("default", USER, [*values.values()])


USER = [field.attname for field in User._meta.concrete_fields]


@cache
def user_query() -> Prepared:
    return Prepared(User.objects.filter(pk=SOME_ID).values_list(*USER), whole=SOME_ID)


@cache
def along_user() -> Along:
    return Along(user_query().fragment)


class SessionTokenAuthentication(BaseAuthentication):
    """Bearer access tokens (RFC 6750), good only while their session lives.

    The session and its user are read on every request, so a logout, a deactivation or
    a change of role or password takes effect with the next request, whatever the state
    of Redis. What the view reads is read along (`accounts.reading`).
    """

    def authenticate(self, request: Request) -> tuple[Caller, AccessToken] | None:
        header = request._request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, raw = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            token = AccessToken.read(raw.strip())
        except TokenError as error:
            raise InvalidToken from error
        caller = self.caller(request, token)
        # For the request's log line.
        request._request.user_id = token.asker.key  # type: ignore[attr-defined]
        return caller, token

    def caller(self, request: Request, token: AccessToken) -> Caller:
        view: Any = request.parser_context["view"]
        reading = view.reading(token.asker)
        usage = throttles.count_caller(request, view, token.asker.key, reading)
        wanted = None if usage and usage.is_over else reading
        caller = read_session(token, wanted)
        if caller is None:
            throttles.forgive(token.asker.key, usage)
            raise InvalidToken
        return caller

    def authenticate_header(self, request: Request) -> str:
        # RFC 6750 section 3: no error code for a request that sent no token.
        sent = "HTTP_AUTHORIZATION" in request.META
        return 'Bearer error="invalid_token"' if sent else "Bearer"


@cache
def session_query() -> Prepared:
    """The session of a token while it lives, and its user may act as the token says."""
    good = Session.objects.live(SOME_TIME).filter(
        pk=SOME_ID, user=OTHER_ID, user__is_active=True, user__role=SOME_ROLE
    )
    return Prepared(
        good.values_list("last_used_at", "user__revision"),
        session=SOME_ID,
        user=OTHER_ID,
        role=SOME_ROLE,
        now=SOME_TIME,
    )


@lru_cache(maxsize=256)
def statement(along: Along | None) -> Statement:
    return Statement(session_query().fragment, along)


def read_session(token: AccessToken, reading: Reading | None) -> Caller | None:
    """Whose token it is, if its session lives; and the rows of `reading`."""
    if reading is None:
        return read_along(token, None)
    known = reading.known()
    if known is not None and reading.hint in (None, b"%d" % known):
        # Such a statement needs no planning. One that may read a page does, each time,
        # and that takes longer than all else.
        caller = read_along(token, None)
        if caller is None or caller.revision == known:
            return caller
    caller = read_along(token, reading)
    if caller and reading.hint not in (None, b"%d" % caller.revision):
        keep_hint(token.asker.key, caller.revision)
    return caller


def read_along(token: AccessToken, reading: Reading | None) -> Caller | None:
    """In one statement: the rows are those of the revision."""
    now = timezone.now()
    along, values = reading.along() if reading else (None, {})
    mine = {
        "session": token.session_id,
        "user": token.user_id,
        "role": token.payload["role"],
        "now": now,
    }
    rows = statement(along).rows({**values, **mine})
    if not rows:
        return None
    last_used_at, revision = session_query().row(rows[0][:2])
    if reading:
        reading.rows = [row[2:] for row in rows]
    Session.touch(token.session_id, last_used_at, now)
    return Caller(token.user_id, revision)


class NoAuthentication(BaseAuthentication):
    """For calls that need no token: whatever token comes along is not looked at."""

    def authenticate(self, request: Request) -> None:
        return None

    def authenticate_header(self, request: Request) -> str:
        # Without a challenge DRF would turn every 401 of the view into 403.
        return "Bearer"


class InvalidToken(AuthenticationFailed):
    default_detail = "The access token is invalid, expired or revoked."
