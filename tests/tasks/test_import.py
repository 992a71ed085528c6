import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks import operations
from tasks.imports import importer
from tasks.models import Task, TaskChange
from tasks.operations import Update, perform_one
from tests.factories import Status, make_task, make_user
from tests.tasks.conftest import Clock
from tests.tasks.wire import author, trash, untouched

ID = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"
WHOLE = {
    "id": ID,
    "title": "Water the plants",
    "description": "all\nof them",
    "status": "DONE",
    "priority": "URGENT",
    "dueDate": "2027-01-31T09:00:00Z",
    "completedAt": "2026-01-03T00:00:00.000007Z",
    "userId": OTHER,
    "version": 7,
    "createdAt": "2026-01-01T00:00:00Z",
    "updatedAt": "2026-01-04T00:00:00Z",
    "email": "Alice@example.com",
}
Import = Callable[..., str]


def jsonl(*rows: Any) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


@pytest.fixture
def take_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Import:
    """Import a file of this text; what was printed."""

    def called(text: str | bytes, *options: str, name: str = "tasks.jsonl") -> str:
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        call_command("import_tasks", str(file), *options)
        out, err = capsys.readouterr()
        assert err == ""
        return out.strip()

    return called


@pytest.fixture
def refused(
    take_in: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """Import a file that is refused, writing nothing; its lines and their faults."""

    def called(text: str | bytes, *options: str, name: str = "tasks.jsonl") -> Any:
        before = state()
        with pytest.raises(CommandError, match=r"Nothing was written\.") as error:
            take_in(text, *options, name=name)
        assert error.value.returncode == 1
        assert state() == before
        faults = capsys.readouterr().err.splitlines()
        assert f"failed {len(faults)}." in str(error.value)
        return [fault.removeprefix(f"{tmp_path / name}:") for fault in faults]

    return called


def state() -> Any:
    tasks = list(Task.objects.order_by("pk").values())
    revisions = list(User.objects.order_by("pk").values("pk", "revision"))
    return tasks, list(TaskChange.objects.order_by("pk").values()), revisions


def titles() -> list[str]:
    return sorted(Task.objects.values_list("title", flat=True))


# What becomes of a row


def test_row_becomes_the_task_it_was(
    take_in: Import, alice_api: APIClient, alice: User
) -> None:
    printed = take_in(jsonl(WHOLE))

    assert printed == "created 1, unchanged 0, updated 0, failed 0."
    response = alice_api.get(f"/api/tasks/{ID}")
    expected = untouched(alice) | WHOLE | {"userId": str(alice.pk)}
    del expected["email"]
    assert response.json() == expected
    assert response["ETag"] == '"v7"'


def test_title_alone_is_enough(
    take_in: Import, alice_api: APIClient, alice: User, clock: Clock
) -> None:
    take_in(jsonl({"title": "x"}), "--user", "ALICE@example.com")

    now = clock().isoformat().replace("+00:00", "Z")
    [task] = alice_api.get("/api/tasks").json()["items"]
    assert UUID(task.pop("id")).version == 5
    assert task == untouched(alice) | {
        "title": "x",
        "description": None,
        "status": "TODO",
        "priority": "MEDIUM",
        "dueDate": None,
        "version": 1,
        "createdAt": now,
        "updatedAt": now,
    }


def test_done_without_a_time_is_done_now(
    take_in: Import, alice: User, clock: Clock
) -> None:
    row = {"title": "x", "status": "DONE", "completedAt": None}
    take_in(jsonl(row), "--user", alice.email)

    assert Task.objects.get().completed_at == clock()


def test_import_is_in_the_history(
    take_in: Import, alice_api: APIClient, alice: User
) -> None:
    take_in(jsonl(WHOLE))

    [change] = alice_api.get(f"/api/tasks/{ID}/history").json()["items"]
    assert change["version"] == 7
    assert change["changedBy"] is None
    assert change["requestId"] == "import"
    assert {"field": "title", "from": None, "to": WHOLE["title"]} in change["changes"]


def test_imported_task_can_be_changed(
    take_in: Import, alice_api: APIClient, alice: User
) -> None:
    take_in(jsonl(WHOLE))
    response = alice_api.patch(
        f"/api/tasks/{ID}", {"status": "TODO"}, format="json", HTTP_IF_MATCH='"v7"'
    )

    assert response.status_code == 200
    assert response.json()["version"] == 8
    assert response.json()["completedAt"] is None


def test_cached_list_is_not_stale_after_an_import(
    take_in: Import, alice_api: APIClient, alice: User
) -> None:
    for text in (jsonl(WHOLE), jsonl(WHOLE, {"title": "y", "email": alice.email})):
        before = alice_api.get("/api/tasks")
        take_in(text)
        after = alice_api.get("/api/tasks", HTTP_IF_NONE_MATCH=before["ETag"])

        assert after.status_code == 200
        assert after.json()["total"] == before.json()["total"] + 1


def test_user_of_the_command_owns_every_row(
    take_in: Import, alice: User, bob: User
) -> None:
    take_in(jsonl(WHOLE, {"title": "x"}), "--user", bob.email)

    assert Task.objects.filter(user_id=bob.pk).count() == 2


def test_rows_of_many_users_are_written_batch_by_batch(
    take_in: Import, alice: User, bob: User
) -> None:
    rows = [
        {"title": f"Task {n}", "email": [alice, bob][n % 2].email} for n in range(20)
    ]
    take_in(jsonl(*rows), "--batch-size", "5")

    for user, odd in ((alice, 0), (bob, 1)):
        user.refresh_from_db()
        assert user.revision == 2
        mine = Task.objects.filter(user_id=user.pk).values_list("title", flat=True)
        assert set(mine) == {f"Task {n}" for n in range(odd, 20, 2)}


# Again


@pytest.mark.parametrize("name", ["tasks.jsonl", "tasks.csv"])
def test_second_import_changes_nothing(take_in: Import, alice: User, name: str) -> None:
    text = jsonl(WHOLE, *[{"title": "x", "email": alice.email}] * 3)
    if name == "tasks.csv":
        text = "title,email\n" + "x,alice@example.com\n" * 4
    assert take_in(text, name=name) == "created 4, unchanged 0, updated 0, failed 0."
    before = state()

    assert take_in(text, name=name) == "created 0, unchanged 4, updated 0, failed 0."
    assert state() == before


def test_row_without_id_is_another_task_for_each_user(
    take_in: Import, alice: User, bob: User
) -> None:
    for user in (alice, bob):
        printed = take_in(jsonl({"title": "x"}), "--user", user.email)

        assert printed.startswith("created 1,")


def test_import_that_broke_off_is_taken_up(
    take_in: Import, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = jsonl(*[{"title": f"Task {n:02}", "email": alice.email} for n in range(25)])
    whole_run, runs = operations.run, []

    def failing(*args: Any) -> Any:
        runs.append(args)
        if len(runs) == 2:
            raise KeyboardInterrupt
        return whole_run(*args)

    monkeypatch.setattr(importer, "run", failing)
    with pytest.raises(CommandError, match=r"Interrupted\. The tasks written") as error:
        take_in(text, "--batch-size", "10")
    assert error.value.returncode == 130
    assert Task.objects.count() == 10

    printed = take_in(text, "--batch-size", "10")

    assert printed == "created 15, unchanged 10, updated 0, failed 0."
    assert titles() == [f"Task {n:02}" for n in range(25)]
    assert TaskChange.objects.count() == 25


def test_lost_database_is_told(
    take_in: Import, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(importer, "run", fail)
    with pytest.raises(CommandError, match=r"gone .* run the command again"):
        take_in(jsonl(WHOLE))


def test_dry_run_writes_nothing(take_in: Import, alice: User) -> None:
    task = make_task(alice, title="old")
    before = state()
    rows = [WHOLE, {"id": str(task.pk), "title": "new", "email": alice.email}]
    printed = take_in(jsonl(*rows), "--dry-run", "--update")

    expected = "Would be: created 1, unchanged 0, updated 1, failed 0."
    assert printed == expected
    assert state() == before


def test_dry_run_finds_the_faults(refused: Any, alice: User) -> None:
    faults = refused(jsonl({"title": ""}), "--dry-run", "--user", alice.email)

    assert faults == ["1: title: This field may not be blank."]


# What is there with other content


def test_other_content_is_refused(refused: Any, take_in: Import, alice: User) -> None:
    take_in(jsonl(WHOLE))
    perform_one(Update({"title": "mine"}, UUID(ID)), author(alice))
    new = {"title": "new", "email": alice.email}

    assert refused(jsonl(new, WHOLE)) == [
        "2: id: A task with this id exists with different content."
    ]


def test_update_takes_the_content_of_the_file(
    take_in: Import, alice_api: APIClient, alice: User, clock: Clock
) -> None:
    task = make_task(alice, title="mine", description="kept", due_at=clock())
    clock.advance(hours=1)
    created_at = alice_api.get(f"/api/tasks/{task.pk}").json()["createdAt"]
    row = WHOLE | {"id": str(task.pk)}
    del row["description"]
    before = alice_api.get("/api/tasks")
    printed = take_in(jsonl(row), "--update")

    assert printed == "created 0, unchanged 0, updated 1, failed 0."
    expected = untouched(alice) | row
    expected |= {
        "userId": str(alice.pk),
        "description": "kept",
        # These are of this place: only a task that is made takes them from the file.
        "createdAt": created_at,
        "updatedAt": clock().isoformat().replace("+00:00", "Z"),
        "version": 2,
    }
    del expected["email"]
    assert alice_api.get(f"/api/tasks/{task.pk}").json() == expected
    assert task.changes.count() == 2
    after = alice_api.get("/api/tasks", HTTP_IF_NONE_MATCH=before["ETag"])
    assert after.status_code == 200
    assert take_in(jsonl(row), "--update").startswith("created 0, unchanged 1,")


def test_version_and_times_alone_make_no_difference(
    take_in: Import, alice: User
) -> None:
    take_in(jsonl(WHOLE))
    for status in (Status.TODO, Status.DONE):
        perform_one(Update({"status": status}, UUID(ID)), author(alice))
    row = {name: WHOLE[name] for name in WHOLE if name != "completedAt"}

    assert take_in(jsonl(row)) == "created 0, unchanged 1, updated 0, failed 0."


@pytest.mark.parametrize("options", [(), ("--update",)])
def test_task_of_somebody_else_is_refused(
    refused: Any, alice: User, bob: User, options: tuple[str, ...]
) -> None:
    make_task(bob)
    row = WHOLE | {"id": str(Task.objects.get().pk)}

    expected = ["1: id: The id belongs to a task of another user."]
    assert refused(jsonl(row), *options) == expected


@pytest.mark.parametrize("options", [(), ("--update",)])
def test_task_in_the_trash_is_refused(
    refused: Any, alice: User, options: tuple[str, ...]
) -> None:
    task = trash(make_task(alice))
    row = {"id": str(task.pk), "title": task.title, "email": alice.email}

    assert refused(jsonl(row), *options) == [
        "1: id: A task with this id is in the trash."
    ]


def test_task_written_after_the_check_is_not_overwritten(
    take_in: Import,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"title": f"Task {n}", "email": alice.email} for n in range(10)]
    rows[6]["id"] = ID
    whole_run, runs = operations.run, []

    def meanwhile(*args: Any) -> Any:
        runs.append(args)
        if len(runs) == 2:
            monkeypatch.setattr(importer, "run", whole_run)
            take_in(jsonl({"id": ID, "title": "mine", "email": alice.email}))
            monkeypatch.setattr(importer, "run", meanwhile)
        return whole_run(*args)

    monkeypatch.setattr(importer, "run", meanwhile)
    with pytest.raises(CommandError) as error:
        take_in(jsonl(*rows), "--batch-size", "5", name="other.jsonl")

    assert str(error.value).startswith("created 5, unchanged 0, updated 0, failed 1.")
    fault = capsys.readouterr().err.partition("other.jsonl:")[2]
    assert fault == "7: id: A task with this id exists with different content.\n"
    assert titles() == [*(f"Task {n}" for n in range(5)), "mine"]


def test_row_that_does_not_fit_what_is_stored_is_told_in_words(
    take_in: Import, alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"id": ID, "title": "x", "email": alice.email}
    take_in(jsonl(row | {"dueDate": "2027-01-31T00:00:00Z"}))
    with pytest.raises(CommandError, match=r"failed 1\."):
        take_in(jsonl(row | {"startDate": "2027-02-01T00:00:00Z"}), "--update")

    fault = capsys.readouterr().err.partition("tasks.jsonl:")[2]
    assert fault == "1: startDate: It is after dueDate.\n"


def test_import_may_exceed_the_number_of_labels(
    take_in: Import, alice: User, settings: Any
) -> None:
    settings.QUOTA_LABELS = 1
    rows = [{"title": name, "labels": [name], "email": alice.email} for name in "abc"]

    assert take_in(jsonl(*rows)).startswith("created 3")


def test_same_task_made_after_the_check_is_counted_as_there(
    take_in: Import, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = importer.Importer.check

    def check_then_make(importer: Any) -> None:
        check(importer)
        make_first()

    def make_first() -> None:
        monkeypatch.setattr(importer.Importer, "check", check)
        take_in(jsonl(WHOLE), name="other.jsonl")

    monkeypatch.setattr(importer.Importer, "check", check_then_make)

    assert take_in(jsonl(WHOLE)) == "created 0, unchanged 1, updated 0, failed 0."


def test_user_who_is_gone_stops_it(
    take_in: Import, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    user = make_user("carol")
    check = importer.Importer.check

    def check_then_erase(importer: Any) -> None:
        check(importer)
        user.delete()

    monkeypatch.setattr(importer.Importer, "check", check_then_erase)
    with pytest.raises(CommandError, match="A user was deleted"):
        take_in(jsonl({"title": "x"}), "--user", user.email)

    assert not Task.objects.exists()


# What is wrong with a row


GOOD = {"title": "x", "email": "alice@example.com"}
ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "blank": ({"title": " "}, "title: This field may not be blank."),
    "long": ({"title": "x" * 256}, "title: Ensure this field has no more than 255"),
    "null": ({"title": None}, "title: This field may not be null."),
    "NUL": ({"title": "a\0b"}, "title: Null characters are not allowed."),
    "surrogate": ({"title": "\ud800"}, "title: "),
    "number": ({"title": 1}, "title: Not a valid string."),
    "status": ({"status": "done"}, "status: Not one of: TODO, IN_PROGRESS, DONE."),
    "priority": ({"priority": 1}, "priority: Not one of: LOW, MEDIUM, HIGH, URGENT."),
    "date": ({"dueDate": "2027-01-31"}, "dueDate: Write a date and time with offset"),
    "created": ({"createdAt": None}, "createdAt: This field may not be null."),
    "completed": (
        {"completedAt": "2027-01-31T00:00:00Z"},
        "completedAt: Allowed with DONE only.",
    ),
    "dates": (
        {"startDate": "2027-01-31T00:00:00Z", "dueDate": "2027-01-30T00:00:00Z"},
        "startDate: It is after dueDate.",
    ),
    "id": ({"id": "7"}, "id: Must be a valid UUID."),
    "number as id": ({"id": 7}, "id: Must be a valid UUID."),
    "version": ({"version": 0}, "version: Ensure this value is greater than or"),
    "text as version": ({"version": "1"}, "version: A valid integer is required."),
    "unknown": ({"tittle": "x"}, "tittle: Unknown field. Accepted: title, "),
    "e-mail": ({"email": "x@y.z"}, "email: No user has this address."),
    "two": ({"title": 1, "status": 1}, "title: Not a valid string.; status: Not one"),
}


@pytest.mark.parametrize(("row", "fault"), ROWS.values(), ids=ROWS)
def test_bad_last_row_writes_nothing(
    refused: Any, alice: User, row: dict[str, Any], fault: str
) -> None:
    [found] = refused(jsonl(*[GOOD] * 3, GOOD | row), "--batch-size", "1")

    assert found.startswith(f"4: {fault}")


LINES: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{'title': 1}", "The line is not valid JSON."),
    "blank": (b"", "The line is not valid JSON."),
    "cut": (b'{"title": "x', "The line is not valid JSON."),
    "NaN": (b'{"title": NaN}', "The line is not valid JSON."),
    "deep": (b"[" * 5000, "The line is not valid JSON."),
    "twice": (b'{"title": "x", "title": "y"}', "An object has the same key twice."),
    "Latin-1": (b'{"title": "\xe9"}', "The line is not UTF-8; in a spreadsheet"),
    "list": (b"[]", "Invalid data. Expected a dictionary, but got list."),
    "null": (b"null", "This field may not be null."),
    "no owner": (b'{"title": "x"}', "email: Required unless --user"),
    "endless": (b'"' + b"x" * 3_000_000 + b'"', "The line is too long."),
}


@pytest.mark.parametrize(("line", "fault"), LINES.values(), ids=LINES)
def test_line_that_cannot_be_read_is_told_and_the_rest_is_read(
    refused: Any, alice: User, line: bytes, fault: str
) -> None:
    good = jsonl(GOOD).encode()
    first, second = refused(good + line + b"\n" + good + b"{}\n" + good)

    assert first.startswith(f"2: {fault}")
    assert second == "4: title: This field is required."


def test_id_twice_in_a_file_is_refused(refused: Any, alice: User) -> None:
    problems = refused(jsonl(GOOD, WHOLE, GOOD, WHOLE))
    assert problems == ["4: id: Line 2 has the same id."]


TABLES: dict[str, tuple[str, str]] = {
    "cells": ("title,status\na,TODO\nb\n", "3: The row has 1 cells; the header has 2."),
    "after text of three lines": (
        'title,description\r\na,"1\n2\r\n3"\r\n"",b\r\n',
        "5: title: This field is required.",
    ),
    "text in quotes": (
        'title\r\na\r\n"b"c\r\n',
        "3: ',' expected after '\"'. The rest was not read.",
    ),
    "open quote": (
        'title\r\na\r\n"b\r\nc\r\n',
        "3: unexpected end of data. The rest was not read.",
    ),
    "carriage return": ("title\r\na\rb\r\n", "2: new-line character seen in unquoted"),
    "nothing": ("", "1: The file has no header. The rest was not read."),
    "column twice": ("title,title\na,b\n", "1: The header has the same column twice."),
    "unknown column": ("title,nope\na,b\n", "2: nope: Unknown field."),
    "version": ("title,version\na,1.0\n", "2: version: A valid integer is required."),
    "long version": (
        f"title,version\na,{'9' * 5000}\n",
        "2: version: ",
    ),
    "huge version": (
        "title,version\na,9999999999\n",
        "2: version: Ensure this value is less than or equal to",
    ),
}


@pytest.mark.parametrize(("text", "fault"), TABLES.values(), ids=TABLES)
def test_fault_in_a_table_is_told(
    refused: Any, alice: User, text: str, fault: str
) -> None:
    [found] = refused(text, "--user", alice.email, name="tasks.csv")

    assert found.startswith(fault)


def test_table_in_another_encoding_is_told(refused: Any, alice: User) -> None:
    text = "title\na\nbé\nc\n".encode("latin-1")
    found = refused(text, "--user", alice.email, name="tasks.csv")

    hint = 'The line is not UTF-8; in a spreadsheet, save as "CSV UTF-8".'
    assert found == [f"3: {hint} The rest was not read."]


def test_table_of_a_spreadsheet_is_read(take_in: Import, alice: User) -> None:
    text = "\ufefftitle,description,dueDate,status\r\n=a,,,\r\n'=b,'x,,DONE\r\n"
    take_in(text, "--user", alice.email, name="tasks.CSV")

    found = Task.objects.order_by("title").values_list("title", "description", "status")
    assert list(found) == [("=a", None, "TODO"), ("=b", "'x", "DONE")]


EXCEL = "title;description;status;;\r\n"
SPREADSHEETS = {
    "semicolons": EXCEL + "a;b, c;DONE;;\r\nd;;;;\r\n",
    "tabs": "title\tdescription\tstatus\r\na\tb, c\tDONE\r\nd\t\t\r\n",
    "empty lines at the end": EXCEL + "a;b, c;DONE;;\r\nd;;;;\r\n;;;;\r\n\r\n\r\n",
    "empty lines between": EXCEL + "\r\na;b, c;DONE;;\r\n;;;;\r\nd;;;;\r\n",
    "empty lines before": "\r\n,,\r\ntitle,description,status\r\na,"
    '"b, c",DONE\r\nd,,\r\n',
    "an empty column between": 'title,,description,status\na,,"b, c",DONE\nd,,,\n',
    "longer rows": 'title,description,status\na,"b, c",DONE,,,\nd,,,,\n',
    "a line that names the separator": "sep=;\r\n" + EXCEL + "a;b, c;DONE;;\nd;;;;",
    "quoted names": '"title";"description";"status"\n"a";"b, c";"DONE"\n"d";"";""\n',
}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
@pytest.mark.parametrize("text", SPREADSHEETS.values(), ids=SPREADSHEETS)
def test_table_as_spreadsheets_write_it_is_read(
    take_in: Import, alice: User, text: str, mark: str
) -> None:
    printed = take_in(mark + text, "--user", alice.email, name="tasks.csv")

    assert printed == "created 2, unchanged 0, updated 0, failed 0."
    found = Task.objects.order_by("title").values_list("title", "description", "status")
    assert list(found) == [("a", "b, c", "DONE"), ("d", None, "TODO")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("title,,\na,,b\n", "2: The row has 3 cells; the header has 1."),
        ("title,,status\na,b,\n", "2: A cell is in a column that has no name"),
        ("title,status\na\n", "2: The row has 1 cells; the header has 2."),
        ("title|status\na|DONE\n", "2: title|status: Unknown field"),
    ],
)
def test_cell_is_never_dropped_nor_invented(
    refused: Any, alice: User, text: str, fault: str
) -> None:
    [found] = refused(text, "--user", alice.email, name="tasks.csv")

    assert found.startswith(fault)


def test_byte_order_mark_before_json_lines_is_skipped(
    take_in: Import, alice: User
) -> None:
    take_in("\ufeff" + jsonl(GOOD, GOOD | {"title": "y"}))

    assert titles() == ["x", "y"]


def faults_of(
    take_in: Import, capsys: pytest.CaptureFixture[str], text: str, *options: str
) -> tuple[str, list[str]]:
    """The summary and what is printed before it."""
    with pytest.raises(CommandError) as error:
        take_in(text, *options, name="tasks.csv")
    lines = capsys.readouterr().err.splitlines()
    return str(error.value), [line.rpartition("tasks.csv:")[2] for line in lines]


def test_one_line_tells_each_kind_of_fault_and_its_count(
    take_in: Import, alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["ok,DONE", ",DONE", "a,done", "b,todo", ",TODO", "c"] * 1000
    text = "title,status\n" + "\n".join(rows)
    summary, faults = faults_of(take_in, capsys, text, "--user", alice.email)

    assert "failed 5000. Nothing was written." in summary
    assert faults == [
        "3: title: This field is required. (and 1,999 more like it)",
        "4: status: Not one of: TODO, IN_PROGRESS, DONE. (and 1,999 more like it)",
        "7: The row has 1 cells; the header has 2. (and 999 more like it)",
    ]


def test_number_of_kinds_is_bounded(
    take_in: Import, alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.dumps({"title": "x", "a" * n: 1}) for n in range(1, 101)]
    with pytest.raises(CommandError, match="failed 100"):
        take_in("\n".join(rows), "--user", alice.email)
    lines = capsys.readouterr().err.splitlines()

    assert len(lines) == 51
    assert lines[-1].endswith("50 more problems of other kinds")


# The command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tasks.txt"], "Use --format csv or jsonl"),
        (["-"], "Use --format"),
        (["nothing.csv"], r"nothing\.csv: No such file or directory"),
        (["x.csv", "--user", "x@y.z"], r"No user has the e-mail address x@y\.z"),
        (["x.csv", "--batch-size", "0"], "--batch-size must be from 1 to 2000"),
        (["x.csv", "--format", "ics"], "invalid choice: 'ics'"),
    ],
)
@pytest.mark.django_db
def test_bad_call_is_refused(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("tasks.txt", "x.csv"):
        (tmp_path / name).touch()
    with (tmp_path / "x.csv").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(CommandError, match=message):
            call_command("import_tasks", *arguments)


def test_standard_input_is_read(
    take_in: Import,
    alice: User,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "input").write_text(jsonl(GOOD))
    with (tmp_path / "input").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        call_command("import_tasks", "-", "--format", "jsonl")

    assert titles() == ["x"]


def test_empty_file_makes_nothing(take_in: Import, alice: User) -> None:
    assert take_in("") == "created 0, unchanged 0, updated 0, failed 0."


def test_largest_batch_is_written(take_in: Import, alice: User) -> None:
    rows = [{"title": str(n), "email": alice.email} for n in range(2001)]
    take_in(jsonl(*rows), "--batch-size", "2000")

    assert Task.objects.count() == TaskChange.objects.count() == 2001


@pytest.mark.usefixtures("clock")
def test_queries_go_with_the_batches(take_in: Import, alice: User) -> None:
    counts = []
    for size in (1, 50):
        make = {"title": f"Of {size}", "email": alice.email}
        with CaptureQueriesContext(connection) as queries:
            take_in(jsonl(*[make] * size), name=f"{size}.jsonl")
        counts.append(len(queries))

    assert counts[0] == counts[1]
