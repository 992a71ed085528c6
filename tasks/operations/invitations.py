"""How accounts are invited to projects, by a token that is mailed and kept hashed.

So an address that nobody has proved to be theirs opens nothing; and the answer does not
tell whether it has an account.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import NotFound, Throttled, ValidationError

from taskapi.api.errors import Conflict
from taskapi.api.preconditions import NO_PRECONDITION, Precondition, content_tag
from taskapi.api.rate_limit import RateLimit
from taskapi.db.locks import lock_name
from tasks import access, invitation_mail
from tasks.access import ProjectNotFound
from tasks.models import Invitation, Project, RefusedAddress, Role
from tasks.operations.context import ActorContext
from tasks.operations.members import add_member
from tasks.operations.projects import LockedProject, locked, record_change
from tasks.projects import invitation_to_dict
from tasks.usage import QuotaExceeded

LIFETIME = timedelta(days=7)
NONCE_BYTES = 32
HINT = "The invitation is invalid, spent or expired."


class InvitationNotFound(NotFound):
    default_detail = "Invitation not found."


class InvalidToken(ValidationError):
    def __init__(self) -> None:
        super().__init__({"token": [HINT]}, "invalid")


def invite(
    project_id: UUID, email: str, role: int, context: ActorContext
) -> tuple[Invitation, str]:
    """The invitation and its token; the mail with it commits with the invitation.

    ProjectNotFound, RoleForbidden, Conflict, QuotaExceeded; Throttled.
    """
    others = {context.owner_id}
    with locked(project_id, context, needed=Role.MANAGER, others=others) as found:
        found.access.require_open()
        found.require_no_inbox("shared")
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        token = invitation_mail.make_token(nonce)
        invitation = Invitation(
            project=found.project,
            email=email,
            role=role,
            invited_by_id=context.owner_id,
            token_hash=hashed(token),
            created_at=context.now,
            expires_at=context.now + LIFETIME,
        )
        require_room(invitation)
        require_limits(invitation)
        invitation.save(force_insert=True)
        record(found, None, to_entry(invitation))
        if not RefusedAddress.objects.filter(pk=address_hash(email)).exists():
            invitation_mail.send(invitation, nonce)
    return invitation, token


def require_room(invitation: Invitation) -> None:
    open_ones = invitation.project.invitations.open(invitation.created_at)
    if open_ones.filter(email__iexact=invitation.email).exists():
        raise Conflict("There is an open invitation for this address; withdraw it.")
    if open_ones.count() >= settings.QUOTA_INVITATIONS:
        raise QuotaExceeded(
            "QUOTA_INVITATIONS: this project has all the open invitations it may."
        )


def require_limits(invitation: Invitation) -> None:
    """Exact, since the inviter's row and the address are locked; Throttled."""
    lock_name(f"invitation to {invitation.email.lower()}")
    mine = Invitation.objects.filter(invited_by=invitation.invited_by_id)
    to_it = Invitation.objects.filter(email__lower=invitation.email.lower())
    require_limit(mine, settings.INVITATION_LIMIT, invitation)
    require_limit(to_it, settings.INVITED_ADDRESS_LIMIT, invitation)


def require_limit(sent: Any, limit: RateLimit, invitation: Invitation) -> None:
    window = timedelta(seconds=limit.seconds)
    times = sent.filter(created_at__gt=invitation.created_at - window)
    latest = times.order_by("-created_at").values_list("created_at", flat=True)
    if len(counted := list(latest[: limit.requests])) == limit.requests:
        left = counted[-1] + window - invitation.created_at
        raise Throttled(max(1, left.total_seconds()))


def withdraw(
    project_id: UUID,
    invitation_id: UUID,
    context: ActorContext,
    expects: Precondition = NO_PRECONDITION,
) -> None:
    """ProjectNotFound, RoleForbidden, InvitationNotFound, PreconditionFailed."""
    with locked(project_id, context, needed=Role.MANAGER) as found:
        if found.access.is_deleted:
            raise ProjectNotFound
        open_ones = found.project.invitations.open(context.now)
        invitation = open_ones.filter(pk=invitation_id).first()
        if invitation is None:
            raise InvitationNotFound
        representation = invitation_to_dict(invitation)
        expects.require(content_tag(representation), representation)
        if not close(invitation, context.now):  # accepted or declined in this moment
            raise InvitationNotFound
        record(found, to_entry(invitation), None)


def accept(token: str, context: ActorContext) -> tuple[Project, int]:
    """Make the account a member; the project and its role there. InvalidToken,
    Conflict, QuotaExceeded, SpaceNotCovered.
    """
    access.require_space(context.project_ids)
    invitation, others = find(token, context.now), {context.owner_id}
    project_id = invitation.project_id
    with locked(project_id, context, needed=None, others=others) as found:
        found.access.require_open()
        join(found, invitation)
    return found.project, invitation.role


def join(found: LockedProject, invitation: Invitation) -> None:
    if found.access.is_deleted or not close(invitation, found.context.now):
        raise InvalidToken
    add_member(found, found.context.owner_id, invitation.role)
    record(found, to_entry(invitation), None)


def find(token: str, now: datetime) -> Invitation:
    """The open invitation of a token; InvalidToken."""
    known = Invitation.objects.open(now).filter(
        token_hash=hashed(token),
        project__deleted_at=None,
        project__destroyed_at=None,
        project__owner__erased_at=None,
    )
    if (invitation := known.first()) is None:
        raise InvalidToken
    return invitation


def decline(token: str, *, now: datetime, always: bool) -> None:
    """Close the invitation, and with `always` mail none to its address any more.

    InvalidToken. Whoever has the token needs no account.
    """
    with transaction.atomic():
        invitation = find(token, now)
        if not close(invitation, now):
            raise InvalidToken
        if always:
            RefusedAddress.objects.get_or_create(
                pk=address_hash(invitation.email), defaults={"created_at": now}
            )


def close(invitation: Invitation, now: datetime) -> bool:
    """Whether it was still open: of two who try at once, one succeeds."""
    same = Invitation.objects.filter(pk=invitation.pk, closed_at=None)
    return same.update(closed_at=now) == 1


def for_registration(token: str, email: str) -> Callable[[Any], None] | None:
    """See accounts.registration: what accepts the invitation for a new account.

    Only for the address that it was mailed to.
    """
    try:
        invitation = find(token, timezone.now())
    except InvalidToken:
        return None
    if invitation.email.lower() != email.lower():
        return None
    return partial(accept_as, token)


def accept_as(token: str, user: Any) -> None:
    try:
        accept(token, ActorContext(user.pk, user.pk, "", timezone.now()))
    except InvalidToken:  # withdrawn in this moment
        raise ValidationError({"invitationToken": [HINT]}) from None


def record(found: LockedProject, before: Any, after: Any) -> None:
    entry = {"field": "invitation", "from": before, "to": after}
    record_change(found.project, [entry], found.context)


def to_entry(invitation: Invitation) -> dict[str, str]:
    return {"email": invitation.email, "role": Role(invitation.role).name}


def hashed(token: str) -> str:
    # The token is random, so a fast hash without a salt is enough.
    return hashlib.sha256(token.encode()).hexdigest()


def address_hash(email: str) -> str:
    """Keyed: a copy of the database does not tell who wants no mail."""
    salt = "tasks.refused_address"
    return salted_hmac(salt, email.lower(), algorithm="sha256").hexdigest()
