"""Accounts whose spaces differ in size only: each owner has an inbox and 20 projects
with the same labels, subtasks and dates, and one member of all 20.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from benchmarks.people import PASSWORD
from tasks import bulk
from tasks.models import Label, Role, Task, TaskChange, TaskLabel, inbox_id, label_key
from tasks.operations import ActorContext, members, projects

SHARED, LABELS = 20, 50
# Of 40 tasks, nine are subtasks of one; one in a hundred is in the trash.
TASKS = """
INSERT INTO tasks_task (id, user_id, created_by_id, project_id, parent_id, title,
    description, status, priority, labels, assignee_id, start_at, due_at, completed_at,
    position, version, revision, created_at, updated_at, deleted_at)
SELECT md5(%(owner)s::text || n)::uuid, %(owner)s, %(owner)s,
    (%(projects)s::uuid[])[1 + (n / 40) %% cardinality(%(projects)s::uuid[])],
    CASE WHEN n %% 40 BETWEEN 1 AND 9
        THEN md5(%(owner)s::text || n - n %% 40)::uuid END,
    CASE WHEN n %% 4999 = 0 THEN 'Find the needle ' ELSE 'Task number ' END || n,
    'A description of ordinary length, written to look like text, number ' || n,
    (ARRAY['TODO','IN_PROGRESS','DONE'])[1 + n %% 3], 1 + n %% 4,
    'label ' || n %% %(labels)s, CASE WHEN n %% 7 = 0 THEN %(owner)s END,
    CASE WHEN n %% 5 > 1 THEN %(now)s - (n %% 900) * interval '1 day' END,
    CASE WHEN n %% 4 > 0 THEN %(now)s + (n %% 1000) * interval '1 day' END,
    CASE WHEN n %% 3 = 2 THEN %(now)s - (n %% 600) * interval '1 hour' END,
    lpad(to_hex(n), 8, '0') || 'm', 1, 1, %(now)s - n * interval '1 second',
    %(now)s - (n %% 7919) * interval '1 second',
    CASE WHEN n %% 100 = 99 THEN %(now)s END
FROM generate_series(0, %(size)s - 1) n
"""
TASK_LABELS = """
INSERT INTO tasks_tasklabel (task_id, label_id, task_created_at, project_id)
SELECT t.id, (%(label_ids)s::uuid[])[1 + n %% %(labels)s], t.created_at,
    CASE WHEN t.deleted_at IS NULL THEN t.project_id END
FROM generate_series(0, %(size)s - 1) n
JOIN tasks_task t ON t.id = md5(%(owner)s::text || n)::uuid
"""


@dataclass(frozen=True)
class Space:
    """An owner, and the account that sees the same tasks as a member."""

    owner: str
    member: str

    @classmethod
    def of(cls, size: int) -> "Space":
        return cls(f"owner-{size}@example.com", f"member-{size}@example.com")


def fill(size: int) -> Space:
    """Make a space of so many tasks, unless it is there already."""
    space, users = Space.of(size), get_user_model()._default_manager
    if users.filter(email=space.owner).exists():
        return space
    owner, member = [
        users.create_user(email=email, name=email, password=PASSWORD)
        for email in (space.owner, space.member)
    ]
    shared = [make_project(owner, member, n) for n in range(SHARED)]
    insert_tasks(owner, [inbox_id(owner.pk), *shared], size)
    bulk.analyze(Task, TaskChange, TaskLabel)
    return space


def make_project(owner: Any, member: Any, number: int) -> Any:
    context = ActorContext(owner.pk, owner.pk, "benchmark", timezone.now())
    project = projects.create_project({"name": f"Project {number}"}, context)
    joins = ActorContext(member.pk, member.pk, "benchmark", timezone.now())
    with projects.locked(project.pk, joins, needed=None, others={member.pk}) as found:
        members.add_member(found, member.pk, Role.EDITOR)
    return project.pk


def insert_tasks(owner: Any, project_ids: list[Any], size: int) -> None:
    now = timezone.now()
    names = [f"label {n}" for n in range(LABELS)]
    about = {"owner_id": owner.pk, "created_at": now, "updated_at": now, "revision": 1}
    labels = Label.objects.bulk_create(
        Label(name=name, key=label_key(name), **about) for name in names
    )
    values = {"owner": owner.pk, "projects": project_ids, "size": size, "now": now}
    values |= {"labels": LABELS, "label_ids": [label.pk for label in labels]}
    without_indexes = bulk.without_indexes(Task, TaskLabel)
    with transaction.atomic(), without_indexes, connection.cursor() as cursor:
        cursor.execute(TASKS, values)
        cursor.execute(TASK_LABELS, values)
