from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from accounts.errors import LastAdministrator
from accounts.models import User


def get_user_by_email(email: str) -> User:
    """Return the user with this e-mail address, or raise CommandError."""
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist as error:
        raise CommandError(f"No user has the e-mail address {email}.") from error


@contextmanager
def keeping_an_administrator() -> Iterator[None]:
    """CommandError in place of LastAdministrator."""
    try:
        yield
    except LastAdministrator as error:
        hint = "set_role or createsuperuser makes another."
        raise CommandError(f"This is the last active administrator; {hint}") from error
