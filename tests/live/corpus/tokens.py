"""Tokens of every other kind than ours."""

import base64
import json
from time import time
from typing import Any
from uuid import uuid4

import jwt
from django.conf import settings

from tests.live.corpus import (
    AUTHORIZATION,
    REFRESH,
    TASKS,
    TOKEN,
    Case,
    case,
    get,
    post,
)

SCHEMES = (
    "", "Bearer", "Bearer ", "Bearer\t~TOKEN~", "Basic YWxpY2U6YQ==", "Basic ~TOKEN~",
    "~TOKEN~", "Token ~TOKEN~", "JWT ~TOKEN~", "Bearer ~TOKEN~ ~TOKEN~",
    "Bearer ~TOKEN~,", "Bearer ~TOKEN~, Bearer ~TOKEN~", "Bearer=~TOKEN~",
    "Bearer: ~TOKEN~", 'Bearer "~TOKEN~"', "BearerX ~TOKEN~", "Digest username=a",
    "Negotiate a", "\xff", "Bearer \xff", "Bearer \xc3\xa9.a.b",
)  # fmt: skip
MANGLED = (
    "a", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d.e", "~TOKEN~.", "~TOKEN~a",
    ".~TOKEN~", "~TOKEN~%00", "null", "undefined", "{}", "eyJ", "a" * 7000, "." * 7000,
    "eyJhbGciOiJub25lIn0.e30.", "~REFRESH~",
)  # fmt: skip


