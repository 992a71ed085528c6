import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks.exports import csv_format
from tasks.exports.files import EXPORT_COLUMNS, Last, pages, truncate_partial_row
from tasks.exports.formats import Pages, write_jsonl
from tasks.imports.progress import bar
from tasks.management import get_user_by_email
from tasks.models import Task

FORMATS = ["jsonl", "csv"]


class Command(BaseCommand):
    help = (
        "Export all live tasks, or one user's, with the e-mail address of their owner."
        " A file gets its name once it is complete."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", metavar="EMAIL", help="default: all users")
        parser.add_argument("--format", choices=FORMATS, help="default: by file suffix")
        parser.add_argument("--output", metavar="FILE", help="default: standard output")
        parser.add_argument(
            "--resume", action="store_true", help="continue an interrupted export"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.user = get_user_by_email(options["user"]) if options["user"] else None
        output, resume = options["output"], options["resume"]
        self.format = options["format"] or format_from_name(output)
        if resume and not output:
            raise CommandError("--resume needs --output.")
        try:
            count = self.to_file(Path(output), resume) if output else self.to_stdout()
        except KeyboardInterrupt:
            hint = " Continue with --resume." if output else ""
            raise CommandError(f"Interrupted.{hint}", returncode=130) from None
        self.stderr.write(f"Exported {count} tasks.")

    def to_stdout(self) -> int:
        counted = Counted(self.user, None)
        for piece in self.pieces(counted, is_new=True):
            self.stdout.write(piece, ending="")
        return counted.count

    def to_file(self, output: Path, resume: bool) -> int:
        """Write under another name until the file is complete and on the disk."""
        part = Path(f"{output}.{self.user.pk if self.user else 'all'}.part")
        if resume and not part.exists():
            raise CommandError(f"There is no interrupted export {part}.")
        with open_file(part) as file:
            count, last = self.exported_before(file, resume)
            counted = Counted(self.user, last, count)
            for piece in self.pieces(counted, is_new=file.tell() == 0):
                file.write(piece.encode())
            file.flush()
            os.fsync(file.fileno())
            part.replace(output)
        return counted.count

    def exported_before(self, file: BinaryIO, resume: bool) -> tuple[int, Last | None]:
        if not resume:
            file.truncate(0)
            return 0, None
        try:
            return truncate_partial_row(file, self.format)
        except (KeyError, TypeError, ValueError) as error:
            raise CommandError("The interrupted file has another format.") from error

    def pieces(self, counted: Pages, *, is_new: bool) -> Iterator[str]:
        if self.format == "csv":
            return csv_format.write(counted, EXPORT_COLUMNS, header=is_new)
        return write_jsonl(counted)


class Counted:
    """The pages after `last`; counts their tasks and shows the progress."""

    def __init__(self, user: Any, last: Last | None, count: int = 0) -> None:
        self.user, self.last, self.count = user, last, count

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        tasks = Task.objects.live()
        total = (tasks.filter(user_id=self.user.pk) if self.user else tasks).count()
        found: Iterable[list[dict[str, Any]]] = pages(self.user, self.last)
        with bar("exporting", total, initial=self.count, unit="task") as progress:
            for page in found:
                yield page
                self.count += len(page)
                progress.update(len(page))


def format_from_name(output: str | None) -> str:
    """Return the format by the suffix of a file; JSON Lines without a file."""
    if output is None:
        return "jsonl"
    suffix = Path(output).suffix.removeprefix(".").lower()
    if suffix not in FORMATS:
        raise CommandError(f"Use --format {' or '.join(FORMATS)}.")
    return suffix


def open_file(part: Path) -> BinaryIO:
    """Open a file that only its owner may read, for one export at a time."""
    try:
        file = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError as error:
        raise CommandError(f"{part}: {error.strerror}.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise CommandError(f"{part}: another export is writing this file.") from error
    return file
