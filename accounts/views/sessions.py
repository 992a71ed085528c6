"""Signing in and out, and the sessions in between."""

from contextlib import suppress
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import TokenError

from accounts import audit, passwords, throttles
from accounts import serializers as s
from accounts.auth import sessions
from accounts.auth.jwt import AccessToken, LogoutToken, RefreshToken
from accounts.models import RevocationReason, Session, User
from accounts.views.base import AccountView, PublicView
from taskapi.api.addresses import client_address
from taskapi.api.headers import IF_MATCH
from taskapi.api.preconditions import BOTH, Precondition, content_tag
from taskapi.api.serializers import EmptySerializer
from taskapi.db import clock

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


class LoginView(PublicView):
    throttle_classes = [throttles.AddressRateThrottle]

    @extend_schema(
        operation_id="login",
        request=s.LoginSerializer,
        responses={200: s.TokenPairSerializer, 401: None},
    )
    def post(self, request: Request) -> Response:
        """Sign in with e-mail and password."""
        data = self.validate(s.LoginSerializer)
        # After the address's own limit: requests over that one lock no account out.
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
            with suppress(sessions.InvalidCredentials):
                return start_session(self.request, user)
        audit.record(
            "login_failed",
            self.request._request,
            account=throttles.hashed_account(email),
        )
        raise AuthenticationFailed("Invalid credentials")


class RefreshView(PublicView):
    throttle_classes = [throttles.CredentialRateThrottle]

    @extend_schema(
        operation_id="refresh",
        request=s.RefreshTokenSerializer,
        responses={200: s.TokenPairSerializer, 401: None},
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for its one successor."""
        token = self.token(self.validate(s.RefreshTokenSerializer)["refreshToken"])
        identity = str(token.session_id)
        limit = partial(throttles.enforce, request._request, "refresh", identity)
        try:
            session = sessions.refresh(token, now=clock.now(), limit=limit)
        except sessions.InvalidCredentials as error:
            event = (
                "replay"
                if isinstance(error, sessions.TokenReused)
                else "refresh_failed"
            )
            who = {"user_id": token.user_id, "session_id": token.session_id}
            audit.record(event, request._request, **who)
            raise AuthenticationFailed(REFUSED) from error
        return Response(tokens(session))

    def token(self, raw: str) -> RefreshToken:
        try:
            return RefreshToken.decode(raw)
        except TokenError as error:
            raise AuthenticationFailed(REFUSED) from error


class LogoutView(PublicView):
    throttle_classes = [throttles.CredentialRateThrottle]

    @extend_schema(
        operation_id="logout",
        request=s.RefreshTokenSerializer,
        responses={204: None, 401: None},
    )
    def post(self, request: Request) -> Response:
        """End the session of a refresh token, which may be spent or expired."""
        try:
            token = LogoutToken.decode(
                self.validate(s.RefreshTokenSerializer)["refreshToken"]
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
        """End every session of the user, this one included."""
        self.validate(EmptySerializer)
        sessions.revoke(
            self.principal.pk, now=timezone.now(), reason=RevocationReason.LOGOUT
        )
        self.record("logout_all")
        return Response(status=204)


class SessionListView(AccountView):
    @extend_schema(operation_id="listSessions", responses=s.SessionListSerializer)
    def get(self, request: Request) -> Response:
        """List the user's live sessions, the last used first."""
        live = self.principal.sessions.live(timezone.now()).order_by(
            "-last_used_at", "id"
        )
        context = {"view": self}
        return Response(
            {"items": s.SessionSerializer(live, many=True, context=context).data}
        )


class SessionView(AccountView):
    preconditions: ClassVar[dict[str, frozenset[str]]] = {"delete": BOTH}

    @extend_schema(
        operation_id="endSession",
        parameters=[IF_MATCH],
        responses={204: None, 412: None},
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """End one session of the user."""
        self.validate(EmptySerializer)
        session = get_object_or_404(self.principal.sessions, pk=pk)
        current = s.SessionSerializer(session, context={"view": self}).data
        expects = Precondition.from_request(request._request)
        expects.require(content_tag(current), current)
        caller = self.principal.pk
        sessions.revoke(
            caller, now=timezone.now(), reason=RevocationReason.REVOKED, only=pk
        )
        self.record("session_ended", ended=pk)
        return Response(status=204)