def packed(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def headed(header: Any) -> str:
    """A token with this header, and a signature that is none."""
    return f"{packed(header)}.{packed({'sub': 'a'})}.{packed(b'a' * 32)}"


HEADERS: dict[str, Any] = {
    "alg none": {"alg": "none", "typ": "JWT"},
    "alg NONE": {"alg": "NONE"},
    "alg nothing": {"alg": ""},
    "alg null": {"alg": None},
    "alg a number": {"alg": 1},
    "alg an array": {"alg": ["HS256"]},
    "alg an object": {"alg": {"a": 1}},
    "alg RS256": {"alg": "RS256"},
    "alg HS512": {"alg": "HS512"},
    "alg unknown": {"alg": "x" * 500},
    "no alg": {},
    "kid a path": {"alg": "HS256", "kid": "../../dev/null"},
    "kid SQL": {"alg": "HS256", "kid": "' UNION SELECT 'a"},
    "kid a number": {"alg": "HS256", "kid": 1},
    "jku": {"alg": "HS256", "jku": "http://127.0.0.1:1/jwks"},
    "jwk": {"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}},
    "x5u": {"alg": "HS256", "x5u": "http://127.0.0.1:1/x5u"},
    "crit": {"alg": "HS256", "crit": ["a"]},
    "b64 false": {"alg": "HS256", "b64": False, "crit": ["b64"]},
    "an array": [],
    "text": "a",
    "null": None,
    "deep": b"[" * 3000,
    "NUL": b"\0",
    "no UTF-8": b"\xff\xfe",
    "BOM": b"\xef\xbb\xbf{}",
    "5000 digits": b'{"alg": ' + b"9" * 5000 + b"}",
}


def claims(kind: str) -> dict[str, Any]:
    return {
        "typ": kind,
        "exp": int(time()) + 3600,
        "iat": int(time()) - 10,
        "iss": settings.JWT_ISSUER,
        "aud": settings.JWT_AUDIENCE,
        "jti": uuid4().hex,
        "sub": str(uuid4()),
        "sid": str(uuid4()),
        "role": "USER",
    }


ABSENT = object()
# Signed with our own keys, as nobody but us could: each differs in one claim.
CLAIMS: dict[str, tuple[str, Any]] = {
    "of a session that is not there": ("jti", "a"),
    "without exp": ("exp", ABSENT),
    "exp in the past": ("exp", 1),
    "exp of text": ("exp", "soon"),
    "exp huge": ("exp", 10**400),
    "exp beyond calendars": ("exp", 10**15),
    "exp infinite": ("exp", float("inf")),
    "exp no number": ("exp", float("nan")),
    "exp null": ("exp", None),
    "exp true": ("exp", True),
    "exp an array": ("exp", [1]),
    "nbf in the future": ("nbf", 10**11),
    "nbf infinite": ("nbf", float("inf")),
    "iat in the future": ("iat", 10**11),
    "iat of text": ("iat", "a"),
    "of another issuer": ("iss", "a"),
    "issuer an array": ("iss", ["taskapi"]),
    "for others": ("aud", "a"),
    "audience null": ("aud", None),
    "without a user": ("sub", ABSENT),
    "user a number": ("sub", 1),
    "user with NUL": ("sub", "\0"),
    "user half a character": ("sub", "\ud800"),
    "user an object": ("sub", {"a": 1}),
    "without a session": ("sid", ABSENT),
    "session no UUID": ("sid", "a"),
    "session a number": ("sid", 10**40),
    "session with NUL": ("sid", "\0"),
    "without an id": ("jti", ABSENT),
    "id an array": ("jti", ["a"]),
    "id with NUL": ("jti", "\0"),
    "id very long": ("jti", "a" * 2000),
    "without a kind": ("typ", ABSENT),
    "kind null": ("typ", None),
    "kind an array": ("typ", ["access"]),
    "of another kind": ("typ", "sliding"),
    "role unknown": ("role", "ROOT"),
    "role an array": ("role", ["USER"]),
}


def signed(kind: str, name: str, value: Any) -> str:
    payload = claims(kind) | {name: value}
    kept = {k: v for k, v in payload.items() if v is not ABSENT}
    key = {"access": settings.JWT_ACCESS_SECRET, "refresh": settings.JWT_REFRESH_SECRET}
    return jwt.api_jws.encode(json.dumps(kept).encode(), key[kind], "HS256")


def bearing(value: str) -> bytes:
    message = get(TASKS, f"Authorization: {value}")
    return message.replace(AUTHORIZATION, b"")


def access() -> list[Case]:
    schemes = [
        case(f"scheme {s[:40]!r}", bearing(s), {401, 400}, {401, 400}) for s in SCHEMES
    ]
    tokens = {
        **{f"token {text[:30]}": text for text in MANGLED},
        **{f"token's header: {name}": headed(value) for name, value in HEADERS.items()},
        **{f"token {n}": signed("access", *claim) for n, claim in CLAIMS.items()},
        "token signed for refreshing": signed("refresh", "typ", "access"),
    }
    refused = [case(n, bearing(f"Bearer {text}"), 401) for n, text in tokens.items()]
    spared = [
        case("a token with its padding", bearing(f"Bearer {TOKEN}="), {200, 401}, 401),
        case("a scheme in small letters", bearing(f"bearer {TOKEN}"), 200, 401),
        case("a token that is not asked for", post("/api/auth/login", b"{}"), 400),
    ]
    return [*schemes, *refused, *spared]


def refresh() -> list[Case]:
    tokens = {
        **{f"{name} in its header": headed(value) for name, value in HEADERS.items()},
        **{name: signed("refresh", *claim) for name, claim in CLAIMS.items()},
        "an access token": TOKEN,
        "a refresh token and more": f"{REFRESH}a",
        "nonsense": "a.b.c",
    }
    cases = []
    for name, text in tokens.items():
        body = json.dumps({"refreshToken": text}).encode()
        # An expired one still names the session to end, and that it is not there.
        status = {400} if len(text) > 4096 else {401}
        cases.append(case(f"refresh {name}", post("/api/auth/refresh", body), status))
        done = status | {204}
        cases.append(case(f"logout {name}", post("/api/auth/logout", body), done))
    return cases


CASES = [*access(), *refresh()]
