from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts.models import Session, User
from accounts.tokens import AccessToken


class SessionTokenAuthentication(BaseAuthentication):
    """Bearer access tokens (RFC 6750), good only while their session lives.

    The session and its user are read in one query on every request, so a logout, a
    deactivation or a change of role or password takes effect with the next request,
    whatever the state of Redis.
    """

    def authenticate(self, request: Request) -> tuple[User, Session] | None:
        scheme, _, raw = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        session = self.live_session(raw.strip())
        session.touch(timezone.now())
        # For the request's log line.
        request._request.user_id = session.user_id  # type: ignore[attr-defined]
        return session.user, session

    def live_session(self, raw: bytes) -> Session:
        try:
            token = AccessToken.read(raw)
            session = Session.objects.select_related("user").get(pk=token.session_id)
        except (TokenError, Session.DoesNotExist) as error:
            raise InvalidToken from error
        standing = (str(session.user_id), session.user.role)
        if not session.is_live(timezone.now()) or not session.user.is_active:
            raise InvalidToken
        if standing != (str(token.user_id), token["role"]):
            raise InvalidToken
        return session

    def authenticate_header(self, request: Request) -> str:
        # RFC 6750 section 3: no error code for a request that sent no token.
        sent = "HTTP_AUTHORIZATION" in request.META
        return 'Bearer error="invalid_token"' if sent else "Bearer"


class NoAuthentication(BaseAuthentication):
    """For calls that need no token: whatever token comes along is not looked at."""

    def authenticate(self, request: Request) -> None:
        return None

    def authenticate_header(self, request: Request) -> str:
        # Without a challenge DRF would turn every 401 of the view into 403.
        return "Bearer"


class InvalidToken(AuthenticationFailed):
    default_detail = "The access token is invalid, expired or revoked."
