import json
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from accounts import audit
from accounts.errors import LastAdministrator
from accounts.models import User


def get_user_by_email(email: str) -> User:
    """Return the user with this e-mail address, or raise CommandError."""
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist as error:
        raise CommandError(f"No user has the e-mail address {email}.") from error


def escape(text: str) -> str:
    """The text without what would control the terminal."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


@contextmanager
def keeping_an_administrator() -> Iterator[None]:
    """CommandError in place of LastAdministrator and User.DoesNotExist."""
    try:
        yield
    except User.DoesNotExist as error:
        raise CommandError("The account was erased meanwhile.") from error
    except LastAdministrator as error:
        hint = "set_role or createsuperuser makes another."
        raise CommandError(f"This is the last active administrator; {hint}") from error


def set_active(email: str, *, is_active: bool) -> tuple[User, bool]:
    """Return the user, and whether that changed it; CommandError."""
    user = get_user_by_email(email)
    if user.is_active == is_active:
        return user, False
    user.is_active = is_active
    with keeping_an_administrator():
        user.save(update_fields=["is_active", "updated_at"])
    event = "activate" if is_active else "deactivate"
    audit.record(event, user_id=user.pk)
    return user, True
