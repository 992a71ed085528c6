import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tasks.exports import csv_format
from tasks.exports.files import EXPORTED, Last, cut_back, pages
from tasks.exports.formats import Pages, write_lines
from tasks.imports.progress import bar
from tasks.management import user_named
from tasks.models import Task

FORMATS = ["jsonl", "csv"]


class Command(BaseCommand):
    help = (
        "Write all live tasks, or one user's, with the e-mail address of their owner."
        " A file gets its name when it is complete."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", metavar="EMAIL", help="default: everybody")
        parser.add_argument("--format", choices=FORMATS, help="default: as named")
        parser.add_argument("--output", metavar="FILE", help="default: standard output")
        parser.add_argument(
            "--resume", action="store_true", help="go on with what broke off"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.user = user_named(options["user"]) if options["user"] else None
        output, resume = options["output"], options["resume"]
        self.format = options["format"] or named(output)
        if resume and not output:
            raise CommandError("--resume needs --output.")
        try:
            count = self.to_file(Path(output), resume) if output else self.to_stdout()
        except KeyboardInterrupt:
            hint = " --resume goes on with it." if output else ""
            raise CommandError(f"Interrupted.{hint}", returncode=130) from None
        self.stderr.write(f"Exported {count} tasks.")

    def to_stdout(self) -> int:
        counted = Counted(self.user, None)
        for piece in self.pieces(counted, is_new=True):
            self.stdout.write(piece, ending="")
        return counted.count

    def to_file(self, output: Path, resume: bool) -> int:
        """Under another name until it is complete, and on the disk."""
        part = Path(f"{output}.{self.user.pk if self.user else 'all'}.part")
        if resume and not part.exists():
            raise CommandError(f"There is nothing to go on with: no {part}.")
        with opened(part) as file:
            there, last = self.left(file, resume)
            counted = Counted(self.user, last, there)
            for piece in self.pieces(counted, is_new=file.tell() == 0):
                file.write(piece.encode())
            file.flush()
            os.fsync(file.fileno())
            part.replace(output)
        return counted.count

    def left(self, file: BinaryIO, resume: bool) -> tuple[int, Last | None]:
        if not resume:
            file.truncate(0)
            return 0, None
        try:
            return cut_back(file, self.format)
        except (KeyError, TypeError, ValueError) as error:
            raise CommandError("What broke off was no such export.") from error

    def pieces(self, counted: Pages, *, is_new: bool) -> Iterator[str]:
        if self.format == "csv":
            return csv_format.write(counted, EXPORTED, header=is_new)
        return write_lines(counted)


class Counted:
    """The pages after `last`, counted and shown as they go by."""

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


def named(output: str | None) -> str:
    """The format that a file's name tells; JSON Lines where there is none."""
    if output is None:
        return "jsonl"
    suffix = Path(output).suffix.removeprefix(".").lower()
    if suffix not in FORMATS:
        raise CommandError(f"Say which --format: {' or '.join(FORMATS)}.")
    return suffix


def opened(part: Path) -> BinaryIO:
    """For the owner's eyes only, and for one export at a time."""
    try:
        file = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    except OSError as error:
        raise CommandError(f"{part}: {error.strerror}.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise CommandError(f"{part}: another export is writing it.") from error
    return file
