"""Personal tokens: made, recognised, and exchanged for the user on each request.

`tka_`, 160 random bits in base32, and a checksum, by which a mistyped token is refused
without asking the database, and by which scanners find tokens in what was published.
"""

import re
import secrets
from base64 import b32encode
from collections.abc import Collection
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any
from uuid import UUID
from zlib import crc32

from django.conf import settings
from django.db.models import BooleanField, CharField, DateTimeField
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.auth.principal import PRINCIPAL_COLUMNS
from accounts.auth.sessions import InvalidCredentials
from accounts.errors import TooManyTokens
from accounts.models import PersonalToken, User
from accounts.models.sessions import MINUTE
from taskapi.db.compiled import CompiledQuery, Placeholder

PREFIX = "tka_"
SECRET_BYTES = 20
PATTERN = re.compile(r"(tka_[a-z2-7]{32})([a-z2-7]{7})")
TOKEN_COLUMNS = ("id", "scopes", "project_ids", "last_used_at")


def make_token() -> str:
    unchecked = PREFIX + base32(secrets.token_bytes(SECRET_BYTES))
    return unchecked + checksum(unchecked)


def checksum(unchecked: str) -> str:
    return base32(crc32(unchecked.encode()).to_bytes(4, "big"))


def base32(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()


def is_well_formed(raw: str) -> bool:
    found = PATTERN.fullmatch(raw)
    return found is not None and checksum(found[1]) == found[2]


def hashed(token: str) -> str:
    # The token is random, so a fast hash without a salt is enough.
    return sha256(token.encode()).hexdigest()


@cache
def token_query() -> CompiledQuery:
    """The token while it is valid and its user may sign in."""
    now = Placeholder("now", DateTimeField())
    tokens = PersonalToken.objects.live(now).filter(
        token_hash=Placeholder("hash", CharField()),
        user__is_active=Placeholder("active", BooleanField()),
    )
    users = [f"user__{name}" for name in PRINCIPAL_COLUMNS]
    return CompiledQuery.compile(tokens.values_list(*TOKEN_COLUMNS, *users))


def get_principal(raw: str) -> tuple[User, PersonalToken] | None:
    """The user of a token, as the token allows, and the token; costs one statement,
    and none for what is no token.
    """
    if not is_well_formed(raw):
        return None
    now = timezone.now()
    values = {"hash": hashed(raw), "active": True, "now": now}
    rows = token_query().rows(values)
    if not rows:
        return None
    row = rows[0]
    size = len(TOKEN_COLUMNS)
    token = PersonalToken.from_db("default", TOKEN_COLUMNS, row[:size])
    if token.last_used_at is None or now - token.last_used_at >= MINUTE:
        PersonalToken.touch(token.pk, now)
    return limited(User.from_db("default", PRINCIPAL_COLUMNS, row[size:]), token), token


def limited(user: User, token: PersonalToken) -> User:
    """The user as the principal of requests with this token."""
    user.token_id, user.project_ids = token.pk, token.narrowed_to
    if user.project_ids is not None:
        # Nothing may be taken for visible because it is the user's own.
        user.reads_projects = True
    return user


def create(
    user_id: UUID,
    session_id: UUID,
    *,
    name: str,
    scopes: Collection[str],
    project_ids: Collection[UUID] | None,
    expires_at: datetime | None,
    now: datetime,
) -> tuple[PersonalToken, str]:
    """The row and the token, which is nowhere else; call in a transaction.

    InvalidCredentials when the session ended meanwhile: what ends all sessions and
    tokens must not leave this one. TooManyTokens, User.DoesNotExist.
    """
    user = User.objects.get_for_update(user_id)
    if not user.sessions.live(now).filter(pk=session_id).exists():
        raise InvalidCredentials
    if user.personal_tokens.count() >= settings.QUOTA_TOKENS:
        raise TooManyTokens
    raw = make_token()
    token = PersonalToken.objects.create(
        user=user,
        name=name,
        token_hash=hashed(raw),
        scopes=list(scopes),
        project_ids=project_ids and [str(pk) for pk in project_ids],
        created_at=now,
        expires_at=expires_at,
    )
    return token, raw


def require_projects(user: User, project_ids: Collection[UUID]) -> None:
    """Refuse projects that the user cannot see, as the app that knows them does."""
    require: Any = import_string(settings.PERSONAL_TOKEN_PROJECTS)
    require(user, project_ids)
