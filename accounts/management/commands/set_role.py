from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts import audit
from accounts.management import user_named
from accounts.models import Role


class Command(BaseCommand):
    help = (
        "Give a user a role. Ends the user's sessions, so that no token tells the old."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("role", choices=Role.values)

    def handle(self, *args: Any, **options: Any) -> str:
        user = user_named(options["email"])
        if user.role == options["role"]:
            return f"{user.email} is {user.role} already."
        user.role = options["role"]
        user.save(update_fields=["role", "updated_at"])
        audit.record("role_change", user_id=user.pk, role=user.role)
        return f"{user.email} is {user.role} now."
