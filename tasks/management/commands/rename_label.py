from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rest_framework import serializers

from tasks.management import get_user_by_email, run_label_batches
from tasks.operations import label_batches
from tasks.serializers.task import LabelNameField


class Command(BaseCommand):
    help = (
        "Rename a label on any number of tasks, in batches of 1,000. If it is "
        "interrupted, start it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="whose label it is")
        parser.add_argument("name", help="in any letter case")
        parser.add_argument("new_name", type=label_name)

    def handle(self, *args: Any, **options: Any) -> str:
        owner = get_user_by_email(options["email"])
        name, new_name = options["name"], options["new_name"]
        batches = label_batches.rename_label(owner.pk, name, new_name)
        return f"Renamed on {run_label_batches(batches):,} tasks."


def label_name(text: str) -> str:
    """ValueError, which the parser reports."""
    try:
        return str(LabelNameField().run_validation(text))
    except serializers.ValidationError as error:
        raise ValueError from error
