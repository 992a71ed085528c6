"""Mails, which a worker sends: the request writes a message of the outbox.

That commits with what the mail tells of, and the time of the response reveals nothing.
"""

import base64
from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPRecipientsRefused

from django.core.mail import EmailMessage
from django.utils.crypto import salted_hmac

from taskapi.db import clock
from taskapi.outbox import messages
from taskapi.outbox.handlers import Handler, Job, Undeliverable
from taskapi.outbox.models import OutboxMessage

CHANNEL = "mail"
Compose = Callable[[OutboxMessage], EmailMessage | None]


def send(subject: str, text: str, to: str) -> None:
    """Mail this text, which has no secret in it."""
    send_as("mail", subject=subject, text=text, to=to)


def send_as(handler: str, **payload: str) -> None:
    """Mail what the handler makes of the payload, which has no secret in it."""
    messages.send(handler, payload, channel=CHANNEL)


def derive_token(purpose: str, nonce: str) -> str:
    """The token to mail, from a random nonce that is stored until then.

    So no token is stored: without SECRET_KEY a nonce is worth nothing.
    """
    salt = f"taskapi.mail.{purpose}"
    digest = salted_hmac(salt, nonce, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class MailHandler(Handler):
    """Sends what `compose` makes of a message; None sends nothing."""

    def __init__(self, compose: Compose, lifetime: timedelta = Handler.lifetime):
        self.compose = compose
        self.lifetime = lifetime

    def prepare(self, message: OutboxMessage) -> Job | None:
        if clock.now() > message.created_at + self.lifetime:
            raise Undeliverable("It is too late for this mail.")
        mail = self.compose(message)
        return mail.send if mail else None

    def delay(self, message: OutboxMessage, error: Exception) -> float | None:
        if isinstance(error, SMTPRecipientsRefused):
            statuses = [status for status, _ in error.recipients.values()]
            if all(status >= 500 for status in statuses):
                return None
        return super().delay(message, error)


def compose_plain(message: OutboxMessage) -> EmailMessage:
    mail = message.payload
    return EmailMessage(mail["subject"], mail["text"], None, [mail["to"]])


PLAIN = MailHandler(compose_plain)
