from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.core.management.base import CommandError
from django.db import IntegrityError


class Command(createsuperuser.Command):
    """Django's own; it does not look for a taken address by itself, because what makes
    addresses unique is a constraint that it does not read.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            super().handle(*args, **options)
        except IntegrityError as error:
            message = "That e-mail address is registered; see set_role."
            raise CommandError(message) from error
