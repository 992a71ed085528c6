"""Reads the lines of tasks.exports.project and makes a new project of them.

All in one transaction: it is wholly there, or not at all. Ids are new, and follow from
the new project's id, so that the same file can be imported again.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError

from taskapi.api.datetimes import RFC3339DateTimeField
from taskapi.api.fields import ColorField, EmailField, IdField, StrictCharField
from taskapi.api.serializers import StrictSerializer
from tasks.imports.serializers import (
    ELSEWHERE,
    ORIGIN,
    RowInput,
    format_errors,
)
from tasks.models import Project
from tasks.operations import ActorContext, Import, OperationFailed, run
from tasks.operations.comments import ImportedComment, import_comments
from tasks.operations.labels import make_labels
from tasks.operations.members import add_member
from tasks.operations.projects import create_project, locked, update_project
from tasks.serializers.comments import CommentCreateSerializer
from tasks.serializers.projects import MemberRoleField, ProjectCreateSerializer
from tasks.serializers.task import TaskCreateSerializer

BATCH = 500
KINDS = ("project", "member", "label", "task", "comment")


class MemberLine(StrictSerializer):
    email = EmailField(max_length=255)
    role = MemberRoleField()


class LabelLine(StrictSerializer):
    name = StrictCharField(max_length=50)
    color = ColorField(allow_null=True)


class TaskLine(RowInput):
    """A task whose parent is one of an earlier line."""

    assignee = StrictCharField(allow_null=True, required=False)
    read_only_echoes = frozenset({"userId", "createdById", *ELSEWHERE} - {"parentId"})

    def get_fields(self) -> dict[str, Any]:
        parent = TaskCreateSerializer().get_fields()["parentId"]
        return super().get_fields() | {"id": IdField(), "parentId": parent}


class ProjectLine(ProjectCreateSerializer):
    archivedAt = RFC3339DateTimeField(
        source="archived_at", allow_null=True, required=False
    )


class CommentLine(CommentCreateSerializer):
    taskId = IdField(source="task_id")
    author = StrictCharField(allow_null=True, required=False)
    createdAt = RFC3339DateTimeField(source="created_at")

    read_only_echoes = frozenset({"id", "authorId", "version", "updatedAt"})


LINES: dict[str, Any] = {
    "project": ProjectLine,
    "member": MemberLine,
    "label": LabelLine,
    "task": TaskLine,
    "comment": CommentLine,
}


class BadLine(Exception):
    """A line that is not what an export writes: its number and why."""

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(f"line {number}: {problem}")


@dataclass
class ProjectImport:
    """`skipped` are e-mail addresses of members without an account here."""

    owner: Any
    counts: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)

    def run(self, lines: Iterable[str]) -> Project:
        """BadLine; then nothing is written."""
        records = parse(lines)
        with transaction.atomic():
            values = self.first(records)
            archived_at = values.pop("archived_at", None)
            project = create_project(values, self.context())
            for kind, rows in batches(records):
                try:
                    getattr(self, f"add_{kind}s")(project, [row for _, row in rows])
                except OperationFailed as error:
                    line, _ = rows[error.index]
                    raise BadLine(line, format_errors(error.cause.detail)) from error
                except APIException as error:
                    raise BadLine(rows[0][0], format_errors(error.detail)) from error
                self.counts[kind] += len(rows)
            # Last: nothing is written in an archived project.
            update_project(project.pk, {"archived_at": archived_at}, self.context())
        return project

    def first(self, records: Iterator[tuple[int, str, Any]]) -> dict[str, Any]:
        number, kind, row = next(records, (1, "", {}))
        if kind != "project":
            raise BadLine(number, "the first line is not of the type project.")
        return dict(row)

    def context(self) -> ActorContext:
        now, owner_id = timezone.now(), self.owner.pk
        return ActorContext(
            owner_id, None, "import", now, obeys_quotas=False, reads_projects=True
        )

    def add_members(self, project: Project, rows: list[Any]) -> None:
        for row in rows:
            user_id = user_of(row["email"])
            if user_id is None or user_id == self.owner.pk:
                self.skipped.append(row["email"])
                continue
            with locked(
                project.pk, self.context(), needed=None, others={user_id}
            ) as found:
                add_member(found, user_id, row["role"])

    def add_labels(self, project: Project, rows: list[Any]) -> None:
        """Those that the space knows keep their colours."""
        make_labels([(row["name"], row["color"]) for row in rows], self.context())

    def add_tasks(self, project: Project, rows: list[Any]) -> None:
        run([self.task(project, row) for row in rows], self.context())

    def task(self, project: Project, row: dict[str, Any]) -> Import:
        values = dict(row) | {"project_id": project.pk}
        pk = uuid5(project.pk, str(values.pop("id")))
        if parent_id := values.pop("parent_id", None):
            values["parent_id"] = uuid5(project.pk, str(parent_id))
        for name in ("series_id", "next_task_id"):
            if of_series := values.get(name):
                values[name] = uuid5(project.pk, str(of_series))
        assignee_id = user_of(values.pop("assignee", None))
        if assignee_id and self.may_do(project, assignee_id):
            values["assignee_id"] = assignee_id
        origin = {name: values.pop(name) for name in ORIGIN if name in values}
        return Import(values, pk, origin=origin)

    def may_do(self, project: Project, user_id: UUID) -> bool:
        is_owner = user_id == self.owner.pk
        return is_owner or project.memberships.filter(user_id=user_id).exists()

    def add_comments(self, project: Project, rows: list[Any]) -> None:
        comments = [
            ImportedComment(
                uuid5(project.pk, str(row["task_id"])),
                user_of(row.get("author")),
                row["text"],
                row["created_at"],
            )
            for row in rows
        ]
        import_comments(comments, self.context())


def parse(lines: Iterable[str]) -> Iterator[tuple[int, str, Any]]:
    """Each line's number, type and valid values; BadLine."""
    judges = {kind: serializer() for kind, serializer in LINES.items()}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            kind = row.pop("type")
            yield number, kind, judges[kind].run_validation(row)
        except ValidationError as error:
            raise BadLine(number, format_errors(error.detail)) from error
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            hint = f"not a JSON object with a type out of {', '.join(KINDS)}."
            raise BadLine(number, hint) from error


def batches(
    records: Iterator[tuple[int, str, Any]],
) -> Iterator[tuple[str, list[tuple[int, Any]]]]:
    """Lines of one type that follow each other, BATCH at most."""
    kind, rows = "", list[tuple[int, Any]]()
    for number, each, row in records:
        if rows and (each != kind or len(rows) == BATCH):
            yield kind, rows
            rows = []
        kind = each
        rows.append((number, row))
    if rows:
        yield kind, rows


def user_of(email: str | None) -> UUID | None:
    if not email:
        return None
    users = get_user_model()._default_manager.filter(email__lower=email.lower())
    found: UUID | None = users.values_list("pk", flat=True).first()
    return found
