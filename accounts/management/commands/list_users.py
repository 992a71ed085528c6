from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from accounts.management import escape
from accounts.models import Role, User

COLUMNS = ("id", "email", "name", "role", "is_active", "created_at")


class Command(BaseCommand):
    help = "List the accounts, oldest first: address, role, status, since when, name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON array")
        parser.add_argument("--role", choices=Role.values, help="only of this role")
        status = parser.add_mutually_exclusive_group()
        status.add_argument("--active", action="store_true", default=None)
        status.add_argument(
            "--inactive", action="store_false", dest="active", default=None
        )

    def handle(self, *args: Any, **options: Any) -> None:
        users = User.objects.order_by("created_at", "pk").values_list(*COLUMNS)
        if options["role"]:
            users = users.filter(role=options["role"])
        if options["active"] is not None:
            users = users.filter(is_active=options["active"])
        lines = to_json if options["json"] else to_text
        for line in lines(users.iterator()):
            self.stdout.write(line)


def to_json(rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    names = ("id", "email", "name", "role", "isActive", "createdAt")
    encode = DjangoJSONEncoder().encode
    separator = "["
    for row in rows:
        yield separator + encode(dict(zip(names, row, strict=True)))
        separator = ","
    yield "[]" if separator == "[" else "]"


def to_text(rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    for _, email, name, role, is_active, created_at in rows:
        status = "active" if is_active else "inactive"
        yield f"{email:<40} {role:<5} {status:<8} {created_at:%Y-%m-%d} {escape(name)}"
