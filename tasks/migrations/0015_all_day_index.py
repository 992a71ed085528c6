"""What is overdue is counted in an index, as before, although days end as well.

Built while the table is in use, where the database can.
"""

from django.db import migrations, models
from django.db.models import Q


def index(name, *include):
    return models.Index(
        fields=["user", "due_at", "id"],
        include=[*include],
        condition=Q(deleted_at__isnull=True),
        name=name,
    )


NEW = index("task_overdue", "status", "priority", "day_ends_at")
OLD = index("task_of_due", "status", "priority")


def swap(apps, schema_editor, made, dropped):
    task = apps.get_model("tasks", "Task")
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.add_index(task, made)
        schema_editor.remove_index(task, dropped)
        return
    # A build that was interrupted leaves an invalid index behind.
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {made.name}")
    schema_editor.add_index(task, made, concurrently=True)
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {dropped.name}")


def forward(apps, schema_editor):
    swap(apps, schema_editor, NEW, OLD)


def backward(apps, schema_editor):
    swap(apps, schema_editor, OLD, NEW)


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("tasks", "0014_all_day")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forward, backward)],
            state_operations=[
                migrations.AddIndex("task", NEW),
                migrations.RemoveIndex("task", OLD.name),
            ],
        )
    ]
