"""Indexes for projects, subtasks, assignees and the new sorts; each task has a project.

Built and validated while the table is in use, where the database can.
"""

from django.db import migrations, models
from django.db.models import F, Q

LIVE = Q(deleted_at__isnull=True)


def index(name, *fields, condition=LIVE):
    return models.Index(fields=[*fields], condition=condition, name=name)


INDEXES = [
    index("task_start", "user", "start_at", "id"),
    index("task_completed", "user", "completed_at", "id"),
    index("task_position", "user", "position", "id"),
    index("task_of_project", "project", "created_at", "id"),
    index("task_siblings", "project", "parent", "position", "id"),
    index(
        "task_of_parent",
        *("parent", "created_at", "id"),
        condition=Q(parent__isnull=False),
    ),
    index(
        "task_of_assignee",
        *("user", "assignee_id", "created_at", "id"),
        condition=LIVE & Q(assignee_id__isnull=False),
    ),
    index(
        "task_made_by_others",
        *("user", "created_by_id", "created_at", "id"),
        condition=LIVE & ~Q(created_by_id=F("user_id")),
    ),
    index(
        "task_deleted_with",
        "deleted_with_id",
        condition=Q(deleted_with_id__isnull=False),
    ),
]
# What housekeeping looks for each time.
LONG_POSITIONS = "task_long_position"
# Only PostgreSQL has nulls last; ascending they are last anyway.
DESCENDING = {
    "task_start_desc": "start_at",
    "task_completed_desc": "completed_at",
}
# The check is validated without a lock that writers wait for, and then makes the last
# step one of the catalogue only.
NOT_NULL = (
    "DROP CONSTRAINT IF EXISTS task_has_project",
    "ADD CONSTRAINT task_has_project CHECK (project_id IS NOT NULL) NOT VALID",
    "VALIDATE CONSTRAINT task_has_project",
    "ALTER COLUMN project_id SET NOT NULL",
    "DROP CONSTRAINT task_has_project",
)


class SetNotNull(migrations.AlterField):
    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        for change in NOT_NULL:
            schema_editor.execute(f"ALTER TABLE tasks_task {change}")


def forward(apps, schema_editor):
    task = apps.get_model("tasks", "Task")
    if schema_editor.connection.vendor != "postgresql":
        for each in INDEXES:
            schema_editor.add_index(task, each)
        return
    for each in INDEXES:
        # A build that was interrupted leaves an invalid index behind.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {each.name}")
        schema_editor.add_index(task, each, concurrently=True)
    for name, column in DESCENDING.items():
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY {name} ON tasks_task"
            f" (user_id, {column} DESC NULLS LAST, id DESC) WHERE deleted_at IS NULL"
        )
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {LONG_POSITIONS}")
    schema_editor.execute(
        f"CREATE INDEX CONCURRENTLY {LONG_POSITIONS} ON tasks_task (id)"
        " WHERE length(position) > 200 AND deleted_at IS NULL"
    )


def backward(apps, schema_editor):
    task = apps.get_model("tasks", "Task")
    for each in INDEXES:
        schema_editor.remove_index(task, each)
    if schema_editor.connection.vendor == "postgresql":
        for name in (*DESCENDING, LONG_POSITIONS):
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("tasks", "0009_fill_projects")]
    operations = [
        SetNotNull(
            "task",
            "project",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=models.DO_NOTHING,
                related_name="tasks",
                to="tasks.project",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forward, backward)],
            state_operations=[
                *[migrations.AddIndex("task", each) for each in INDEXES],
            ],
        ),
    ]
