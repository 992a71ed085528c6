from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management import set_active


class Command(BaseCommand):
    help = "Let a deactivated user sign in again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> str:
        user, is_changed = set_active(options["email"], is_active=True)
        return f"{user.email} is active {'now' if is_changed else 'already'}."
