"""Who makes a request: the `request.user` of a live session."""

from functools import cache
from uuid import UUID

from django.db.models import BooleanField, CharField, DateTimeField, UUIDField
from django.utils import timezone

from accounts.auth.jwt import AccessToken
from accounts.models import Session, User
from accounts.models.sessions import MINUTE
from taskapi.db.compiled import CompiledQuery, Placeholder

# What the statement that reads the session returns of the user. Django loads the other
# columns when they are first used, so any view that expects a user works.
STATE = ("revision", "reads_projects", "has_webhooks")
PRINCIPAL_COLUMNS = ("id", "role", "is_active", *STATE)


@cache
def session_query() -> CompiledQuery:
    """The token's session while it is live and its user may act as the token states."""
    sessions = Session.objects.live(Placeholder("now", DateTimeField())).filter(
        pk=Placeholder("session", UUIDField()),
        user=Placeholder("user", UUIDField()),
        user__role=Placeholder("role", CharField()),
        user__is_active=Placeholder("active", BooleanField()),
    )
    columns = ("last_used_at", *(f"user__{column}" for column in STATE))
    return CompiledQuery.compile(sessions.values_list(*columns))


def get_principal(token: AccessToken) -> User | None:
    """The token's user, if its session lives; costs one statement."""
    user_id: UUID = token.user_id
    role, now = token["role"], timezone.now()
    values = {"session": token.session_id, "user": user_id, "role": role, "now": now}
    rows = session_query().rows(values | {"active": True})
    if not rows:
        return None
    last_used_at, *state = rows[0]
    if now - last_used_at >= MINUTE:
        Session.touch(token.session_id, now)
    return User.from_db("default", PRINCIPAL_COLUMNS, (user_id, role, True, *state))
