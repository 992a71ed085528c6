import fcntl
import io
import json
import os
import re
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from accounts.models import User
from tasks.exports import snapshot
from tasks.models import Task, TaskChange
from tasks.operations import Update, perform_one
from tests.factories import Priority, Status, make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, author, make_tasks, trash

HOSTILE = [
    "=1+1",
    "'=1+1",
    "'",
    "''",
    "+4",
    "-4",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "a\r\nb",
    'say "x"',
    '"',
    "a,b;c",
    " padded ",
    "\\N \\n \\",
    "\uff1d1",
    "🚀 猫 é \u2028 \x85 \x0b",
    "\ufeff",
    "null",
    "{}",
    "x" * 255,
]


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Export, and return what was said about it."""

    def called(*options: Any) -> str:
        call_command("export_tasks", *map(str, options))
        out, err = capsys.readouterr()
        assert out == ""
        return err.strip()

    return called


Export = Callable[..., str]


@pytest.fixture
def many(alice: User, bob: User, clock: Clock) -> list[Task]:
    """Tasks of two users with everything that could get lost on the way."""
    rows = [
        {"title": title, "description": [None, "", title][number % 3]}
        for number, title in enumerate(HOSTILE)
    ]
    rows += [{"title": s, "status": s, "due_at": at("2027-01-01")} for s in Status]
    rows += [{"title": p.name, "priority": p} for p in Priority]
    tasks = make_tasks(alice, rows) + make_tasks(bob, rows[:3])
    clock.advance(microseconds=1)
    perform_one(Update({"title": "Changed"}, tasks[0].pk), author(alice))
    return tasks


def everything() -> Any:
    """Every field but the revision, which counts the writes of this place."""
    names = [f.attname for f in Task._meta.fields if f.name != "revision"]
    return list(Task.objects.order_by("pk").values(*names))


def parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))


@pytest.mark.parametrize("name", ["tasks.jsonl", "tasks.csv"])
def test_import_of_an_export_gives_equal_tasks(
    export: Export, many: list[Task], tmp_path: Path, name: str
) -> None:
    before, file = everything(), tmp_path / name
    assert export("--output", file) == f"Exported {len(many)} tasks."
    TaskChange.objects.all().delete()
    Task.objects.all().delete()
    call_command("import_tasks", str(file), stdout=io.StringIO())

    assert len(before) == len(many)
    assert everything() == before
    again = tmp_path / f"again-{name}"
    export("--output", again)
    assert again.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_download_can_be_imported_by_whoever_owns_it(
    alice_api: APIClient,
    alice: User,
    many: list[Task],
    tmp_path: Path,
    format: str,
) -> None:
    Task.objects.exclude(user=alice).delete()
    before, file = everything(), tmp_path / f"tasks.{format}"
    response = alice_api.get(f"/api/tasks/export?format={format}")
    file.write_bytes(b"".join(response))
    Task.objects.all().delete()
    call_command("import_tasks", str(file), "--user", alice.email)

    assert everything() == before


def test_export_names_the_owners(
    export: Export, many: list[Task], tmp_path: Path
) -> None:
    file = tmp_path / "tasks.jsonl"
    export("--output", file)

    rows = [json.loads(line) for line in file.read_text().splitlines()]
    owners = {str(user.pk): user.email for user in User.objects.all()}
    assert {row["email"] for row in rows} == set(owners.values())
    assert all(owners[row["userId"]] == row["email"] for row in rows)
    order = [(row["userId"], row["id"]) for row in rows]
    assert order == sorted(order)


def test_export_of_one_user(
    export: Export, many: list[Task], bob: User, tmp_path: Path
) -> None:
    file = tmp_path / "tasks.jsonl"
    said = export("--output", file, "--user", "BOB@example.com")

    assert said == "Exported 3 tasks."
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {row["email"] for row in rows} == {bob.email}


def test_trash_is_left_out(export: Export, alice: User, tmp_path: Path) -> None:
    trash(make_task(alice))

    assert export("--output", tmp_path / "tasks.csv") == "Exported 0 tasks."


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_standard_output_is_the_file(
    export: Export,
    many: list[Task],
    tmp_path: Path,
    format: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / f"tasks.{format}"
    export("--output", file)
    call_command("export_tasks", "--format", format)

    assert capsys.readouterr().out.encode() == file.read_bytes()


def test_export_is_for_the_owner_of_the_file_only(
    export: Export, alice: User, tmp_path: Path
) -> None:
    export("--output", tmp_path / "tasks.csv")

    assert (tmp_path / "tasks.csv").stat().st_mode & 0o777 == 0o600


# Broken off


@pytest.fixture
def break_off(export: Export, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Export, and be interrupted after some pages of two tasks."""

    def called(*options: Any, pages: int = 3) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(snapshot, "as_of", broken(snapshot.as_of, 2 * pages))
            with pytest.raises(CommandError, match=r"^Interrupted") as error:
                export(*options)
        assert error.value.returncode == 130

    monkeypatch.setattr(snapshot.Snapshot.pages, "__defaults__", (2,))
    return called


