from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError


def get_user_by_email(email: str) -> Any:
    """Return the user with this e-mail address, or raise CommandError."""
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(email)
    except users.DoesNotExist as error:
        raise CommandError(f"No user has the e-mail address {email}.") from error
