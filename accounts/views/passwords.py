"""Changing a password, and setting one that was forgotten."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit, passwords, throttles
from accounts import serializers as s
from accounts.auth import sessions
from accounts.views.base import PasswordView, PublicView


class PasswordChangeView(PasswordView):
    @extend_schema(
        operation_id="changePassword",
        request=s.PasswordChangeSerializer,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        """Change the password and end every other session."""
        data = self.validate(s.PasswordChangeSerializer)
        self.require_password(data["currentPassword"])
        try:
            sessions.replace_password(
                self.user, data["newPassword"], keep=self.session_id
            )
        except sessions.InvalidCredentials as error:
            raise AuthenticationFailed("Invalid credentials") from error
        self.record("password_change")
        return Response(status=204)


class PasswordForgotView(PublicView, PasswordView):
    @extend_schema(
        operation_id="forgotPassword",
        request=s.PasswordResetRequestSerializer,
        responses={202: None},
    )
    def post(self, request: Request) -> Response:
        """Mail a reset token if the account exists; the response never reveals it."""
        email = self.validate(s.PasswordResetRequestSerializer)["email"]
        account = throttles.hashed_account(email)
        # Also per account: many addresses must not fill one mailbox.
        if not throttles.count(request._request, "login", f"mail {account}").is_over:
            passwords.request_reset(email)
        audit.record(
            "password_forgot", request._request, account=throttles.hashed_account(email)
        )
        return Response(status=202)


class PasswordResetView(PublicView, PasswordView):
    @extend_schema(
        operation_id="resetPassword",
        request=s.PasswordResetConfirmSerializer,
        responses={204: None, 401: None},
    )
    def post(self, request: Request) -> Response:
        """Set a new password with a mailed token and end every session."""
        try:
            data = self.validate(s.PasswordResetConfirmSerializer)
            passwords.reset(data["user"], data["newPassword"])
        except sessions.InvalidCredentials as error:
            raise AuthenticationFailed(
                "The reset token is invalid or spent."
            ) from error
        audit.record("password_reset", request._request, user_id=data["user"].pk)
        return Response(status=204)
