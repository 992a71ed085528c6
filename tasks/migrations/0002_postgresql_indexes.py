"""Indexes that only PostgreSQL has, built while the table is in use."""

from django.db import migrations

LIVE = "WHERE deleted_at IS NULL"
INDEXES = {
    "task_due_desc": "(user_id, due_at DESC NULLS LAST, id DESC)",
    "task_title_trigram": "USING gin (upper(title) gin_trgm_ops)",
    "task_description_trigram": "USING gin (upper(description) gin_trgm_ops)",
}


def create(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for name, definition in INDEXES.items():
        # A build that was interrupted leaves an invalid index behind.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY {name} ON tasks_task {definition} {LIVE}"
        )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for name in INDEXES:
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("tasks", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
