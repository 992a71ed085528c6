import secrets
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tasks.models import Priority, Status
from tasks.operations import ActorContext, Create, perform

EMAIL = "demo@example.com"


class Command(BaseCommand):
    help = "Create an administrator with a random password and a few tasks."

    def handle(self, *args: Any, **options: Any) -> str:
        password = secrets.token_urlsafe(12)
        users = get_user_model()._default_manager
        if users.filter(email=EMAIL).exists():
            raise CommandError(f"The account {EMAIL} already exists.")
        user = users.create_superuser(EMAIL, password, name="Demo")
        author = ActorContext(user.pk, user.pk, "demo", timezone.now())
        perform([Create(values) for values in tasks(author)], author)
        return f"{EMAIL} {password}"


def tasks(author: ActorContext) -> list[dict[str, Any]]:
    day = timedelta(days=1)
    return [
        {"title": "Try the API", "status": Status.DONE, "priority": Priority.HIGH},
        {"title": "Open the admin", "status": Status.IN_PROGRESS},
        {"title": "Read the docs", "due_at": author.now + day},
        {"title": "Point it at PostgreSQL and Redis", "priority": Priority.LOW},
        {"title": "Answer the mail", "due_at": author.now - day},
    ]
