from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management import new_account
from accounts.models import Role


class Command(BaseCommand):
    help = (
        "Create an account, also while registration is closed. Asks for the password "
        "on the terminal unless another way is chosen."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", required=True)
        parser.add_argument("--role", choices=Role.values, default=Role.USER)
        new_account.add_password_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> str:
        role = Role(options["role"])
        return new_account.create(options["email"], options["name"], role, options)
