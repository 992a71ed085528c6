import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from tasks.imports.importer import Importer
from tasks.imports.parsers import READERS, Record
from tasks.imports.progress import bar
from tasks.management import user_named
from tasks.operations import OperationFailed

AGAIN = "What was written stays; run it again to go on."
# A batch is one statement, and 13 values a task; SQLite takes 32,766 of them.
MOST = 2000


class Command(BaseCommand):
    help = (
        "Make tasks out of a file: JSON Lines or CSV with the API's names. Nothing is"
        " written unless every row is good. Run again, it finds what it has made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="- is standard input")
        parser.add_argument("--format", choices=READERS, help="default: as named")
        parser.add_argument("--user", metavar="EMAIL", help="owner of every row")
        parser.add_argument("--dry-run", action="store_true", help="only check")
        parser.add_argument(
            "--update",
            action="store_true",
            help="change tasks that are there with other content",
        )
        parser.add_argument("--batch-size", type=int, default=500, metavar="ROWS")

    def handle(self, *args: Any, **options: Any) -> None:
        self.file = options["file"]
        importer = self.importer(options)
        try:
            with closing(importer.spool), opened(self.file) as file:
                self.run(importer, file, options)
        except KeyboardInterrupt:
            raise CommandError(f"Interrupted. {AGAIN}", returncode=130) from None
        except OperationalError as error:
            message = f"The database did not answer: {error} {AGAIN}"
            raise CommandError(message) from error

    def importer(self, options: dict[str, Any]) -> Importer:
        size = options["batch_size"]
        if not 1 <= size <= MOST:
            raise CommandError(f"--batch-size is 1 to {MOST}.")
        owner = user_named(options["user"]) if options["user"] else None
        return Importer(self.report, owner, overwrite=options["update"], size=size)

    def report(self, line: int, problem: str) -> None:
        self.stderr.write(f"{self.file}:{line}: {problem}")

    def run(self, importer: Importer, file: BinaryIO, options: dict[str, Any]) -> None:
        reader = READERS[options["format"] or named(self.file)]
        importer.read(watched(reader(file), file))
        importer.check()
        if importer.counts["failed"]:
            self.stop(importer, "Nothing was written.")
        if not options["dry_run"]:
            self.write(importer)
        told = "Would be: " if options["dry_run"] else ""
        self.stdout.write(told + summary(importer))

    def write(self, importer: Importer) -> None:
        with bar("writing", len(importer.spool), unit="task") as progress:
            try:
                importer.write(progress.update)
            except OperationFailed:
                self.stop(importer, AGAIN)
            except get_user_model().DoesNotExist:
                self.stop(importer, f"A user is gone. {AGAIN}")

    def stop(self, importer: Importer, message: str) -> None:
        raise CommandError(f"{summary(importer)} {message}")


def summary(importer: Importer) -> str:
    names = ("created", "unchanged", "updated", "failed")
    return ", ".join(f"{name} {importer.counts[name]}" for name in names) + "."


def opened(name: str) -> BinaryIO:
    if name == "-":
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}.") from error


def named(file: str) -> str:
    """The format that a file's name tells."""
    suffix = Path(file).suffix.removeprefix(".").lower()
    if suffix not in READERS:
        raise CommandError(f"Say which --format: {' or '.join(READERS)}.")
    return suffix


def watched(records: Iterator[Record], file: BinaryIO) -> Iterator[Record]:
    size = os.fstat(file.fileno()).st_size or None
    with bar("reading", size, unit="B", unit_scale=True) as progress:
        for record in records:
            progress.update(record.end - progress.n)
            yield record
