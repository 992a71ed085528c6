from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.core.management.base import CommandError
from django.db import IntegrityError


class Command(createsuperuser.Command):
    """Django's own, which does not find a taken address: it looks for `unique=True`,
    and addresses are unique by a constraint.
    """

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            super().handle(*args, **options)
        except IntegrityError as error:
            message = "This e-mail address is already registered; see set_role."
            raise CommandError(message) from error
