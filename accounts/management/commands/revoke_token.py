from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import audit
from accounts.models import PersonalToken


class Command(BaseCommand):
    help = "Revoke a personal token by its id, which list_tokens shows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=UUID)

    def handle(self, *args: Any, **options: Any) -> str:
        tokens = PersonalToken.objects.select_related("user")
        token = tokens.filter(pk=options["id"]).first()
        if token is None:
            raise CommandError(f"There is no personal token {options['id']}.")
        user = token.user
        PersonalToken.objects.filter(pk=token.pk).delete()
        audit.record("token_revoked", user_id=user.pk, token=options["id"])
        return f"{user.email}: revoked a token."
