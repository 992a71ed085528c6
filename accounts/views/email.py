"""Changing the e-mail address."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import email_change, throttles
from accounts import serializers as s
from accounts.auth.sessions import InvalidCredentials
from accounts.views.base import AccountView, PasswordView


class EmailChangeView(PasswordView):
    @extend_schema(
        operation_id="changeEmail",
        request=s.EmailChangeSerializer,
        responses={202: None},
    )
    def post(self, request: Request) -> Response:
        """Mail a token to a new address; the old one stays until it is confirmed."""
        data = self.validate(s.EmailChangeSerializer)
        self.require_password(data["password"])
        new_email = data["newEmail"]
        account = throttles.hashed_account(new_email)
        # Per mailbox, as for resets: nobody fills a stranger's.
        status = throttles.count(request._request, "login", f"mail {account}")
        try:
            email_change.request(
                self.user,
                new_email,
                now=timezone.now(),
                mails_token=not status.is_over,
            )
        except InvalidCredentials as error:
            raise AuthenticationFailed("Invalid credentials") from error
        self.record("email_change_requested")
        return Response(status=202)


class EmailConfirmView(AccountView):
    @extend_schema(
        operation_id="confirmEmail",
        request=s.EmailConfirmSerializer,
        responses={200: s.UserSerializer, 409: None},
    )
    def post(self, request: Request) -> Response:
        """Change the e-mail address to the one that the token was mailed to."""
        token = self.validate(s.EmailConfirmSerializer)["token"]
        try:
            user = email_change.confirm(self.principal.pk, token, now=timezone.now())
        except email_change.InvalidToken as error:
            message = "The token is invalid, spent or expired."
            raise AuthenticationFailed(message) from error
        self.record("email_change")
        return Response(s.UserSerializer(user).data)
