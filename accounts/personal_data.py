"""Exports and erases all data of a user.

Each app adds a module like this one to settings.PERSONAL_DATA, with `export`,
`holdings`, `require_erasable` and `erase_batch`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.models import AdminSignIn, PersonalToken, Session, User
from taskapi.db.batches import delete_batch
from taskapi.db.holdings import Holding

SESSIONS_PER_PAGE = 500
USER_FIELDS = {
    "pendingEmail": F("pending_email"),
    "isActive": F("is_active"),
    "createdAt": F("created_at"),
    "updatedAt": F("updated_at"),
}
SESSION_FIELDS = {
    "userAgent": F("user_agent"),
    "ip": F("address"),
    "createdAt": F("created_at"),
    "lastUsedAt": F("last_used_at"),
    "rotatedAt": F("rotated_at"),
    "idleUntil": F("idle_until"),
    "expiresAt": F("expires_at"),
    "endedAt": F("ended_at"),
    "endReason": F("end_reason"),
}
TOKEN_FIELDS = {
    "projectIds": F("project_ids"),
    "createdAt": F("created_at"),
    "lastUsedAt": F("last_used_at"),
    "expiresAt": F("expires_at"),
}


def export(user: User) -> Iterator[tuple[str, Iterable[Any]]]:
    """Yield the name and the rows of each kind of data that this app stores."""
    users = User.objects.filter(pk=user.pk)
    yield "user", users.values("id", "name", "email", "role", "revision", **USER_FIELDS)
    yield "sessions", sessions(user)
    sign_ins = user.admin_sign_ins.order_by("signed_in_at")
    yield "adminSignIns", sign_ins.values(ip=F("address"), at=F("signed_in_at"))
    tokens = user.personal_tokens.order_by("created_at", "pk")
    yield "personalTokens", tokens.values("id", "name", "scopes", **TOKEN_FIELDS)


def sessions(user: User) -> Iterator[Any]:
    """By the time of the login."""
    pks = list(user.sessions.order_by("created_at").values_list("pk", flat=True))
    for start in range(0, len(pks), SESSIONS_PER_PAGE):
        page = user.sessions.filter(pk__in=pks[start : start + SESSIONS_PER_PAGE])
        yield from page.order_by("created_at").values("id", **SESSION_FIELDS)


def holdings(user_ids: Sequence[UUID]) -> Iterator[Holding]:
    """Yield what the admin shows of users, and what goes with them."""
    sessions = Session.objects.filter(user__in=user_ids)
    yield Holding("sessions", sessions, "user__id__exact={}")
    tokens = PersonalToken.objects.filter(user__in=user_ids)
    yield Holding("personal tokens", tokens, "user__id__exact={}")


def require_erasable(user_id: UUID) -> None:
    """Nothing here is used by others."""


def erase_batch(user_id: UUID, size: int) -> int:
    """Remove up to so many rows of an erased user; how many, 0 if none is left.

    The user is last: while its row is there, the others are found by it.
    """
    rows = (
        Session.objects.filter(user_id=user_id),
        AdminSignIn.objects.filter(user_id=user_id),
        OutstandingToken.objects.filter(user_id=user_id),
        LogEntry.objects.filter(user_id=user_id),
    )
    for each in rows:
        if count := delete_batch(each, size):
            return count
    return User.objects.erased().filter(pk=user_id).delete()[0]


def stream(user: User) -> Iterator[str]:
    """Yield one JSON object in pieces; it has a member for each kind of data."""
    encode = DjangoJSONEncoder(ensure_ascii=False).encode
    opening = "{"
    for module in modules():
        for name, rows in module.export(user):
            yield f"{opening}{json.dumps(name)}:["
            separator = ""
            for row in rows:
                yield separator + encode(row)
                separator = ","
            opening = "],"
    yield "]}"


def erase(user: User, *, delete_shared: bool = False) -> None:
    """Hide the account from everybody in one short transaction.

    User.DoesNotExist, or LastAdministrator; and what a module's `require_erasable`
    raises, unless `delete_shared`: what others use goes, too. Housekeeping removes the
    rows, which may be many, in batches of `erase_batch`.
    """
    with transaction.atomic():
        locked = User.objects.get_to_demote(user.pk)
        if not delete_shared:
            for module in modules():
                module.require_erasable(user.pk)
        locked.erase(now=timezone.now())
        # The log of the admin contains the e-mail address, too.
        log = LogEntry.objects.filter(object_id=str(user.pk))
        log._raw_delete(using="default")


def erase_next_batch(size: int) -> int:
    """Remove up to so many rows of the user that was erased first; how many."""
    erased = User.objects.erased().order_by("erased_at", "pk")
    user_id = erased.values_list("pk", flat=True).first()
    if user_id is None:
        return 0
    counts = (each.erase_batch(user_id, size) for each in reversed(modules()))
    return next(filter(None, counts), 0)


def modules() -> list[Any]:
    return [import_module(path) for path in settings.PERSONAL_DATA]
