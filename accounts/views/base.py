"""What the views of `/api/auth` share."""

from functools import cached_property
from typing import Any, cast
from uuid import UUID

from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.serializers import BaseSerializer

from accounts import audit, throttles
from accounts.auth.authentication import NoAuthentication, WholeUser
from accounts.auth.jwt import AccessToken
from accounts.models import User
from accounts.reading import Asker, Reading
from taskapi.api.views import StrictView


class AccountView(StrictView):
    """What the calls of `/api/auth` share."""

    def reading(self, asker: Asker) -> Reading:
        self.read = WholeUser(asker.id)
        return self.read

    @property
    def session_id(self) -> UUID:
        return cast(AccessToken, self.request.auth).session_id

    @cached_property
    def caller(self) -> User:
        return self.read.user()

    def record(self, event: str, **facts: Any) -> None:
        """An audit event of the signed-in caller."""
        who = {
            "user_id": self.request.user.pk,
            "session_id": self.session_id,
        }
        audit.record(event, self.request._request, **who, **facts)

    def prove_password(self, password: str) -> None:
        if not self.caller.check_password(password):
            self.record("password_wrong")
            raise AuthenticationFailed("Invalid credentials")

    def input(self, serializer: type[BaseSerializer[Any]]) -> Any:
        instance = serializer(data=self.request.data, context={"view": self})
        instance.is_valid(raise_exception=True)
        return instance.validated_data


class PublicView(AccountView):
    authentication_classes = [NoAuthentication]
    permission_classes = [AllowAny]


class PasswordView(AccountView):
    """Takes a password, so each call counts against the caller's address."""

    throttle_classes = [throttles.AddressThrottle]
