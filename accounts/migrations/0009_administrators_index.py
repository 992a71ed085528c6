"""Finds the active administrators, built while the table is in use."""

from django.db import migrations, models

INDEX = models.Index(
    condition=models.Q(("is_active", True), ("role", "ADMIN")),
    fields=["id"],
    name="user_administrating",
)


def create(apps, schema_editor):
    user = apps.get_model("accounts", "User")
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.add_index(user, INDEX)
        return
    # A build that was interrupted leaves an invalid index behind.
    drop(apps, schema_editor)
    schema_editor.add_index(user, INDEX, concurrently=True)


def drop(apps, schema_editor):
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    online = "CONCURRENTLY" if is_postgresql else ""
    schema_editor.execute(f"DROP INDEX {online} IF EXISTS {INDEX.name}")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("accounts", "0008_email_change")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(create, drop)],
            state_operations=[migrations.AddIndex("user", INDEX)],
        )
    ]
