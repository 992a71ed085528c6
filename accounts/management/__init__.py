from django.core.management.base import CommandError

from accounts.models import User


def get_user_by_email(email: str) -> User:
    """Return the user with this e-mail address, or raise CommandError."""
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist as error:
        raise CommandError(f"No user has the e-mail address {email}.") from error
