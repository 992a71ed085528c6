"""SimpleJWT's token table has no index on expires_at; housekeeping reads by it."""

from django.db import migrations

NAME = "accounts_token_expiry"
TABLE = "token_blacklist_outstandingtoken"


def create(apps, schema_editor):
    # A build that was interrupted leaves an invalid index behind.
    drop(apps, schema_editor)
    columns = f"{TABLE} (expires_at)"
    schema_editor.execute(f"CREATE INDEX {online(schema_editor)} {NAME} ON {columns}")


def drop(apps, schema_editor):
    schema_editor.execute(f"DROP INDEX {online(schema_editor)} IF EXISTS {NAME}")


def online(schema_editor):
    return "CONCURRENTLY" if schema_editor.connection.vendor == "postgresql" else ""


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [
        ("accounts", "0001_initial"),
        ("token_blacklist", "0013_alter_blacklistedtoken_options_and_more"),
    ]
    operations = [migrations.RunPython(create, drop)]
