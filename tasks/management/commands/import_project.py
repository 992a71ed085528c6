from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks.imports.project import BadLine, ProjectImport
from tasks.management import get_user_by_email


class Command(BaseCommand):
    help = (
        "Make a new project of a file of export_project, with members, labels, tasks,"
        " subtasks and comments. Nothing is written unless every line is valid."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--owner", required=True, metavar="EMAIL")

    def handle(self, *args: Any, **options: Any) -> str:
        importer = ProjectImport(get_user_by_email(options["owner"]))
        file = Path(options["file"])
        try:
            with file.open(encoding="utf-8") as lines:
                project = importer.run(lines)
        except BadLine as error:
            raise CommandError(f"{file}: {error} Nothing was written.") from error
        except UnicodeDecodeError as error:
            raise CommandError(f"{file}: not UTF-8. Nothing was written.") from error
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}.") from error
        for email in importer.skipped:
            self.stderr.write(f"{email} has no account here and is no member.")
        counts = ", ".join(f"{n} {kind}s" for kind, n in importer.counts.items())
        return f"Made project {project.pk} with {counts or 'nothing in it'}."
