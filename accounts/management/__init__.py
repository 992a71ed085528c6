from django.core.management.base import CommandError

from accounts.models import User


def user_named(email: str) -> User:
    """The user with this e-mail address, or a CommandError that says there is none."""
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist as error:
        raise CommandError(f"No user has the e-mail address {email}.") from error
