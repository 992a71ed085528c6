"""Mails invitations to projects."""

from django.conf import settings
from django.core.mail import EmailMessage

from taskapi.api import mail
from taskapi.db import clock
from taskapi.outbox.models import OutboxMessage
from tasks.models import Invitation, Role

TEXT = """{inviter} invites you to the project "{project}" as {role}.

{instruction}

It works once, within a week. If you want no more invitations from this server, decline
it with "always": true: POST /api/invitations/decline.
"""


def send(invitation: Invitation, nonce: str) -> None:
    mail.send_as("invitation", invitation=str(invitation.pk), nonce=nonce)


def make_token(nonce: str) -> str:
    return mail.derive_token("invitation", nonce)


def compose(message: OutboxMessage) -> EmailMessage | None:
    """None if the invitation is withdrawn or spent by now."""
    invitation = (
        Invitation.objects.open(clock.now())
        .filter(pk=message.payload["invitation"])
        .select_related("invited_by", "project")
        .first()
    )
    if invitation is None:
        return None
    text = TEXT.format(
        inviter=one_line(invitation.invited_by.name),
        project=one_line(invitation.project.name),
        role=Role(invitation.role).name,
        instruction=instruction(make_token(message.payload["nonce"])),
    )
    return EmailMessage("Invitation to a project", text, None, [invitation.email])


def instruction(token: str) -> str:
    if url := settings.INVITATION_URL:
        return f"To accept or decline it, open {url}{token}"
    return f"The invitation's token is: {token}"


def one_line(text: str) -> str:
    """Names are of strangers, who shall not write lines of the mail."""
    return " ".join(text.split())


INVITATION_MAIL = mail.MailHandler(compose)
