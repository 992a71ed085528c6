from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from accounts.management import escape, get_user_by_email
from accounts.models import PersonalToken, User

NAMES = {
    "id": "id",
    "user__email": "email",
    "name": "name",
    "scopes": "scopes",
    "project_ids": "projectIds",
    "created_at": "createdAt",
    "last_used_at": "lastUsedAt",
    "expires_at": "expiresAt",
}


class Command(BaseCommand):
    help = "List personal tokens, oldest first: id, whose, last use, end, scopes, name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", nargs="?", help="only of this user")
        parser.add_argument("--json", action="store_true", help="print one JSON array")

    def handle(self, *args: Any, **options: Any) -> None:
        tokens = User.objects.without_erased(PersonalToken.objects.all())
        if options["email"]:
            tokens = tokens.filter(user=get_user_by_email(options["email"]))
        rows = tokens.order_by("created_at", "pk").values(*NAMES)
        lines = to_json if options["json"] else to_text
        for line in lines(rows.iterator()):
            self.stdout.write(line)


def to_json(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    encode = DjangoJSONEncoder().encode
    separator = "["
    for row in rows:
        yield separator + encode({NAMES[name]: row[name] for name in NAMES})
        separator = ","
    yield "[]" if separator == "[" else "]"


def to_text(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        used = f"{row['last_used_at']:%Y-%m-%d}" if row["last_used_at"] else "never"
        ends = f"{row['expires_at']:%Y-%m-%d}" if row["expires_at"] else "never"
        scopes = ",".join(row["scopes"])
        if row["project_ids"]:
            scopes += f" in {len(row['project_ids'])} project(s)"
        yield (
            f"{row['id']} {row['user__email']} used {used}, ends {ends}: "
            f"{scopes} {escape(row['name'])}"
        )
