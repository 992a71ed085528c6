"""Access and refresh tokens, minted and verified by SimpleJWT; each kind has its keys.

RFC 7519 claims, HS256 only. Nothing here touches the database or HTTP.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any, Self, cast
from uuid import UUID

import jwt
from django.conf import settings
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)
from rest_framework_simplejwt.tokens import Token
from rest_framework_simplejwt.utils import datetime_to_epoch

from accounts.models import Role, Session


class KeyringBackend(TokenBackend):
    """Signs with the current key; verifies with it or, while keys are being
    rotated, with the previous one.
    """

    def __init__(self, current: str, previous: str | None, leeway: timedelta) -> None:
        self.previous = KeyringBackend(previous, None, leeway) if previous else None
        super().__init__(
            "HS256",
            current,
            audience=settings.JWT_AUDIENCE,
            issuer=settings.JWT_ISSUER,
            leeway=leeway,
        )

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        try:
            return self.decode_with_current_key(token, verify)
        except TokenBackendError:
            if self.previous is None:
                raise
            return self.previous.decode(token, verify)

    def decode_with_current_key(self, token: Any, verify: bool) -> dict[str, Any]:
        """SimpleJWT's own, but `iat` rejects nothing (RFC 7519 section 4.1.6): the
        clock of the replica that minted the token may be ahead of this one's.
        """
        options: Any = {"verify_signature": verify, "verify_iat": False}
        try:
            return jwt.decode(
                token,
                self.get_verifying_key(token),
                algorithms=[self.algorithm],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.get_leeway(),
                options=options,
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("Token is expired") from error
        except jwt.InvalidTokenError as error:
            raise TokenBackendError("Token is invalid") from error


@cache
def backend(kind: str, leeway: timedelta = timedelta(0)) -> KeyringBackend:
    name = f"JWT_{kind.upper()}_SECRET"
    current, previous = getattr(settings, name), getattr(settings, f"{name}_PREVIOUS")
    return KeyringBackend(current, previous, leeway)


class SessionToken(Token):
    """A token that names its user (`sub`) and session (`sid`)."""

    def get_token_backend(self) -> TokenBackend:
        return backend(str(self.token_type))

    def verify(self) -> None:
        try:
            super().verify()
            self.user_id, self.session_id = UUID(self["sub"]), UUID(self["sid"])
        # OverflowError: an `exp` that no calendar holds.
        except (
            AttributeError,
            KeyError,
            OverflowError,
            TypeError,
            ValueError,
        ) as error:
            raise TokenError("Token names no session") from error

    @classmethod
    def decode(cls, raw: str | bytes) -> Self:
        """The verified token; TokenError for a wrong signature, kind or time."""
        return cls(cast(Any, raw))

    @classmethod
    def encode(cls, session: Session, claims: Mapping[str, Any]) -> str:
        token = cls()
        owner = {"sub": str(session.user_id), "sid": str(session.pk)}
        token.payload.update(owner | dict(claims))
        return str(token)


class AccessToken(SessionToken):
    """Valid for minutes, for one session and for the role that its user has."""

    token_type = "access"
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)

    @classmethod
    def decode(cls, raw: str | bytes) -> "AccessToken":
        """The verified token, not to be modified; TokenError if it is not valid."""
        token = verify_cached(raw, backend("access"))
        # Everything else about a token stays as it was verified.
        if token["exp"] <= simplejwt.aware_utcnow().timestamp():  # type: ignore[attr-defined]
            raise TokenError("Token is expired")
        return token

    def verify(self) -> None:
        super().verify()
        if self.get("role") not in Role.values:
            raise TokenError("Token has no role")

    @classmethod
    def for_session(cls, session: Session) -> str:
        return cls.encode(session, {"role": session.user.role})


@lru_cache(maxsize=4096)
def verify_cached(raw: str | bytes, keys: KeyringBackend) -> AccessToken:
    """A token that these keys have signed; verifying it again would cost more."""
    return AccessToken(cast(Any, raw))


class RefreshToken(SessionToken):
    """Valid for one refresh; a session and rotation always give the same bytes."""

    token_type = "refresh"
    lifetime = timedelta(days=settings.REFRESH_TOKEN_DAYS)

    @classmethod
    def for_session(cls, session: Session) -> str:
        times = {
            "iat": datetime_to_epoch(session.rotated_at),
            "exp": datetime_to_epoch(session.idle_until),
        }
        return cls.encode(
            session, {"jti": session.token_id(session.generation), **times}
        )


class LogoutToken(RefreshToken):
    """Any refresh token of a session that may still be live, expired or not: its
    holder may end the session.
    """

    def get_token_backend(self) -> TokenBackend:
        return backend("refresh", timedelta(days=settings.SESSION_DAYS))
