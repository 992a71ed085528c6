"""Bearer tokens as DRF authentication classes."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import throttles
from accounts.auth import personal_tokens
from accounts.auth.jwt import AccessToken
from accounts.auth.principal import get_principal
from accounts.models import PersonalToken, User
from taskapi.api.scopes import InsufficientScope, is_granted, needed_scope


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
        raw = raw.strip()
        if scheme.lower() != "bearer" or raw.startswith(personal_tokens.PREFIX):
            return None
        django_request: Any = request._request
        try:
            token = AccessToken.decode(raw)
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


class PersonalTokenAuthentication(BaseAuthentication):
    """Personal tokens, for the operations that declare their scope.

    What the view declares (taskapi.api.scopes) is required here and not by a permission
    class: a view with permissions of its own must not open to every token.
    """

    def authenticate(self, request: Request) -> tuple[User, PersonalToken] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, raw = header.partition(" ")
        raw = raw.strip()
        if scheme.lower() != "bearer" or not raw.startswith(personal_tokens.PREFIX):
            return None
        django_request: Any = request._request
        found = personal_tokens.get_principal(raw)
        if found is None:
            throttles.limit_address(django_request)
            raise InvalidToken
        django_request.user_id = found[0].pk  # for the log line
        require_scope(request, *found)
        return found


def require_scope(request: Request, user: User, token: PersonalToken) -> None:
    """InsufficientScope; Throttled, since a refused request counts, too."""
    view, method = request.parser_context["view"], str(request.method).lower()
    # Other methods are answered with those that there are, by 204 or 405.
    if method != "options" and hasattr(view, method):
        needed = needed_scope(view, method)
        if not is_granted(needed, token.scopes):
            throttles.limit_token(request._request, user)
            raise InsufficientScope(needed)


class NoAuthentication(BaseAuthentication):
    """For calls that need no token: a token that comes along is ignored."""

    def authenticate(self, request: Request) -> None:
        return None

    def authenticate_header(self, request: Request) -> str:
        # Without a challenge DRF would turn every 401 of the view into 403.
        return "Bearer"
