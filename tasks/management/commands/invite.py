from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rest_framework.exceptions import APIException

from tasks.invitation_mail import instruction
from tasks.management import get_project
from tasks.models import Role
from tasks.operations import ActorContext
from tasks.operations.invitations import invite

ROLES = [role.name for role in Role if role < Role.OWNER]


class Command(BaseCommand):
    help = (
        "Invite an address to a project, in the name of its owner, and print the link"
        " (INVITATION_URL) or the token: it works without a mail server."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", type=UUID, help="its id")
        parser.add_argument("email")
        parser.add_argument("--role", choices=ROLES, default="EDITOR")

    def handle(self, *args: Any, **options: Any) -> str:
        project = get_project(options["project"])
        context = ActorContext(project.owner_id, None, "", timezone.now())
        role = Role[options["role"]]
        try:
            _, token = invite(project.pk, options["email"], role, context)
        except APIException as error:
            raise CommandError(str(error.detail)) from error
        return instruction(token)
