"""Filters find in their indexes what the other filters ask for: nothing else is read
to count what matches two of them.
"""

from django.db import migrations, models
from django.db.models import Q

LIVE = Q(deleted_at__isnull=True)


def index(name, *keys, include=None):
    fields = ["user", *keys, "id"]
    return models.Index(fields=fields, include=include, condition=LIVE, name=name)


NEW = [
    index("task_of_status", "status", "created_at", include=["priority", "due_at"]),
    index("task_of_priority", "priority", "created_at", include=["status", "due_at"]),
    index("task_of_due", "due_at", include=["status", "priority"]),
]
OLD = [
    index("task_status_created", "status", "created_at"),
    index("task_priority_created", "priority", "created_at"),
    index("task_due", "due_at"),
]


def swap(apps, schema_editor, made, dropped):
    """While the table is in use, where the database can."""
    task = apps.get_model("tasks", "Task")
    if schema_editor.connection.vendor != "postgresql":
        for each in made:
            schema_editor.add_index(task, each)
        for each in dropped:
            schema_editor.remove_index(task, each)
        return
    for each in made:
        # A build that was interrupted leaves an invalid index behind.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {each.name}")
        schema_editor.add_index(task, each, concurrently=True)
    for each in dropped:
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {each.name}")


def forward(apps, schema_editor):
    swap(apps, schema_editor, NEW, OLD)


def backward(apps, schema_editor):
    swap(apps, schema_editor, OLD, NEW)


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("tasks", "0003_admin_indexes")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forward, backward)],
            state_operations=[
                *[migrations.AddIndex("task", each) for each in NEW],
                *[migrations.RemoveIndex("task", each.name) for each in OLD],
            ],
        )
    ]
