"""A task has one next occurrence, and a series is found by its id.

Built while the table is in use, where the database can.
"""

from django.db import migrations, models
from django.db.models import Q

ONCE = models.UniqueConstraint(
    fields=["previous_task_id"],
    condition=Q(previous_task_id__isnull=False),
    name="task_follows_once",
)
SERIES = models.Index(
    fields=["series_id", "created_at", "id"],
    condition=Q(series_id__isnull=False),
    name="task_of_series",
)


def forward(apps, schema_editor):
    task = apps.get_model("tasks", "Task")
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.add_constraint(task, ONCE)
        schema_editor.add_index(task, SERIES)
        return
    for name in (ONCE.name, SERIES.name):
        # A build that was interrupted leaves an invalid index behind.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    # What Django makes of a constraint with a condition.
    schema_editor.execute(
        f"CREATE UNIQUE INDEX CONCURRENTLY {ONCE.name} ON tasks_task"
        " (previous_task_id) WHERE previous_task_id IS NOT NULL"
    )
    schema_editor.add_index(task, SERIES, concurrently=True)


def backward(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        task = apps.get_model("tasks", "Task")
        schema_editor.remove_index(task, SERIES)
        schema_editor.remove_constraint(task, ONCE)
        return
    for name in (ONCE.name, SERIES.name):
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("tasks", "0016_recurrence")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forward, backward)],
            state_operations=[
                migrations.AddConstraint("task", ONCE),
                migrations.AddIndex("task", SERIES),
            ],
        )
    ]
