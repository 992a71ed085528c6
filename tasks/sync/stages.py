"""What a round reads, stage by stage, and how its rows are shown.

Things that are gone come first, so that what was made anew since is not taken away;
then projects, members, labels, tasks with parents first, and comments.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Model, Q, UUIDField

from tasks.comments import comment_to_dict
from tasks.fields import COLUMNS, task_to_dict, to_rfc3339
from tasks.labels import label_to_dict
from tasks.models import (
    LIVE,
    TRASHED,
    Comment,
    Kind,
    Label,
    Membership,
    Project,
    Role,
    Task,
    Tombstone,
)
from tasks.operations.placement import MAX_DEPTH
from tasks.projects import project_to_dict
from tasks.sync.state import NOTHING, Window

OWNER, PROJECT = "owner", "project"
ALL = Q()
LAST_NUMBER = 2**63 - 1
Item = dict[str, Any]
Row = Sequence[Any]


class Source(NamedTuple):
    """A space, or a project that is read by itself; the first two are of a Position."""

    group: int
    id: UUID
    scope: str
    scope_id: UUID
    window: Window

    @property
    def is_new(self) -> bool:
        """Whether nothing of it is known, so that nothing has to be taken away."""
        return self.window.after == NOTHING


@dataclass(frozen=True)
class Stage:
    """`show` takes what a row has after its key and revision, and returns None for what
    has no place in a response.
    """

    model: type[Model]
    columns: tuple[str, ...]
    show: Callable[[Row, Source], Item | None]
    # The column by which a source's rows are found.
    scopes: tuple[tuple[str, str], ...]
    key: str = "pk"
    # Parts, each of which is read after the one before.
    branches: tuple[Q, ...] = (ALL,)
    # The parts that tell what has gone, which is of no use for a new source.
    gone: frozenset[int] = frozenset()

    def column(self, scope: str) -> str | None:
        return dict(self.scopes).get(scope)

    @property
    def key_field(self) -> Any:
        meta = self.model._meta
        return meta.pk if self.key == "pk" else meta.get_field(self.key)

    @property
    def has_uuids(self) -> bool:
        return isinstance(self.key_field, UUIDField)

    def to_key(self, number: int) -> UUID | int:
        """Of a Position; what is larger than all keys is the last one."""
        return UUID(int=number) if self.has_uuids else min(number, LAST_NUMBER)


def upsert(kind: str, pk: str, data: dict[str, Any]) -> Item:
    return {"type": kind, "op": "upsert", "id": pk, "data": data}


def remove(kind: str, pk: str) -> Item:
    return {"type": kind, "op": "remove", "id": pk, "data": None}


def member_id(project_id: UUID, user_id: UUID) -> str:
    return f"{project_id}:{user_id}"


def show_tombstone(row: Row, source: Source) -> Item:
    kind, pk, project_id = row
    name = Kind(kind).name.lower()
    is_member = kind == Kind.MEMBER
    return remove(name, member_id(project_id, pk) if is_member else str(pk))


def show_project(row: Row, source: Source) -> Item | None:
    project = Project.from_db("default", PROJECT_COLUMNS, row)
    if project.deleted_at:
        return None if source.is_new else remove("project", str(project.pk))
    return upsert_project(project, Role.OWNER)


def upsert_project(project: Project, role: int) -> Item:
    return upsert("project", str(project.pk), project_to_dict(project, role))


def is_hidden(source: Source, project_deleted_at: datetime | None) -> bool:
    """Whether a project in the trash hides it.

    Of a project that is followed by itself, the access has been decided for the whole
    page: if it is in the trash for this moment only, nobody would send what was left
    out of the page.
    """
    return source.scope == OWNER and project_deleted_at is not None


def show_member(row: Row, source: Source) -> Item | None:
    project_id, user_id, role, joined_at, project_deleted_at, erased_at = row
    if erased_at or is_hidden(source, project_deleted_at):
        return None
    data = {
        "projectId": str(project_id),
        "userId": str(user_id),
        "role": Role(role).name,
        "joinedAt": to_rfc3339(joined_at),
    }
    return upsert("member", member_id(project_id, user_id), data)


def show_label(row: Row, source: Source) -> Item:
    label = Label.from_db("default", LABEL_COLUMNS, row)
    return upsert("label", str(label.pk), label_to_dict(label))


def show_task(row: Row, source: Source) -> Item | None:
    *values, deleted_at, project_deleted_at = row
    if deleted_at or is_hidden(source, project_deleted_at):
        return None if source.is_new else remove("task", str(values[0]))
    data = task_to_dict(values)
    return upsert("task", data["id"], data)


def show_comment(row: Row, source: Source) -> Item | None:
    *values, task_deleted_at, project_deleted_at = row
    if task_deleted_at or is_hidden(source, project_deleted_at):
        return None
    comment = Comment.from_db("default", COMMENT_COLUMNS, values)
    return upsert("comment", str(comment.pk), comment_to_dict(comment))


def columns_of(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


PROJECT_COLUMNS, LABEL_COLUMNS = columns_of(Project), columns_of(Label)
COMMENT_COLUMNS = columns_of(Comment)
BY_OWNER_ID, BY_PROJECT_ID = (OWNER, "owner_id"), (PROJECT, "project_id")

GONE = Stage(
    Tombstone,
    ("kind", "object_id", "project_id"),
    show_tombstone,
    (BY_OWNER_ID, BY_PROJECT_ID),
    key="object_id",
    gone=frozenset({0}),
)
PROJECTS = Stage(Project, tuple(PROJECT_COLUMNS), show_project, (BY_OWNER_ID,))
MEMBERS = Stage(
    Membership,
    (
        *("project_id", "user_id", "role", "joined_at"),
        *("project__deleted_at", "user__erased_at"),
    ),
    show_member,
    (BY_OWNER_ID, BY_PROJECT_ID),
)
LABELS = Stage(Label, tuple(LABEL_COLUMNS), show_label, (BY_OWNER_ID,))
TASKS = Stage(
    Task,
    (*COLUMNS, "deleted_at", "project__deleted_at"),
    show_task,
    ((OWNER, "user_id"), BY_PROJECT_ID),
    branches=(*(LIVE & Q(depth=depth) for depth in range(MAX_DEPTH)), TRASHED),
    gone=frozenset({MAX_DEPTH}),
)
COMMENTS = Stage(
    Comment,
    (*COMMENT_COLUMNS, "task__deleted_at", "task__project__deleted_at"),
    show_comment,
    (BY_OWNER_ID, BY_PROJECT_ID),
)
# Between projects of the own space and members are those that are followed by
# themselves, which are read with the access to them.
STAGES: tuple[Stage | None, ...] = (
    *(GONE, PROJECTS, None, MEMBERS),
    *(LABELS, TASKS, COMMENTS),
)
