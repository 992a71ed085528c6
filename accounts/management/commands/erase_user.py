import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import audit, personal_data
from accounts.management import get_user_by_email, keeping_an_administrator
from accounts.models import User
from taskapi.api.errors import Conflict


class Command(BaseCommand):
    help = (
        "Erase an account and all that it owns, as its user can. It cannot be undone; "
        "deactivate can."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="interactive",
            help="do not ask",
        )

        parser.add_argument(
            "--delete-shared",
            action="store_true",
            help="also if others are members of its projects, which go, too",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        user = get_user_by_email(options["email"])
        if options["interactive"]:
            confirm(user)
        email, user_id = user.email, user.pk
        with keeping_an_administrator():
            erase(user, delete_shared=options["delete_shared"])
        audit.record("erase", user_id=user_id)
        return f"{email} is erased; housekeeping removes the rows."


def erase(user: User, *, delete_shared: bool) -> None:
    try:
        personal_data.erase(user, delete_shared=delete_shared)
    except Conflict as error:
        raise CommandError(f"{error.detail} Use --delete-shared.") from None


def confirm(user: User) -> None:
    """CommandError unless the address is typed again."""
    if not sys.stdin.isatty():
        raise CommandError("Standard input is no terminal to ask on; use --noinput.")
    print(f"This erases {user.email} ({user.name}) and all that it owns, for good.")
    if (
        input("Type the e-mail address to go on: ").strip().lower()
        != user.email.lower()
    ):
        raise CommandError("That is another address; nothing was erased.")
