import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from tasks.imports.faults import Faults
from tasks.imports.importer import Importer
from tasks.imports.parsers import READERS, Record
from tasks.imports.progress import bar
from tasks.management import get_user_by_email
from tasks.operations import OperationFailed

CONTINUE = "The tasks written so far remain; run the command again to continue."
# A batch is one statement with 13 values per task; SQLite allows 32,766 values.
MAX_BATCH_SIZE = 2000


class Command(BaseCommand):
    help = (
        "Create tasks from JSON Lines or CSV with the API's field names. Nothing is"
        " written unless every row is valid. A second run finds the tasks of the first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="- for standard input")
        parser.add_argument("--format", choices=READERS, help="default: by file suffix")
        parser.add_argument("--user", metavar="EMAIL", help="owner of all rows")
        parser.add_argument("--dry-run", action="store_true", help="check only")
        parser.add_argument(
            "--update",
            action="store_true",
            help="update tasks that exist with different content",
        )
        parser.add_argument("--batch-size", type=int, default=500, metavar="ROWS")

    def handle(self, *args: Any, **options: Any) -> None:
        self.file = options["file"]
        self.faults = Faults()
        importer = self.importer(options)
        try:
            with closing(importer.spool), open_file(self.file) as file:
                self.run(importer, file, options)
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted. {CONTINUE}", returncode=130) from None
        except OperationalError as error:
            message = f"The database did not answer: {error} {CONTINUE}"
            raise CommandError(message) from error
        finally:
            for fault in self.faults.lines():
                self.stderr.write(f"{self.file}:{fault}")

    def importer(self, options: dict[str, Any]) -> Importer:
        size = options["batch_size"]
        if not 1 <= size <= MAX_BATCH_SIZE:
            raise CommandError(f"--batch-size must be from 1 to {MAX_BATCH_SIZE}.")
        owner = get_user_by_email(options["user"]) if options["user"] else None
        return Importer(self.faults.add, owner, overwrite=options["update"], size=size)

    def run(self, importer: Importer, file: BinaryIO, options: dict[str, Any]) -> None:
        reader = READERS[options["format"] or format_from_name(self.file)]
        importer.read(with_progress(reader(file), file))
        importer.check()
        if importer.counts["failed"]:
            self.stop(importer, "Nothing was written.")
        if not options["dry_run"]:
            self.write(importer)
        prefix = "Would be: " if options["dry_run"] else ""
        self.stdout.write(prefix + summary(importer))

    def write(self, importer: Importer) -> None:
        with bar("writing", len(importer.spool), unit="task") as progress:
            try:
                importer.write(progress.update)
            except OperationFailed:
                self.stop(importer, CONTINUE)
            except get_user_model().DoesNotExist:
                self.stop(importer, f"A user was deleted. {CONTINUE}")

    def stop(self, importer: Importer, message: str) -> None:
        raise CommandError(f"{summary(importer)} {message}")


def summary(importer: Importer) -> str:
    names = ("created", "unchanged", "updated", "failed")
    return ", ".join(f"{name} {importer.counts[name]}" for name in names) + "."


def open_file(name: str) -> BinaryIO:
    if name == "-":
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}.") from error


def format_from_name(file: str) -> str:
    """Return the format by the suffix of a file."""
    suffix = Path(file).suffix.removeprefix(".").lower()
    if suffix not in READERS:
        raise CommandError(f"Use --format {' or '.join(READERS)}.")
    return suffix


def with_progress(records: Iterator[Record], file: BinaryIO) -> Iterator[Record]:
    size = os.fstat(file.fileno()).st_size or None
    with bar("reading", size, unit="B", unit_scale=True) as progress:
        for record in records:
            progress.update(record.end - progress.n)
            yield record
