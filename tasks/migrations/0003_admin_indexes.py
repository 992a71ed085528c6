"""What the admin asks for: tasks of all users, the trash too, and a thing's log."""

from django.db import migrations

INDEXES = {
    # Of every task; but only who asks for "version > 0" gets them: for an owner's list
    # they would be taken in place of its own, and walk over everybody else's tasks.
    "task_all_created": "tasks_task (created_at, id) WHERE version > 0",
    "task_all_due": "tasks_task (due_at) WHERE due_at IS NOT NULL AND version > 0",
    "task_trash_trigram": "tasks_task USING gin (upper(title) gin_trgm_ops) "
    "WHERE deleted_at IS NOT NULL",
    "admin_log_object": "django_admin_log (object_id)",
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

    dependencies = [
        ("tasks", "0002_postgresql_indexes"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]
    operations = [migrations.RunPython(create, drop)]
