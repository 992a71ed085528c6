import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.management import new_account
from accounts.models import Role


class Command(BaseCommand):
    """In place of Django's, which lets one skip the rules for passwords, and notices
    only at the end that an address is taken.
    """

    help = "Create an administrator; asks for what is not given."
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email")
        parser.add_argument("--name")
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="interactive",
            help="ask nothing: read DJANGO_SUPERUSER_EMAIL, _NAME and _PASSWORD; "
            "without a password the account cannot be used until one is set",
        )
        new_account.add_password_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> str:
        if options["interactive"]:
            email, name = (ask(field, options[field]) for field in ("email", "name"))
            return new_account.create(email, name, Role.ADMIN, options)
        return create_unasked(options)


def ask(field: str, given: str | None) -> str:
    """The option, or what is typed."""
    if given:
        return new_account.checked(field, given)
    new_account.require_terminal()
    prompt = {"email": "E-mail address: ", "name": "Name: "}[field]
    return new_account.ask_until_good(lambda: new_account.checked(field, input(prompt)))


def create_unasked(options: dict[str, Any]) -> str:
    email, name = (given(field, options) for field in ("email", "name"))
    password = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
    if options["password_stdin"] or options["link"]:
        return new_account.create(email, name, Role.ADMIN, options)
    return new_account.create_with(email, name, Role.ADMIN, password)


def given(field: str, options: dict[str, Any]) -> str:
    """The option, or else the variable that Django reads for it."""
    variable = f"DJANGO_SUPERUSER_{field.upper()}"
    if value := options.get(field) or os.environ.get(variable):
        return str(value)
    raise CommandError(f"Use --{field} or {variable} with --noinput.")
