"""What the views of `/api/auth` share."""

from functools import cached_property
from typing import Any, cast
from uuid import UUID

from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.serializers import BaseSerializer

from accounts import audit, throttles
from accounts.auth.authentication import NoAuthentication
from accounts.auth.jwt import AccessToken
from accounts.models import User
from taskapi.api.scopes import SESSION_ONLY
from taskapi.api.views import BaseAPIView


class AccountView(BaseAPIView):
    """A view of the signed-in user's account, for sessions unless it says otherwise."""

    token_scopes = SESSION_ONLY

    @property
    def session_id(self) -> UUID:
        return cast(AccessToken, self.request.auth).session_id

    @property
    def principal(self) -> User:
        return cast(User, self.request.user)

    @cached_property
    def user(self) -> User:
        """The principal with every column; User.DoesNotExist."""
        return User.objects.get(pk=self.principal.pk)

    def record(self, event: str, **facts: Any) -> None:
        """An audit event of the signed-in user."""
        who = {"user_id": self.request.user.pk, "session_id": self.session_id}
        audit.record(event, self.request._request, **who, **facts)

    def require_password(self, password: str) -> None:
        """AuthenticationFailed for a wrong password; Throttled for too many tries."""
        throttles.limit_account(self.request._request, self.user.email)
        if not self.user.check_password(password):
            self.record("password_wrong")
            raise AuthenticationFailed("Invalid credentials")

    def validate(self, serializer: type[BaseSerializer[Any]]) -> Any:
        instance = serializer(data=self.request.data, context={"view": self})
        instance.is_valid(raise_exception=True)
        return instance.validated_data


class PublicView(AccountView):
    authentication_classes = [NoAuthentication]
    permission_classes = [AllowAny]


class PasswordView(AccountView):
    """Takes a password, so each call counts against the client's address."""

    throttle_classes = [throttles.AddressRateThrottle]
