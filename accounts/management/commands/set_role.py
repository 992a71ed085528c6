from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts import audit
from accounts.management import get_user_by_email, keeping_an_administrator
from accounts.models import Role


class Command(BaseCommand):
    help = "Give a user a role, and end the sessions that have the old one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("role", choices=Role.values)

    def handle(self, *args: Any, **options: Any) -> str:
        user = get_user_by_email(options["email"])
        if user.role == options["role"]:
            return f"{user.email} already has the role {user.role}."
        user.role = options["role"]
        with keeping_an_administrator():
            user.save(update_fields=["role", "updated_at"])
        audit.record("role_change", user_id=user.pk, role=user.role)
        return f"{user.email} now has the role {user.role}."
