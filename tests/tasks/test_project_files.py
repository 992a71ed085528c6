"""`export_project`, `import_project` and `invite`."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from accounts.models import User
from tasks.exports.project import write
from tasks.imports.project import BadLine, ProjectImport
from tasks.models import Comment, Label, Membership, Project, Role, Task
from tasks.operations.comments import create_comment
from tests.factories import api_of, make_user
from tests.tasks.sharing import archive, author, make_project, share, task_in

Line = dict[str, Any]


@pytest.fixture
def project(alice: User, bob: User) -> Project:
    project = make_project(alice, description="All of it", color="#1e90ff")
    share(project, bob, Role.MANAGER)
    root = task_in(project, title="Root", labels=["garden", "Zoo"])
    child = task_in(project, title="Child", parent_id=root.pk, assignee_id=bob.pk)
    task_in(project, title="Grandchild", parent_id=child.pk)
    create_comment(child.pk, "First", author(alice))
    create_comment(child.pk, "Second", author(bob))
    Label.objects.filter(name="Zoo").update(color="#00ff00")
    return project


@pytest.fixture
def file(project: Project, tmp_path: Path) -> Path:
    path = tmp_path / "project.jsonl"
    call_command("export_project", str(project.pk), output=str(path))
    return path


def described(project: Project) -> Any:
    """All of it but for ids and times of its own."""
    titles = dict(Task.objects.values_list("pk", "title"))
    tasks = Task.objects.filter(project=project)
    return {
        "project": (project.name, project.description, project.color),
        "members": set(project.memberships.values_list("user__email", "role")),
        "tasks": {
            (
                task.title,
                titles.get(task.parent_id),
                task.labels,
                task.assignee_id,
                task.created_at,
                task.position,
            )
            for task in tasks
        },
        "comments": set(
            Comment.objects.filter(task__in=tasks).values_list(
                "task__title", "author_id", "text", "created_at"
            )
        ),
    }


def test_file_holds_no_more_than_the_project(file: Path) -> None:
    lines = [json.loads(line) for line in file.read_text().splitlines()]

    kinds = [line["type"] for line in lines]
    assert kinds == [
        "project",
        "member",
        *["label"] * 2,
        *["task"] * 3,
        *["comment"] * 2,
    ]
    assert [each["title"] for each in lines[4:7]] == ["Root", "Child", "Grandchild"]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("times", [1, 2])
def test_project_comes_back_as_it_was(
    project: Project, file: Path, alice: User, times: int
) -> None:
    for _ in range(times):
        call_command("import_project", str(file), owner="alice@example.com")

    *_, made = Project.objects.filter(is_inbox=False).order_by("created_at")
    assert Project.objects.filter(is_inbox=False).count() == 1 + times
    assert described(made) == described(project)


def test_labels_come_to_another_owner(file: Path, capsys: Any) -> None:
    carol = make_user("carol")
    call_command("import_project", str(file), owner=carol.email)

    labels = Label.objects.filter(owner=carol).values_list("name", "color")
    assert set(labels) == {("garden", None), ("Zoo", "#00ff00")}
    assert "1 members, 2 labels, 3 tasks, 2 comments" in capsys.readouterr().out


def test_members_without_an_account_are_told(
    file: Path, bob: User, capsys: Any, alice: User
) -> None:
    User.objects.filter(pk=bob.pk).update(email="robert@example.com")
    call_command("import_project", str(file), owner=alice.email)

    assert "bob@example.com has no account here" in capsys.readouterr().err
    assert Membership.objects.count() == 1


@pytest.mark.parametrize(
    ("number", "line", "problem"),
    [
        (0, {"type": "task"}, "line 1"),
        (4, {"type": "task", "title": "x"}, "line 5: id: This field is required."),
        (5, {"type": "wonder"}, "line 6: not a JSON object with a type"),
        (7, {"type": "comment", "text": ""}, "line 8"),
    ],
)
def test_bad_file_makes_nothing(
    file: Path, alice: User, number: int, line: Line, problem: str
) -> None:
    lines = file.read_text().splitlines()
    lines[number] = json.dumps(line)
    file.write_text("\n".join(lines))
    before = Task.objects.count(), Project.objects.count(), Label.objects.count()
    with pytest.raises(CommandError, match=problem):
        call_command("import_project", str(file), owner=alice.email)

    assert (
        Task.objects.count(),
        Project.objects.count(),
        Label.objects.count(),
    ) == before


def test_subtask_of_a_missing_task_makes_nothing(file: Path, alice: User) -> None:
    lines = file.read_text().splitlines()
    del lines[4]
    file.write_text("\n".join(lines))
    with pytest.raises(CommandError, match=r"line 5: .*Nothing was written"):
        call_command("import_project", str(file), owner=alice.email)

    assert Project.objects.filter(is_inbox=False).count() == 1


def test_invite_prints_what_lets_somebody_in(
    alice: User, capsys: Any, settings: Any
) -> None:
    settings.INVITATION_URL = "https://tasks.example/join#"
    project = make_project(alice)
    call_command("invite", str(project.pk), "carol@example.com", role="VIEWER")
    printed = capsys.readouterr().out.strip()

    token = printed.rpartition("#")[2]
    assert printed == (
        f"To accept or decline it, open https://tasks.example/join#{token}"
    )
    api: APIClient = api_of(make_user("carol"))
    body = {"token": token}
    accepted = api.post("/api/invitations/accept", body, format="json")
    assert accepted.json()["role"] == "VIEWER"


def test_unknown_project_is_told(alice: User) -> None:
    pk = "00000000-0000-4000-8000-000000000000"
    for command in (["invite", pk, "a@example.com"], ["export_project", pk]):
        with pytest.raises(CommandError, match="There is no project"):
            call_command(*command)


def test_archived_project_comes_back_archived(alice: User) -> None:
    project = make_project(alice)
    task_in(project)
    archive(project)
    project.refresh_from_db()
    lines = "".join(write(project)).splitlines()

    imported = ProjectImport(alice).run(lines)

    imported.refresh_from_db()
    assert imported.archived_at == project.archived_at
    assert imported.tasks.count() == 1


def test_refused_task_is_told_by_its_line_in_words(alice: User) -> None:
    rows = [{"type": "project", "name": "x"}]
    rows += [{"type": "task", "id": str(uuid4()), "title": "x"} for _ in range(2)]
    rows[-1]["parentId"] = str(uuid4())
    with pytest.raises(BadLine) as error:
        ProjectImport(alice).run([json.dumps(row) for row in rows])

    assert str(error.value) == "line 3: parentId: There is no such task."
