from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tasks.management import get_user_by_email, run_label_batches
from tasks.operations import label_batches


class Command(BaseCommand):
    help = (
        "Delete a label that any number of tasks have, in batches of 1,000. If it is "
        "interrupted, start it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="whose label it is")
        parser.add_argument("name", help="in any letter case")

    def handle(self, *args: Any, **options: Any) -> str:
        owner = get_user_by_email(options["email"])
        batches = label_batches.delete_label(owner.pk, options["name"])
        return f"Taken off {run_label_batches(batches):,} tasks, and deleted."
