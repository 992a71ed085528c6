"""`/api/auth`: thin; what may be done is decided in models, sessions and passwords."""

from contextlib import suppress
from functools import cached_property
from typing import Any, cast
from uuid import UUID

from django.db import IntegrityError, transaction
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework_simplejwt.exceptions import TokenError

from accounts import audit, passwords, personal_data, sessions, throttles
from accounts import serializers as s
from accounts.addresses import client_address
from accounts.authentication import NoAuthentication, WholeUser
from accounts.models import EndReason, Session, User
from accounts.reading import Asker, Reading
from accounts.strict import StrictView
from accounts.tokens import AccessToken, LogoutToken, RefreshToken


class EmailTaken(APIException):
    status_code = 409
    default_detail = "This e-mail address is already registered."
    default_code = "conflict"


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


REFUSED = "The refresh token is invalid, expired or revoked."


def start_session(request: Request, user: User) -> Session:
    return sessions.start(
        user,
        user_agent=request.headers.get("User-Agent", ""),
        address=client_address(request._request),
        now=timezone.now(),
    )


def tokens(session: Session) -> dict[str, Any]:
    return {
        "user": s.UserSerializer(session.user).data,
        "accessToken": AccessToken.for_session(session),
        "refreshToken": RefreshToken.for_session(session),
    }


class RegisterView(PublicView):
    throttle_classes = [throttles.AddressThrottle]

    @extend_schema(
        operation_id="register",
        request=s.RegisterSerializer,
        responses={201: s.TokensSerializer, 409: None},
    )
    def post(self, request: Request) -> Response:
        """Make an account and sign in."""
        data = self.input(s.RegisterSerializer)
        try:
            with transaction.atomic():
                user = User.objects.create_user(**data)
                session = start_session(request, user)
        except IntegrityError as error:
            raise EmailTaken from error
        audit.record(
            "register", request._request, user_id=user.pk, session_id=session.pk
        )
        return Response(tokens(session), status=201)


class LoginView(PublicView):
    throttle_classes = [throttles.AddressThrottle]

    @extend_schema(
        operation_id="login",
        request=s.LoginSerializer,
        responses={200: s.TokensSerializer, 401: None},
    )
    def post(self, request: Request) -> Response:
        """Sign in with e-mail and password."""
        data = self.input(s.LoginSerializer)
        # Not before the address's own limit: what that refuses locks nobody out.
        throttles.limit_account(request._request, data["email"])
        session = self.sign_in(data["email"], data["password"])
        audit.record(
            "login_ok", request._request, user_id=session.user_id, session_id=session.pk
        )
        return Response(tokens(session))

    def sign_in(self, email: str, password: str) -> Session:
        # A second try: a concurrent login may have stored a newer hash of the password.
        for _ in range(2):
            user = passwords.verify(email, password)
            if user is None:
                break
            with suppress(sessions.Refused):
                return start_session(self.request, user)
        audit.record(
            "login_failed", self.request._request, account=throttles.account_key(email)
        )
        raise AuthenticationFailed("Invalid credentials")


class RefreshView(PublicView):
    throttle_classes = []  # counted per session, once the token has told which

    @extend_schema(
        operation_id="refresh",
        request=s.RefreshTokenSerializer,
        responses={200: s.TokensSerializer, 401: None},
    )
    def post(self, request: Request) -> Response:
        """Trade a refresh token for its one successor."""
        token = self.token(self.input(s.RefreshTokenSerializer)["refreshToken"])
        throttles.enforce(request._request, "refresh", str(token.session_id))
        try:
            session = sessions.refresh(token, now=timezone.now())
        except sessions.Refused as error:
            event = (
                "replay" if isinstance(error, sessions.Replayed) else "refresh_failed"
            )
            who = {"user_id": token.user_id, "session_id": token.session_id}
            audit.record(event, request._request, **who)
            raise AuthenticationFailed(REFUSED) from error
        return Response(tokens(session))

    def token(self, raw: str) -> RefreshToken:
        try:
            return RefreshToken.read(raw)
        except TokenError as error:
            raise AuthenticationFailed(REFUSED) from error


class LogoutView(PublicView):
    @extend_schema(
        operation_id="logout",
        request=s.RefreshTokenSerializer,
        responses={204: None, 401: None},
    )
    def post(self, request: Request) -> Response:
        """End the session of a refresh token: spent, expired or good, it names it."""
        try:
            token = LogoutToken.read(
                self.input(s.RefreshTokenSerializer)["refreshToken"]
            )
        except TokenError as error:
            raise AuthenticationFailed(REFUSED) from error
        sessions.logout(token, now=timezone.now())
        who = {"user_id": token.user_id, "session_id": token.session_id}
        audit.record("logout", request._request, **who)
        return Response(status=204)


