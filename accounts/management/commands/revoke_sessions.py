from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from accounts import admin_sessions, audit
from accounts.auth import sessions
from accounts.management import get_user_by_email
from accounts.models import RevocationReason


class Command(BaseCommand):
    help = "End every session of a user: all tokens become invalid at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> str:
        user = get_user_by_email(options["email"])
        in_admin = admin_sessions.count_of(user)
        ended = sessions.revoke(
            user.pk, now=timezone.now(), reason=RevocationReason.REVOKED
        )
        audit.record("sessions_revoked", user_id=user.pk, ended=ended + in_admin)
        and_admin = f" and {in_admin} of the admin" if in_admin else ""
        return f"{user.email}: ended {ended} session(s){and_admin}."
