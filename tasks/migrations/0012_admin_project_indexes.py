"""What the admin asks for: projects, labels and comments of all users, by age."""

from django.db import migrations

# As in 0003: only a query with "version > 0" gets them.
INDEXES = {
    "project_all_created": "tasks_project (created_at, id) "
    "WHERE version > 0 AND NOT is_inbox",
    "label_all_created": "tasks_label (created_at, id) WHERE version > 0",
    "comment_all_created": "tasks_comment (created_at, id) WHERE version > 0",
}


def create(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for name, definition in INDEXES.items():
        # A build that was interrupted leaves an invalid index behind.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        schema_editor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")


def drop(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for name in INDEXES:
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("tasks", "0011_emptied_trash")]
    operations = [migrations.RunPython(create, drop)]
