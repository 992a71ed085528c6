from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management import set_active


class Command(BaseCommand):
    help = "Let a user sign in no more, and end every session; nothing is deleted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> str:
        user, is_changed = set_active(options["email"], is_active=False)
        if not is_changed:
            return f"{user.email} is inactive already."
        return f"{user.email} is inactive now, and every session has ended."
