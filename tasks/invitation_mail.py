"""Mails invitations to projects."""

from django.conf import settings
from django.core.mail import send_mail

from taskapi.api import mail
from tasks.models import Invitation, Role

WHAT = "An invitation"
TEXT = """{inviter} invites you to the project "{project}" as {role}.

{instruction}

It works once, within a week. If you want no more invitations from this server, decline
it with "always": true: POST /api/invitations/decline.
"""


def send(invitation: Invitation, project: str, token: str) -> None:
    text = TEXT.format(
        inviter=one_line(invitation.invited_by.name),
        project=one_line(project),
        role=Role(invitation.role).name,
        instruction=instruction(token),
    )
    to = [invitation.email]
    mail.send_in_background(WHAT, send_mail, "Invitation to a project", text, None, to)


def instruction(token: str) -> str:
    if url := settings.INVITATION_URL:
        return f"To accept or decline it, open {url}{token}"
    return f"The invitation's token is: {token}"


def one_line(text: str) -> str:
    """Names are of strangers, who shall not write lines of the mail."""
    return " ".join(text.split())
