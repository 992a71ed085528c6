from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from rest_framework.exceptions import APIException

from tasks.models import Project


def get_user_by_email(email: str) -> Any:
    """Return the user with this e-mail address, or raise CommandError."""
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(email)
    except users.DoesNotExist as error:
        raise CommandError(f"No user has the e-mail address {email}.") from error


def get_project(pk: UUID) -> Project:
    """Return the live project of this id, or raise CommandError."""
    project = Project.objects.live().filter(pk=pk, owner__erased_at=None).first()
    if project is None:
        raise CommandError(f"There is no project {pk}.")
    return project


def run_label_batches(batches: Iterable[int]) -> int:
    """The sum of all batches; CommandError."""
    try:
        return sum(batches)
    except APIException as error:
        raise CommandError(str(error.detail)) from error
    except KeyboardInterrupt:
        hint = "Interrupted. Start it again with the same arguments to go on."
        raise CommandError(hint, returncode=130) from None
