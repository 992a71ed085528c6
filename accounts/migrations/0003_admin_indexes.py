"""What the admin's lists are sorted and searched by; only PostgreSQL has that many."""

from django.db import migrations

INDEXES = {
    "user_created": "(created_at, id)",
    "user_email_trigram": "USING gin (upper(email) gin_trgm_ops)",
    "user_name_trigram": "USING gin (upper(name) gin_trgm_ops)",
}


def create(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for name, definition in INDEXES.items():
        # A build that was interrupted leaves an invalid index behind.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY {name} ON accounts_user {definition}"
        )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for name in INDEXES:
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("accounts", "0002_token_expiry_index")]
    operations = [migrations.RunPython(create, drop)]
