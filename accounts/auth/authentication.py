"""Bearer tokens as DRF authentication classes."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import throttles
from accounts.auth.jwt import AccessToken
from accounts.auth.principal import get_principal
from accounts.models import User


class InvalidToken(AuthenticationFailed):
    default_detail = "The access token is invalid, expired or revoked."


class SessionTokenAuthentication(BaseAuthentication):
    """Bearer access tokens (RFC 6750), valid only while their session is live.

    The session and its user are read on every request, so a logout, a deactivation or
    a change of role or password takes effect with the next request, whatever the state
    of Redis.
    """

    def authenticate(self, request: Request) -> tuple[User, AccessToken] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, raw = header.partition(" ")
        if scheme.lower() != "bearer":
            return None
        django_request: Any = request._request
        try:
            token = AccessToken.decode(raw.strip())
        except TokenError as error:
            throttles.limit_address(django_request)
            raise InvalidToken from error
        principal = get_principal(token)
        if principal is None:
            throttles.limit_address(django_request)
            raise InvalidToken
        django_request.user_id = principal.pk  # for the log line
        return principal, token

    def authenticate_header(self, request: Request) -> str:
        # RFC 6750 section 3: no error code for a request that sent no token.
        sent = "HTTP_AUTHORIZATION" in request.META
        return 'Bearer error="invalid_token"' if sent else "Bearer"


class NoAuthentication(BaseAuthentication):
    """For calls that need no token: a token that comes along is ignored."""

    def authenticate(self, request: Request) -> None:
        return None

    def authenticate_header(self, request: Request) -> str:
        # Without a challenge DRF would turn every 401 of the view into 403.
        return "Bearer"
