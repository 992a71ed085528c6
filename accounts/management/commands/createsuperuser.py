import os
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import IntegrityError

from accounts import passwords
from accounts.models import User


class Command(createsuperuser.Command):
    """Django's own, with the rules of the API for what `--noinput` is given.

    Django does not find a taken address: it looks for `unique=True`, and addresses are
    unique by a constraint.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["interactive"]:
            reject_invalid(given("email", options), given("name", options))
        try:
            super().handle(*args, **options)
        except IntegrityError as error:
            message = "This e-mail address is already registered; see set_role."
            raise CommandError(message) from error


def given(name: str, options: dict[str, Any]) -> str | None:
    """The option, or else the variable that Django reads for it."""
    variable = f"DJANGO_SUPERUSER_{name.upper()}"
    return options.get(name) or os.environ.get(variable)


def reject_invalid(email: str | None, name: str | None) -> None:
    """Raise CommandError with each rule that the account would break."""
    if not (email and name):
        return  # Django says what is missing
    user = User(email=email, name=name)
    try:
        user.clean_fields(exclude=["password"])
        if password := os.environ.get("DJANGO_SUPERUSER_PASSWORD"):
            passwords.check_policy(password, user)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
