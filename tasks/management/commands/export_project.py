import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks.exports import project as project_export
from tasks.management import get_project


class Command(BaseCommand):
    help = (
        "Export a project with its members, labels, tasks, subtasks and comments as"
        " JSON Lines, for import_project."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", type=UUID, help="its id")
        parser.add_argument("--output", metavar="FILE", help="default: standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        lines = project_export.write(get_project(options["project"]))
        if not options["output"]:
            for line in lines:
                self.stdout.write(line, ending="")
            return
        output = Path(options["output"])
        part = output.with_name(f"{output.name}.part")
        try:
            with part.open("w", encoding="utf-8") as file:
                part.chmod(0o600)
                file.writelines(lines)
            part.replace(output)
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}.") from error
        print(f"Exported to {output}.", file=sys.stderr)