class LogoutAllView(AccountView):
    @extend_schema(operation_id="logoutAll", request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """End every session of the caller, this one included."""
        self.input(s.NothingSerializer)
        sessions.end(self.caller.pk, now=timezone.now(), reason=EndReason.LOGOUT)
        self.record("logout_all")
        return Response(status=204)


class SessionListView(AccountView):
    @extend_schema(operation_id="listSessions", responses=s.SessionListSerializer)
    def get(self, request: Request) -> Response:
        """The caller's live sessions, the last used first."""
        live = self.caller.sessions.live(timezone.now()).order_by("-last_used_at", "id")
        context = {"view": self}
        return Response(
            {"items": s.SessionSerializer(live, many=True, context=context).data}
        )


class SessionView(AccountView):
    @extend_schema(operation_id="endSession", responses={204: None})
    def delete(self, request: Request, pk: UUID) -> Response:
        """End one session of the caller."""
        self.input(s.NothingSerializer)
        get_object_or_404(self.caller.sessions, pk=pk)
        caller = self.caller.pk
        sessions.end(caller, now=timezone.now(), reason=EndReason.REVOKED, only=pk)
        self.record("session_ended", ended=pk)
        return Response(status=204)


class MeView(AccountView):
    @extend_schema(operation_id="getMe", responses=s.UserSerializer)
    def get(self, request: Request) -> Response:
        """The caller."""
        return Response(s.UserSerializer(self.caller).data)

    @extend_schema(
        operation_id="updateMe", request=s.ProfileSerializer, responses=s.UserSerializer
    )
    def patch(self, request: Request) -> Response:
        """Change the caller's name."""
        data = self.input(s.ProfileSerializer)
        return Response(s.UserSerializer(self.caller.rename(data.get("name"))).data)


# Described by those who know what every app holds.
EXPORT = {"$ref": "#/components/schemas/Export"}


class ExportView(AccountView):
    @extend_schema(operation_id="exportMe", responses={200: EXPORT})
    def get(self, request: Request) -> StreamingHttpResponse:
        """Everything held about the caller, streamed as one JSON object."""
        self.record("export")
        chunks = personal_data.stream(self.caller)
        response = StreamingHttpResponse(chunks, content_type="application/json")
        response["Content-Disposition"] = 'attachment; filename="export.json"'
        return response


class EraseView(PasswordView):
    @extend_schema(
        operation_id="eraseMe", request=s.EraseSerializer, responses={204: None}
    )
    def post(self, request: Request) -> Response:
        """Erase the caller's account and everything it owns, for good."""
        self.prove_password(self.input(s.EraseSerializer)["password"])
        personal_data.erase(self.caller)
        self.record("erase")
        return Response(status=204)


class PasswordChangeView(PasswordView):
    @extend_schema(
        operation_id="changePassword",
        request=s.PasswordChangeSerializer,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        """Change the password and end every other session."""
        data = self.input(s.PasswordChangeSerializer)
        self.prove_password(data["currentPassword"])
        try:
            sessions.replace_password(
                self.caller, data["newPassword"], keep=self.session_id
            )
        except sessions.Refused as error:
            raise AuthenticationFailed("Invalid credentials") from error
        self.record("password_change")
        return Response(status=204)


class PasswordForgotView(PublicView, PasswordView):
    @extend_schema(
        operation_id="forgotPassword",
        request=s.ForgotSerializer,
        responses={202: None},
    )
    def post(self, request: Request) -> Response:
        """Mail a reset token, if the account exists; the answer never tells."""
        email = self.input(s.ForgotSerializer)["email"]
        account = throttles.account_key(email)
        # Also per account: many addresses must not fill one mailbox.
        if not throttles.count(request._request, "login", f"mail {account}").is_over:
            passwords.forgot(email)
        audit.record(
            "password_forgot", request._request, account=throttles.account_key(email)
        )
        return Response(status=202)


class PasswordResetView(PublicView, PasswordView):
    @extend_schema(
        operation_id="resetPassword",
        request=s.ResetSerializer,
        responses={204: None, 401: None},
    )
    def post(self, request: Request) -> Response:
        """Set a new password with a mailed token and end every session."""
        try:
            data = self.input(s.ResetSerializer)
            passwords.reset(data["user"], data["newPassword"])
        except sessions.Refused as error:
            raise AuthenticationFailed(
                "The reset token is invalid or spent."
            ) from error
        audit.record("password_reset", request._request, user_id=data["user"].pk)
        return Response(status=204)