def broken(as_of: Any, after: int) -> Any:
    shown: Iterator[int] = iter(range(after))

    def called(version: int, task: Task) -> Task:
        if next(shown, None) is None:
            raise KeyboardInterrupt
        return as_of(version, task)

    return called


@pytest.mark.parametrize("name", ["tasks.jsonl", "tasks.csv"])
@pytest.mark.parametrize("pages", [0, 1, 5])
def test_interrupted_export_is_no_file_and_can_be_resumed(
    export: Export,
    break_off: Callable[..., None],
    many: list[Task],
    tmp_path: Path,
    name: str,
    pages: int,
) -> None:
    whole, file = tmp_path / f"whole-{name}", tmp_path / name
    export("--output", whole)
    break_off("--output", file, pages=pages)
    assert not file.exists()

    said = export("--output", file, "--resume")

    assert said == f"Exported {len(many)} tasks."
    assert file.read_bytes() == whole.read_bytes()
    assert parts(tmp_path) == []


@pytest.mark.parametrize("name", ["tasks.jsonl", "tasks.csv"])
def test_export_can_be_resumed_wherever_it_was_cut(
    export: Export, many: list[Task], tmp_path: Path, name: str
) -> None:
    whole, file = tmp_path / f"whole-{name}", tmp_path / name
    export("--output", whole)
    text = whole.read_bytes()
    for end in range(0, len(text), 397):
        Path(f"{file}.all.part").write_bytes(text[:end])
        export("--output", file, "--resume")

        assert file.read_bytes() == text, end


def test_export_begins_anew_without_resume(
    export: Export, break_off: Callable[..., None], many: list[Task], tmp_path: Path
) -> None:
    file = tmp_path / "tasks.csv"
    break_off("--output", file)
    export("--output", tmp_path / "whole.csv")
    export("--output", file)

    assert file.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_failed_export_leaves_the_file_before_it(
    export: Export, break_off: Callable[..., None], many: list[Task], tmp_path: Path
) -> None:
    file = tmp_path / "tasks.csv"
    file.write_text("yesterday's")
    break_off("--output", file)

    assert file.read_text() == "yesterday's"


def test_export_of_somebody_else_is_not_gone_on_with(
    export: Export, break_off: Callable[..., None], many: list[Task], tmp_path: Path
) -> None:
    file = tmp_path / "tasks.csv"
    break_off("--output", file)

    with pytest.raises(CommandError, match="no interrupted export"):
        export("--output", file, "--resume", "--user", "bob@example.com")


def test_two_exports_do_not_write_one_file(
    export: Export, many: list[Task], tmp_path: Path
) -> None:
    file = tmp_path / "tasks.csv"
    with Path(f"{file}.all.part").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match="another export is writing this file"):
            export("--output", file)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "tasks.txt"], "Use --format jsonl or csv"),
        (["--resume"], "--resume needs --output"),
        (["--output", "x.csv", "--resume"], "no interrupted export"),
        (["--output", "no/x.csv"], "No such file or directory"),
        (["--user", "x@y.z"], r"No user has the e-mail address x@y\.z"),
    ],
)
@pytest.mark.django_db
def test_bad_call_is_refused(
    export: Export,
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError, match=message):
        export(*options)

    assert list(tmp_path.iterdir()) == []


def test_foreign_file_is_not_gone_on_with(
    export: Export, alice: User, tmp_path: Path
) -> None:
    part = tmp_path / "tasks.jsonl.all.part"
    part.write_text('{"id": 7}\n')

    with pytest.raises(CommandError, match="has another format"):
        export("--output", tmp_path / "tasks.jsonl", "--resume")


# How far it is

SHOW = "from tasks.imports.progress import bar\nwith bar('x', 3) as b: b.update(3)"


def test_bar_is_shown_on_a_terminal_only() -> None:
    master, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    os.set_blocking(master, False)
    try:
        command = [sys.executable, "-c", SHOW]
        subprocess.run(command, stderr=terminal, check=True)
        assert re.search(rb"x: +0%.*0/3", os.read(master, 4096))
    finally:
        os.close(terminal)
        os.close(master)
    silent = subprocess.run(command, capture_output=True, check=True)
    assert (silent.stdout, silent.stderr) == (b"", b"")
