from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError


def user_named(email: str) -> Any:
    """The user with this e-mail address, or a CommandError that says there is none."""
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(email)
    except users.DoesNotExist as error:
        raise CommandError(f"No user has the e-mail address {email}.") from error
